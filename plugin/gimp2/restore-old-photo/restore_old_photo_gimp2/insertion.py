"""Insert a job's layers as the group names.GROUP above the source, in one undo step.

Layers are blended with gamma-encoded values, as the backend does it: GIMP's own default blends
linear light, which would show soft edges up to 60 levels off.
"""

from __future__ import absolute_import, division, unicode_literals

import json

import gimp
import gimpenums
from restore_old_photo_shared import names

from . import pixels
from .source import PARASITE, all_layers, facts, find_mask_layer, is_made_of, is_mask_of, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Optional, Text  # noqa: F401

    from restore_old_photo_shared.host import Outcome, Picture, ResultLayer  # noqa: F401
    from restore_old_photo_shared.languages import Language  # noqa: F401

PERSISTENT = 1
# With only a mask there is nothing else to see: it lies over the photo like a glow to paint on.
OVERLAY_OPACITY = 60.0
pdb = gimp.pdb


class Job(object):
    """What came back for which source."""

    def __init__(self, source, picture, outcome, language):
        # type: (gimp.Layer, Picture, Outcome, Language) -> None
        self.source = source
        self.picture = picture
        self.outcome = outcome
        self.language = language
        self.image = source.image
        self.sample_bytes = picture.depth // 8
        options = outcome.options
        self.is_mask_only = not (
            options.repair_scratches or options.whole_picture or options.enhance_faces
        )
        self.alpha = None  # type: Optional[bytearray]
        if picture.channels in (2, 4):
            self.alpha = pixels.channel(
                picture.pixels, picture.channels - 1, picture.channels, self.sample_bytes
            )


def insert(job):
    # type: (Job) -> gimp.GroupLayer
    """Put all layers into the document and return their group; undone by one step."""
    image = job.image
    active_layer, active_channel = image.active_layer, image.active_channel
    used_mask = find_mask_layer(job.source)
    image.undo_group_start()
    group = None
    try:
        if image.base_type == gimpenums.INDEXED:
            pdb.gimp_image_convert_rgb(image)
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
        if active_channel is not None:
            image.active_channel = active_channel
        elif active_layer is not None:
            image.active_layer = active_layer
        image.undo_group_end()
    gimp.displays_flush()
    return group


def insert_group(job):
    # type: (Job) -> gimp.GroupLayer
    image = job.image
    group = pdb.gimp_layer_group_new(image)
    group.name = job.language.say(names.GROUP)
    describe(job, group, "group")
    pdb.gimp_image_insert_layer(image, group, job.source.parent, position_above(job.source))
    if job.is_mask_only:
        # In a group of its own the mask would have nothing below it to glow on.
        group.mode = gimpenums.LAYER_MODE_PASS_THROUGH
    blend_encoded_values(group)
    return group


def position_above(source):
    # type: (gimp.Layer) -> int
    """The place above the source and above earlier results for it, which would hide new ones."""
    image, parent = source.image, source.parent
    siblings = image.layers if parent is None else parent.children
    position = pdb.gimp_image_get_item_position(image, source)
    # The user's own layers may lie between. A mask hides nothing: it is switched off.
    results = (
        place
        for place, layer in enumerate(siblings[:position])
        if facts(layer).get("kind", "mask") != "mask" and is_made_of(source, layer)
    )
    return next(results, position)


def insert_layer(job, group, result):
    # type: (Job, gimp.GroupLayer, ResultLayer) -> None
    image, described = job.image, result.layer
    layer = pdb.gimp_layer_new(
        image,
        described.width,
        described.height,
        layer_type(job, described.kind),
        result.name,
        100.0,
        gimpenums.LAYER_MODE_NORMAL,
    )
    pixels.write(layer, layer_pixels(job, layer, result))
    parent = faces_group(job, group) if described.kind == "face" else group
    describe(job, layer, described.kind)
    pdb.gimp_image_insert_layer(image, layer, parent, 0)
    x, y = job.source.offsets
    layer.set_offsets(x + described.x, y + described.y)
    if described.kind == "mask":
        show_mask(job, layer)
    blend_encoded_values(layer)
    if result.mask is not None:
        add_mask(job, layer, result.mask)


def faces_group(job, group):
    # type: (Job, gimp.GroupLayer) -> gimp.GroupLayer
    """The group of the face layers, made for the first of them."""
    top = group.children
    if top and pdb.gimp_item_is_group(top[0]):
        return top[0]
    faces = pdb.gimp_layer_group_new(job.image)
    faces.name = job.language.say(names.FACES)
    describe(job, faces, "faces")
    pdb.gimp_image_insert_layer(job.image, faces, group, 0)
    blend_encoded_values(faces)
    return faces


def layer_type(job, kind):
    # type: (Job, Text) -> int
    """Gray stays gray; a layer has alpha where the source has, but the mask needs none."""
    has_alpha = job.alpha is not None and kind != "mask"
    if job.image.base_type == gimpenums.GRAY:
        return gimpenums.GRAYA_IMAGE if has_alpha else gimpenums.GRAY_IMAGE
    return gimpenums.RGBA_IMAGE if has_alpha else gimpenums.RGB_IMAGE


def layer_pixels(job, layer, result):
    # type: (Job, gimp.Layer, ResultLayer) -> bytearray
    """A result's pixels as its layer holds them: depth, colours, and the source's alpha."""
    described, sample_bytes = result.layer, job.sample_bytes
    data = bytearray(result.pixels)
    if described.depth == 8:
        data = pixels.widened(data, sample_bytes)
    parts = [
        pixels.channel(data, index, described.channels, sample_bytes)
        for index in range(described.channels)
    ]
    if described.channels == 1 and not layer.is_gray:
        parts *= 3
    if layer.has_alpha:
        area = (described.x, described.y, described.width, described.height)
        parts.append(pixels.crop(job.alpha, job.picture.width, area, sample_bytes))
    return pixels.interleaved(tuple(parts), sample_bytes)


def add_mask(job, layer, values):
    # type: (Job, gimp.Layer, pixels.Buffer) -> None
    """Give a layer a mask with these values, a byte a pixel."""
    mask = layer.create_mask(gimpenums.ADD_WHITE_MASK)
    layer.add_mask(mask)
    pixels.write(mask, pixels.widened(values, job.sample_bytes))
    layer.edit_mask = False


def blend_encoded_values(layer):
    # type: (gimp.Layer) -> None
    # For NORMAL the composite space decides, and GIMP ignores the blend space. Setting a mode takes
    # both back, so it has to come first.
    space = gimpenums.LAYER_COLOR_SPACE_RGB_PERCEPTUAL
    pdb.gimp_layer_set_blend_space(layer, space)
    pdb.gimp_layer_set_composite_space(layer, space)


def show_mask(job, layer):
    # type: (Job, gimp.Layer) -> None
    """Hide the mask below the result, or show it as a glow when it is the result."""
    if job.is_mask_only:
        layer.mode = gimpenums.LAYER_MODE_SCREEN
        layer.opacity = OVERLAY_OPACITY
    else:
        layer.visible = False


def hide_masks(job, used):
    # type: (Job, Optional[gimp.Layer]) -> None
    """Hide the masks of this source and the one that was used: they would lie over the result."""
    for layer in all_layers(job.image.layers):
        is_used = used is not None and layer.ID == used.ID
        if (is_used or is_mask_of(job.source, layer)) and layer.visible:
            layer.visible = False


def add_source_mask(job, group):
    # type: (Job, gimp.GroupLayer) -> None
    """Give the group a copy of the source's active layer mask: what it hides stays hidden."""
    mask = job.source.mask
    if mask is None or not job.source.apply_mask:
        return
    source_x, source_y = job.source.offsets
    x, y = group.offsets
    area = (x - source_x, y - source_y, group.width, group.height)
    add_mask(job, group, pixels.read_mask(mask, area))


def describe(job, layer, kind):
    # type: (Job, gimp.Layer, Text) -> None
    """Attach what the layer is and how it was made.

    Before the layer is inserted: what is attached later GIMP says it cannot undo, at each undo and
    for every layer.
    """
    outcome = job.outcome
    record = {
        "kind": kind,
        "source": job.source.tattoo,
        "source_name": name_of(job.source),
        "self": layer.tattoo,
        "options": vars(outcome.options),
        "model": outcome.model,
        "seconds": outcome.seconds,
    }
    data = json.dumps(record, sort_keys=True).encode("ascii")
    layer.attach_new_parasite(PARASITE, PERSISTENT, data)
