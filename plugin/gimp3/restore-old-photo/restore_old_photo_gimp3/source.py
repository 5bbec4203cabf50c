"""Which layer is the source, and what is read from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import gi
from restore_old_photo_shared.errors import PluginError
from restore_old_photo_shared.host import Picture
from restore_old_photo_shared.languages import counted
from restore_old_photo_shared.masks import without_erased
from restore_old_photo_shared.names import is_mask_name

from . import pixels

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

PARASITE = "restore-old-photo"


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
    is_mask = facts(chosen).get("kind") == "mask"
    source = source_of_mask(image, chosen) if is_mask else chosen
    if source is None:
        raise PluginError(
            "The scratch mask is selected, but the layer it belongs to is gone: select the photo's "
            "layer."
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


def source_of_mask(image: Gimp.Image, mask: Gimp.Layer) -> Gimp.Layer | None:
    tattoo = facts(mask).get("source")
    return image.get_layer_by_tattoo(tattoo) if isinstance(tattoo, int) else None


def facts(item: Gimp.Item) -> dict[str, object]:
    """What an earlier run wrote about an item it inserted; empty for all others."""
    parasite = item.get_parasite(PARASITE)
    if parasite is None:
        return {}
    try:
        record = json.loads(bytes(parasite.get_data()).rstrip(b"\x00").decode("ascii"))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


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
        copy.set_lock_position(False)
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
        values = pixels.read(layer, area, pixels.pixel_format(layer, 1, 8))
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
        and (facts(layer).get("kind") != "mask" or source_of_mask(image, layer) is None)
    ]
    return next(iter(made + named), None)


def is_mask_of(source: Gimp.Layer, layer: Gimp.Layer) -> bool:
    record = facts(layer)
    return record.get("kind") == "mask" and record.get("source") == source.get_tattoo()


def all_layers(items: list[Gimp.Layer]) -> list[Gimp.Layer]:
    """Layers and groups with all that is inside them, from the top."""
    found = []
    for item in items:
        found.append(item)
        if item.is_group():
            found.extend(all_layers(item.get_children()))
    return found
