"""Insert a job's layers as the group names.GROUP above the source, in one undo step.

Layers are blended with gamma-encoded values, as the backend does it: GIMP's own default blends
linear light, which would show soft edges up to 60 levels off.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import gi
from restore_old_photo_shared import names
from restore_old_photo_shared.host import Outcome, Picture, ResultLayer
from restore_old_photo_shared.languages import Language

from . import pixels
from .source import PARASITE, all_layers, facts, find_mask_layer, is_made_of, is_mask_of

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

PERSISTENT = 1
# With only a mask there is nothing else to see: it lies over the photo like a glow to paint on.
OVERLAY_OPACITY = 60.0


@dataclass(frozen=True)
class Job:
    """What came back for which source."""

    source: Gimp.Layer
    picture: Picture
    outcome: Outcome
    language: Language

    @property
    def image(self) -> Gimp.Image:
        return self.source.get_image()

    @cached_property
    def alpha(self) -> bytes:
        """The source's alpha as it was read."""
        picture = self.picture
        return pixels.alpha_of(picture.pixels, picture.channels, picture.depth)

    @property
    def is_mask_only(self) -> bool:
        """Whether the mask is all that was asked for."""
        options = self.outcome.options
        return not (options.repair_scratches or options.whole_picture or options.enhance_faces)


def insert(job: Job) -> Gimp.GroupLayer:
    """Put all layers into the document and return their group; undone by one step."""
    image = job.image
    layers, channels = image.get_selected_layers(), image.get_selected_channels()
    used_mask = find_mask_layer(job.source)
    image.undo_group_start()
    group = None
    try:
        if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
            image.convert_rgb()
        group = insert_group(job)
        for result in job.outcome.layers:
            insert_layer(job, group, result)
        add_source_mask(job, group)
        if not job.is_mask_only:
            hide_masks(job, used_mask)
    except Exception:
        if group is not None:
            image.remove_layer(group)
        raise
    finally:
        if channels:
            image.set_selected_channels(channels)
        else:
            # GIMP takes no empty list.
            image.set_selected_layers(layers or [job.source])
        image.undo_group_end()
    Gimp.displays_flush()
    return group


def insert_group(job: Job) -> Gimp.GroupLayer:
    image = job.image
    group = Gimp.GroupLayer.new(image, job.language.say(names.GROUP))
    describe(job, group, "group")
    image.insert_layer(group, job.source.get_parent(), position_above(job.source))
    if job.is_mask_only:
        # In a group of its own the mask would have nothing below it to glow on.
        group.set_mode(Gimp.LayerMode.PASS_THROUGH)
    blend_encoded_values(group)
    return group


def position_above(source: Gimp.Layer) -> int:
    """The place above the source and above earlier results for it, which would hide new ones."""
    image, parent = source.get_image(), source.get_parent()
    siblings = parent.get_children() if parent else image.get_layers()
    position = int(image.get_item_position(source))
    # The user's own layers may lie between. A mask hides nothing: it is switched off.
    results = (
        place
        for place, layer in enumerate(siblings[:position])
        if facts(layer).get("kind", "mask") != "mask" and is_made_of(source, layer)
    )
    return next(results, position)


def insert_layer(job: Job, group: Gimp.GroupLayer, result: ResultLayer) -> None:
    image, described = job.image, result.layer
    parent = faces_group(job, group) if described.kind == "face" else group
    layer = Gimp.Layer.new(
        image,
        result.name,
        described.width,
        described.height,
        layer_type(job, described.kind),
        100.0,
        Gimp.LayerMode.NORMAL,
    )
    describe(job, layer, described.kind)
    _, x, y = job.source.get_offsets()
    # First its place: in a group whose position is locked it could not be moved any more.
    layer.set_offsets(x + described.x, y + described.y)
    image.insert_layer(layer, parent, 0)
    blend_encoded_values(layer)
    fill(job, layer, result)
    if result.mask is not None:
        mask = layer.create_mask(Gimp.AddMaskType.WHITE)
        layer.add_mask(mask)
        pixels.write(mask, result.mask, pixels.MASK_FORMAT, 1)
        layer.set_edit_mask(False)
    if described.kind == "mask":
        show_mask(job, layer)


def faces_group(job: Job, group: Gimp.GroupLayer) -> Gimp.GroupLayer:
    """The group of the face layers, made for the first of them."""
    top = group.get_children()
    if top and top[0].is_group():
        return top[0]
    faces = Gimp.GroupLayer.new(job.image, job.language.say(names.FACES))
    describe(job, faces, "faces")
    job.image.insert_layer(faces, group, 0)
    blend_encoded_values(faces)
    return faces


def layer_type(job: Job, kind: str) -> Gimp.ImageType:
    """Gray stays gray; a layer has alpha where the source has, but the mask needs none."""
    has_alpha = job.picture.channels in (2, 4) and kind != "mask"
    if job.image.get_base_type() == Gimp.ImageBaseType.GRAY:
        return Gimp.ImageType.GRAYA_IMAGE if has_alpha else Gimp.ImageType.GRAY_IMAGE
    return Gimp.ImageType.RGBA_IMAGE if has_alpha else Gimp.ImageType.RGB_IMAGE


def fill(job: Job, layer: Gimp.Layer, result: ResultLayer) -> None:
    """Write a result's pixels, with the source's alpha where the layer has one."""
    described, picture = result.layer, job.picture
    channels, depth, data = described.channels, described.depth, result.pixels
    if layer.has_alpha():
        box = (described.x, described.y, described.width, described.height)
        alpha = pixels.crop(job.alpha, picture.width, box, depth // 8)
        data = pixels.with_alpha(data, alpha, channels, depth)
        channels += 1
    format_name = pixels.pixel_format(layer, channels, depth)
    pixels.write(layer, data, format_name, channels * depth // 8)


def blend_encoded_values(layer: Gimp.Layer) -> None:
    # Measured: for NORMAL the composite space decides and the blend space has no effect; both are
    # set so that other modes behave alike.
    space = pixels.blend_space(layer.get_image())
    layer.set_blend_space(space)
    layer.set_composite_space(space)


def show_mask(job: Job, layer: Gimp.Layer) -> None:
    """Hide the mask below the result, or show it as a glow when it is the result."""
    if job.is_mask_only:
        layer.set_mode(Gimp.LayerMode.SCREEN)
        layer.set_opacity(OVERLAY_OPACITY)
    else:
        layer.set_visible(False)


def hide_masks(job: Job, used: Gimp.Layer | None) -> None:
    """Hide the masks of this source and the one that was used: they would lie over the result."""
    for layer in all_layers(job.image.get_layers()):
        is_used = used is not None and layer.get_id() == used.get_id()
        if (is_used or is_mask_of(job.source, layer)) and layer.get_visible():
            is_locked = layer.get_lock_visibility()
            layer.set_lock_visibility(False)
            layer.set_visible(False)
            layer.set_lock_visibility(is_locked)


def add_source_mask(job: Job, group: Gimp.GroupLayer) -> None:
    """Give the group a copy of the source's active layer mask: what it hides stays hidden."""
    mask = job.source.get_mask()
    if mask is None or not job.source.get_apply_mask():
        return
    _, source_x, source_y = job.source.get_offsets()
    _, x, y = group.get_offsets()
    area = (x - source_x, y - source_y, group.get_width(), group.get_height())
    values = pixels.read(mask, area, pixels.MASK_FORMAT)
    copy = group.create_mask(Gimp.AddMaskType.WHITE)
    group.add_mask(copy)
    pixels.write(copy, values, pixels.MASK_FORMAT, 1)
    group.set_edit_mask(False)


def describe(job: Job, layer: Gimp.Layer, kind: str) -> None:
    """Attach what the layer is and how it was made; parasites take ASCII only.

    Before the layer is inserted: what is attached later GIMP says it cannot undo, at each undo and
    for every layer.
    """
    outcome = job.outcome
    record = {
        "kind": kind,
        "source": job.source.get_tattoo(),
        "source_name": job.source.get_name(),
        "self": layer.get_tattoo(),
        "options": vars(outcome.options),
        "model": outcome.model,
        "seconds": outcome.seconds,
    }
    data = json.dumps(record, sort_keys=True).encode("ascii")
    layer.attach_parasite(Gimp.Parasite.new(PARASITE, PERSISTENT, data))
