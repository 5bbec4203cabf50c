"""Which layer is the source, and what is read from it."""

from __future__ import absolute_import, division, unicode_literals

import json

import gimp
import gimpenums
from restore_old_photo_shared.errors import PluginError
from restore_old_photo_shared.host import Picture
from restore_old_photo_shared.masks import brightest, without_erased
from restore_old_photo_shared.names import is_mask_name, may_be_copy

from . import pixels

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Dict, List, Optional, Text  # noqa: F401

PARASITE = "restore-old-photo"
# GIMP's own name of the channel that is there while Quick Mask is on.
QUICK_MASK = "Qmask"
# Kinds of results that show a part of the photo, through a layer mask.
PARTS = ("repair", "face")
pdb = gimp.pdb


def find_source(image, drawable):
    # type: (gimp.Image, Optional[gimp.Drawable]) -> gimp.Layer
    """The layer to restore, for what is active in the image.

    Raises:
        PluginError: there is no such layer; one sentence says what to do.
    """
    if image.floating_selection is not None:
        raise PluginError(
            "There is a floating selection, which is no layer yet: anchor it or make it a new "
            "layer first."
        )
    if pdb.gimp_image_get_channel_by_name(image, QUICK_MASK) is not None:
        raise PluginError(
            "Quick Mask is on, so what is painted in it is no selection yet: switch it off (Select "
            "> Toggle Quick Mask), then run again."
        )
    if drawable is None:
        raise PluginError("No layer is active: select the photo's layer.")
    chosen = pdb.gimp_layer_from_mask(drawable) if drawable.is_layer_mask else drawable
    if not isinstance(chosen, gimp.Layer):
        raise PluginError("A channel is selected, but only layers are restored: select a layer.")
    if pdb.gimp_item_is_group(chosen) and not chosen.children:
        raise PluginError("The selected layer group is empty: select the photo's layer.")
    source = meant_by(chosen)
    if source is None:
        raise PluginError(
            "The scratch mask is selected, but which layer it belongs to is not known: select the "
            "photo's layer."
        )
    check_place(source)
    return source


def check_place(source):
    # type: (gimp.Layer) -> None
    """Refuse a layer whose neighbourhood cannot take new layers.

    Raises:
        PluginError: a group around it is locked; GIMP ends plug-ins that paint in there.
    """
    parent = source.parent
    while parent is not None:
        if pdb.gimp_item_get_lock_content(parent):
            raise PluginError(
                'The layer lies in the group "{group}", whose pixels are locked, so there is no '
                "place for the result: unlock the group.",
                group=name_of(parent),
            )
        parent = parent.parent


def meant_by(chosen):
    # type: (gimp.Layer) -> Optional[gimp.Layer]
    """The layer that whoever selects this one wants to have restored; None if it is not known."""
    if not stands_for_another(chosen):
        return chosen
    # A part of a photo that is not here is a picture itself.
    return source_of(chosen) or (chosen if facts(chosen).get("kind") in PARTS else None)


def stands_for_another(layer):
    # type: (gimp.Layer) -> bool
    """Whether whoever selects this layer means the photo: a mask, a part, or a group.

    After an undo and a redo GIMP selects what was inserted last, a face for example.
    """
    kind = facts(layer).get("kind")
    is_group = pdb.gimp_item_is_group(layer)
    is_drawn_mask = not kind and not is_group and is_mask_name(name_of(layer))
    # GIMP takes the layer mask away when it merges a part with what lies below.
    is_part = kind in PARTS and layer.mask is not None
    return kind in ("mask", "group", "faces") or is_part or is_drawn_mask


def source_of(result):
    # type: (gimp.Layer) -> Optional[gimp.Layer]
    """The layer that a result was made of, or None where that is not known.

    A tattoo says so in the image where the result was made. GIMP numbers tattoos anew in a copy of
    the image, and where layers come from another file, so that one may be right by chance; there
    the place says it: the group of the results was put above its source. Where both differ, the
    tattoo is believed if its layer has the source's name, or if the one below has another.
    """
    record, below = facts(result), layer_below_results(result)
    tattoo = record.get("source")
    if record.get("self") != result.tattoo or not isinstance(tattoo, int):
        return below
    made_of = result.image.get_layer_by_tattoo(tattoo) if 0 < tattoo < 2**31 else None
    if made_of is None or (below is not None and below.ID == made_of.ID):
        return below
    if name_of(made_of) == record.get("source_name"):
        return made_of
    is_misplaced = below is None or not may_be_copy(name_of(below), record.get("source_name"))
    return made_of if is_misplaced and not stands_for_another(made_of) else below


def layer_below_results(result):
    # type: (gimp.Layer) -> Optional[gimp.Layer]
    """The first layer below the innermost group of results around this one that can be a source."""
    place = result
    while facts(place).get("kind") != "group":
        place = place.parent
        if place is None:
            return None
    siblings = place.image.layers if place.parent is None else place.parent.children
    position = pdb.gimp_image_get_item_position(place.image, place)
    lower = siblings[position + 1 :]
    return next((layer for layer in lower if not stands_for_another(layer)), None)


def facts(item):
    # type: (gimp.Drawable) -> Dict[Text, Any]
    """What an earlier run wrote about an item it inserted; empty for all others."""
    parasite = item.parasite_find(PARASITE)
    if parasite is None:
        return {}
    try:
        record = json.loads(parasite.data.rstrip(b"\x00").decode("ascii"))
    except ValueError:
        return {}
    if not isinstance(record, dict):
        return {}
    # What GIMP merges keeps the note of its lowest part, and is a picture of its own.
    is_merged = record.get("kind") in ("group", "faces") and not pdb.gimp_item_is_group(item)
    return {} if is_merged else record


def name_of(item):
    # type: (gimp.Drawable) -> Text
    name = item.name
    return name.decode("utf-8") if isinstance(name, bytes) else name


def read_picture(source):
    # type: (gimp.Layer) -> Picture
    """The source layer's pixels; its mask and opacity are not applied.

    Raises:
        PluginError: the image's precision cannot be read exactly.
    """
    image = source.image
    depth = pixels.sample_depth(image)
    area = (0, 0, source.width, source.height)
    data = pixels.read(source, area)
    channels = source.bpp // (depth // 8)
    if image.base_type == gimpenums.INDEXED:
        data = pixels.looked_up(data, channels, image.colormap)
        channels += 2
    return Picture(source.width, source.height, channels, depth, pixels.BYTE_ORDER, bytes(data))


def read_selection(source):
    # type: (gimp.Layer) -> Optional[bytes]
    """The selection over the source layer, or None when nothing is selected."""
    image = source.image
    if pdb.gimp_selection_is_empty(image):
        return None
    x, y = source.offsets
    return pixels.read_mask(image.selection, (x, y, source.width, source.height))


def read_mask_layer(source):
    # type: (gimp.Layer) -> Optional[bytes]
    """The scratch mask of this source, wherever the user has moved it; None without one."""
    mask = find_mask_layer(source)
    if mask is None:
        return None
    image = source.image
    sample_bytes = pixels.sample_depth(image) // 8
    x, y = (of_source - of_mask for of_source, of_mask in zip(source.offsets, mask.offsets))
    data = pixels.read(mask, (x, y, source.width, source.height))
    channels = mask.bpp // sample_bytes
    data = pixels.narrowed(data, sample_bytes)
    if image.base_type == gimpenums.INDEXED:
        data = pixels.looked_up(data, channels, image.colormap)
        channels += 2
    colors = range(3 if channels > 2 else 1)
    values = brightest([bytes(pixels.channel(data, index, channels, 1)) for index in colors])
    if not mask.has_alpha:
        return values
    alpha = pixels.channel(data, channels - 1, channels, 1)
    return without_erased(values, bytes(alpha))


def find_mask_layer(source):
    # type: (gimp.Layer) -> Optional[gimp.Layer]
    """The topmost mask layer made for this source, else the topmost one of that name."""
    image = source.image
    layers = [layer for layer in all_layers(image.layers) if layer.ID != source.ID]
    made = [layer for layer in layers if is_mask_of(source, layer)]
    # A mask that was drawn by hand or came from another document has no facts, or strange ones.
    named = [
        layer
        for layer in layers
        if is_mask_name(name_of(layer))
        and not pdb.gimp_item_is_group(layer)
        and (facts(layer).get("kind") != "mask" or source_of(layer) is None)
    ]
    return next(iter(made + named), None)


def shows_restored(source):
    # type: (gimp.Layer) -> bool
    """Whether an earlier result that covers the source is switched on."""
    return any(
        layer.visible and facts(layer).get("kind") == "restored" and is_made_of(source, layer)
        for layer in all_layers(source.image.layers)
    )


def is_mask_of(source, layer):
    # type: (gimp.Layer, gimp.Layer) -> bool
    return facts(layer).get("kind") == "mask" and is_made_of(source, layer)


def is_made_of(source, result):
    # type: (gimp.Layer, gimp.Layer) -> bool
    """Whether a layer with facts is a result of this source."""
    found = source_of(result)
    return found is not None and found.ID == source.ID


def all_layers(items):
    # type: (List[gimp.Layer]) -> List[gimp.Layer]
    """Layers and groups with all that is inside them, from the top."""
    found = []
    for item in items:
        found.append(item)
        if pdb.gimp_item_is_group(item):
            found.extend(all_layers(item.children))
    return found
