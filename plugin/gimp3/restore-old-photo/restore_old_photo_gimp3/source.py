"""Which layer is the source, and what is read from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import gi
from restore_old_photo_shared.errors import PluginError
from restore_old_photo_shared.host import Picture
from restore_old_photo_shared.languages import counted
from restore_old_photo_shared.masks import brightest, without_erased
from restore_old_photo_shared.names import is_mask_name, may_be_copy

from . import pixels

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

PARASITE = "restore-old-photo"
QUICK_MASK = "Qmask"
"""GIMP's own name of the channel that is there while Quick Mask is on."""
PARTS = ("repair", "face")
"""Kinds of results that show a part of the photo, through a layer mask."""


def find_source(image: Gimp.Image, drawables: list[Gimp.Drawable]) -> Gimp.Layer:
    """The layer to restore, for what is selected in the image.

    Raises:
        PluginError: there is no such layer, or more than one; one sentence says what to do.
    """
    if image.get_floating_sel() is not None:
        raise PluginError(
            "There is a floating selection, which is no layer yet: anchor it or make it a new "
            "layer first."
        )
    if image.get_channel_by_name(QUICK_MASK) is not None:
        raise PluginError(
            "Quick Mask is on, so what is painted in it is no selection yet: switch it off (Select "
            "> Toggle Quick Mask), then run again."
        )
    if not drawables:
        raise PluginError("One layer is restored at a time, but none is selected: select one.")
    if len(drawables) > 1:
        raise PluginError(
            counted(
                "One layer is restored at a time, but {count} is selected: select one.",
                "One layer is restored at a time, but {count} are selected: select one.",
            ),
            count=len(drawables),
        )
    chosen = drawables[0]
    if chosen.is_layer_mask():
        chosen = Gimp.Layer.from_mask(chosen)
    if not isinstance(chosen, Gimp.Layer):
        raise PluginError("A channel is selected, but only layers are restored: select a layer.")
    if chosen.is_group() and not chosen.get_children():
        raise PluginError("The selected layer group is empty: select the photo's layer.")
    source = meant_by(chosen)
    if source is None:
        raise PluginError(
            "The scratch mask is selected, but which layer it belongs to is not known: select the "
            "photo's layer."
        )
    check_place(source)
    return source


def check_place(source: Gimp.Layer) -> None:
    """Refuse a layer whose neighbourhood cannot take new layers.

    Raises:
        PluginError: a group around it is locked; GIMP ends plug-ins that paint in there.
    """
    parent = source.get_parent()
    while parent is not None:
        if parent.get_lock_content():
            raise PluginError(
                'The layer lies in the group "{group}", whose pixels are locked, so there is no '
                "place for the result: unlock the group.",
                group=parent.get_name(),
            )
        parent = parent.get_parent()


def meant_by(chosen: Gimp.Layer) -> Gimp.Layer | None:
    """The layer that whoever selects this one wants to have restored; None if it is not known."""
    if not stands_for_another(chosen):
        return chosen
    # A part of a photo that is not here is a picture itself.
    return source_of(chosen) or (chosen if facts(chosen).get("kind") in PARTS else None)


def stands_for_another(layer: Gimp.Layer) -> bool:
    """Whether whoever selects this layer means the photo: a mask, a part, or a group.

    After an undo and a redo GIMP selects what was inserted last, a face for example.
    """
    kind = facts(layer).get("kind")
    is_drawn_mask = not kind and not layer.is_group() and is_mask_name(layer.get_name())
    # GIMP takes the layer mask away when it merges a part with what lies below.
    is_part = kind in PARTS and layer.get_mask() is not None
    return kind in ("mask", "group", "faces") or is_part or is_drawn_mask


def source_of(result: Gimp.Layer) -> Gimp.Layer | None:
    """The layer that a result was made of, or None where that is not known.

    A tattoo says so in the image where the result was made. GIMP numbers tattoos anew in a copy of
    the image, and where layers come from another file, so that one may be right by chance; there
    the place says it: the group of the results was put above its source. Where both differ, the
    tattoo is believed if its layer has the source's name, or if the one below has another.
    """
    record, below = facts(result), layer_below_results(result)
    tattoo = record.get("source")
    if record.get("self") != result.get_tattoo() or not isinstance(tattoo, int):
        return below
    made_of = result.get_image().get_layer_by_tattoo(tattoo) if 0 < tattoo < 2**32 else None
    if made_of is None or (below is not None and below.get_id() == made_of.get_id()):
        return below
    if made_of.get_name() == record.get("source_name"):
        return made_of
    is_misplaced = below is None or not may_be_copy(below.get_name(), record.get("source_name"))
    return made_of if is_misplaced and not stands_for_another(made_of) else below


def layer_below_results(result: Gimp.Layer) -> Gimp.Layer | None:
    """The first layer below the innermost group of results around this one that can be a source."""
    place = result
    while facts(place).get("kind") != "group":
        place = place.get_parent()
        if place is None:
            return None
    image, parent = place.get_image(), place.get_parent()
    siblings = parent.get_children() if parent else image.get_layers()
    lower = siblings[int(image.get_item_position(place)) + 1 :]
    return next((layer for layer in lower if not stands_for_another(layer)), None)


def facts(item: Gimp.Item) -> dict[str, object]:
    """What an earlier run wrote about an item it inserted; empty for all others."""
    parasite = item.get_parasite(PARASITE)
    if parasite is None:
        return {}
    try:
        record = json.loads(bytes(parasite.get_data()).rstrip(b"\x00").decode("ascii"))
    except ValueError:
        return {}
    if not isinstance(record, dict):
        return {}
    # What GIMP merges keeps the note of its lowest part, and is a picture of its own.
    is_merged = record.get("kind") in ("group", "faces") and not item.is_group()
    return {} if is_merged else record


def read_picture(source: Gimp.Layer) -> Picture:
    """The source layer's pixels with its filters; its mask and opacity are not applied."""
    image = source.get_image()
    width, height = source.get_width(), source.get_height()
    channels = 1 if image.get_base_type() == Gimp.ImageBaseType.GRAY else 3
    channels += 1 if source.has_alpha() else 0
    depth = pixels.sample_depth(image)
    with shown(source) as layer:
        name = pixels.pixel_format(layer, channels, depth)
        data = pixels.read(layer, (0, 0, width, height), name)
    return Picture(width, height, channels, depth, pixels.BYTE_ORDER, data)


@contextmanager
def shown(source: Gimp.Layer) -> Iterator[Gimp.Layer]:
    """The layer whose buffer holds the source as it is seen, filters included.

    A buffer itself ignores filters, so with filters a copy is drawn in an image of its own, which
    is gone afterwards; the user's image is not touched.
    """
    if not any(filter.get_visible() for filter in source.get_filters()):
        yield source
        return
    image = source.get_image()
    gray = Gimp.ImageBaseType.GRAY
    base = gray if image.get_base_type() == gray else Gimp.ImageBaseType.RGB
    size = (source.get_width(), source.get_height())
    scratch = Gimp.Image.new_with_precision(*size, base, image.get_precision())
    try:
        profile = image.get_color_profile()
        if profile is not None:
            scratch.set_color_profile(profile)
        copy = Gimp.Layer.new_from_drawable(source, scratch)
        scratch.insert_layer(copy, None, 0)
        if copy.get_mask() is not None:
            copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
        # With its locks, which the copy has as well, it could neither be moved nor shown.
        for layer in all_layers([copy]):
            # A locked layer in a group locks the group's place, too.
            layer.set_lock_position(False)
        copy.set_lock_visibility(False)
        copy.set_offsets(0, 0)
        copy.set_visible(True)
        copy.set_opacity(100.0)
        copy.set_mode(Gimp.LayerMode.NORMAL)
        drawn = Gimp.Layer.new_from_visible(scratch, scratch, "shown")
        scratch.insert_layer(drawn, None, 0)
        yield drawn
    finally:
        scratch.delete()


def read_selection(source: Gimp.Layer) -> bytes | None:
    """The selection over the source layer, or None when nothing is selected."""
    image = source.get_image()
    if Gimp.Selection.is_empty(image):
        return None
    _, x, y = source.get_offsets()
    area = (x, y, source.get_width(), source.get_height())
    return pixels.read(image.get_selection(), area, pixels.MASK_FORMAT)


def read_mask_layer(source: Gimp.Layer) -> bytes | None:
    """The scratch mask of this source with its filters, wherever it lies; None without one."""
    mask = find_mask_layer(source)
    if mask is None:
        return None
    _, source_x, source_y = source.get_offsets()
    _, mask_x, mask_y = mask.get_offsets()
    size = (source.get_width(), source.get_height())
    area = (source_x - mask_x, source_y - mask_y, *size)
    with shown(mask) as layer:
        count = 1 if layer.is_gray() else 3
        painted = pixels.read(layer, area, pixels.pixel_format(layer, count, 8))
        values = brightest([painted[channel::count] for channel in range(count)])
        if not layer.has_alpha():
            return values
        alpha = pixels.alpha_of(pixels.read(layer, area, pixels.pixel_format(layer, 2, 8)), 2, 8)
        return without_erased(values, alpha)


def find_mask_layer(source: Gimp.Layer) -> Gimp.Layer | None:
    """The topmost mask layer made for this source, else the topmost one of that name."""
    image = source.get_image()
    layers = [
        layer for layer in all_layers(image.get_layers()) if layer.get_id() != source.get_id()
    ]
    made = [layer for layer in layers if is_mask_of(source, layer)]
    # A mask that was drawn by hand or came from another document has no facts, or strange ones.
    named = [
        layer
        for layer in layers
        if is_mask_name(layer.get_name())
        and not layer.is_group()
        and (facts(layer).get("kind") != "mask" or source_of(layer) is None)
    ]
    return next(iter(made + named), None)


def shows_restored(source: Gimp.Layer) -> bool:
    """Whether an earlier result that covers the source is switched on."""
    return any(
        layer.get_visible() and facts(layer).get("kind") == "restored" and is_made_of(source, layer)
        for layer in all_layers(source.get_image().get_layers())
    )


def is_mask_of(source: Gimp.Layer, layer: Gimp.Layer) -> bool:
    return facts(layer).get("kind") == "mask" and is_made_of(source, layer)


def is_made_of(source: Gimp.Layer, result: Gimp.Layer) -> bool:
    """Whether a layer with facts is a result of this source."""
    found = source_of(result)
    return found is not None and found.get_id() == source.get_id()


def all_layers(items: list[Gimp.Layer]) -> list[Gimp.Layer]:
    """Layers and groups with all that is inside them, from the top."""
    found = []
    for item in items:
        found.append(item)
        if item.is_group():
            found.extend(all_layers(item.get_children()))
    return found
