"""The whole restoration on one page: read `restore` first."""

from __future__ import annotations

import numpy as np
import torch

from backend.alignment import AlignedFace, Face, feature_areas
from backend.assembly import Assembly
from backend.damage import HALF
from backend.device import memory_errors_explained
from backend.errors import InputError
from backend.geometry import Box
from backend.images import Mask, Picture
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.results import IsCancelled, OnEvent, Result
from backend.stages.blending import blend_face
from backend.stages.enhancement import Views, enhance_face
from backend.stages.faces import (
    FOR_RECOGNITION,
    FULLY_ENHANCED,
    enhanced_share,
    find_faces,
    search_faces,
)
from backend.stages.filling import fill
from backend.stages.restoration import repair_scratches
from backend.stages.scratches import find_scratches
from backend.whole_picture import restore_whole_picture

WIDESPREAD = 0.025
"""Share of the picture from which found damage is worth a look: few photos have as much of it, but
the lines of drawings and tables look like scratches."""


def restore(
    photo: Picture,
    mask: Mask | None,
    options: Options,
    networks: Networks,
    on_event: OnEvent,
    is_cancelled: IsCancelled,
) -> Result:
    """Restore a photo; hand out each layer as soon as it exists.

    Args:
        photo: gray or RGB, 8 or 16 bit, with or without alpha.
        mask: what to repair besides (or, by the options, instead of) what is found; of the photo's
            size.
        options: what to do; its weights and device are those of `networks`.
        networks: warm or not.
        on_event: receives Progress, LayerReady and Note, from this thread.
        is_cancelled: asked many times a second.

    Returns:
        The layers, and the picture that they make when seen together.

    Raises:
        InputError: the mask is missing or has another size.
        WeightsError, DeviceError: a network cannot be loaded or run.
        Cancelled: soon after `is_cancelled` became true.
    """
    _check_mask(photo, mask, options)
    if options.enhance_faces:
        networks.face_finder()  # if it is missing, that is told before the work
    with torch.inference_mode(), memory_errors_explained():
        result = Assembly(photo, networks.name, on_event, is_cancelled)
        damage, faces = _find_damage(result, mask, options, networks)
        hole = damage if options.repair_scratches else np.zeros_like(damage)
        _repair(result, hole, faces, options, networks)
        if options.enhance_faces:
            _enhance_faces(result, hole, faces, options, networks)
        return result.finished()


def _find_damage(
    result: Assembly, given: Mask | None, options: Options, networks: Networks
) -> tuple[Mask, list[Face] | None]:
    """The mask, and the faces that were seen on the way; None where nobody looked for them."""
    faces: list[Face] | None = None
    with result.stage("scratches") as monitor:
        damage = np.zeros(result.size.shape, dtype=np.uint8)
        if options.scratches == "none":
            return damage, faces
        if options.scratches == "automatic":
            if networks.has_face_finder():
                finder, part = networks.face_finder(), monitor.part(0, 2)
                faces = find_faces(result.color, finder, part, FOR_RECOGNITION)
            damage = find_scratches(
                result.image,
                networks,
                monitor.part(1, 2),
                features=feature_areas(faces or [], result.size),
                threshold=options.threshold,
            )
            _note_if_widespread(damage, monitor)
        return result.add_mask(damage if given is None else np.maximum(damage, given)), faces


def _note_if_widespread(damage: Mask, monitor: Monitor) -> None:
    share = np.count_nonzero(damage >= HALF) / damage.size
    if share >= WIDESPREAD:
        monitor.note(
            "damage-widespread",
            "{percent} percent of the picture was taken for damage: if the scratch mask covers "
            "what belongs there, as the lines of a drawing or a table, correct it or repair no "
            "scratches.",
            percent=round(100 * share),
        )


def _repair(
    result: Assembly,
    hole: Mask,
    seen: list[Face] | None,
    options: Options,
    networks: Networks,
) -> None:
    with result.stage("restoration") as monitor:

        def faces() -> list[Box]:
            found = seen
            if found is None and networks.has_face_finder():
                finder, part = networks.face_finder(), monitor.part(0, 8)
                found = find_faces(result.color, finder, part, FOR_RECOGNITION)
            return [face.box for face in found or []]

        filled = fill(result.image, hole, networks, monitor.part(0, 2), faces)
        if filled.image is not result.image:
            monitor = monitor.part(1, 2)
        if options.whole_picture:
            # The repair lies below, in the photo's own tone: it shows when "Restored" is hidden.
            restored = restore_whole_picture(
                result.image,
                filled,
                hole,
                options,
                networks,
                monitor,
                lambda part, box: result.add_repair(part, hole, box),
            )
            result.add_restored(restored)
        elif hole.any():
            repaired, box = repair_scratches(filled, hole, networks, monitor)
            result.add_repair(repaired, hole, box)


def _enhance_faces(
    result: Assembly,
    hole: Mask,
    seen: list[Face] | None,
    options: Options,
    networks: Networks,
) -> None:
    with result.stage("faces") as monitor:
        # Grain and scratches hide some faces, and restoration may soften others.
        # What is small in a large photo was looked for before, if anybody did.
        finder, in_parts = networks.face_finder(), seen is None
        here = search_faces(result.color, finder, monitor, in_parts=in_parts)
        found = here.joined_with(seen or [])
        for box in found.unclear:
            monitor.note(
                "face-skipped",
                "A face at ({x}, {y}) was left as it is, because its features could not be "
                "located: it may be turned away or covered.",
                x=box.x0,
                y=box.y0,
            )
    shares = [enhanced_share(face.box) for face in found.faces]
    enhanced: list[AlignedFace] = []
    views = Views(result.color, result.photo_color, hole)
    with result.stage("enhancement") as monitor:
        for index, face in enumerate(found.faces):
            part = monitor.part(index, len(found.faces))
            enhanced.append(enhance_face(views, face, networks, part))
    with result.stage("blending") as monitor:
        for index, (aligned, share) in enumerate(zip(enhanced, shares, strict=True)):
            monitor.advance(index / len(enhanced))
            strength = options.face_strength * share
            layer = blend_face(result.color, aligned, gray=result.gray, strength=strength)
            result.add_face(*layer)
        if any(share < 1 for share in shares):
            monitor.note(
                "faces-small",
                "Faces of less than {width} pixels width were enhanced only in part, because more "
                "would be invented: scan the photo larger if you can.",
                width=FULLY_ENHANCED,
            )


def _check_mask(photo: Picture, mask: Mask | None, options: Options) -> None:
    if mask is not None and (mask.shape != photo.size.shape or mask.dtype != np.uint8):
        raise InputError(
            "The mask has {mask_width} x {mask_height} pixels and the photo {width} x {height}: "
            "give a mask of the photo's size.",
            code="mask-size",
            mask_width=mask.shape[1],
            mask_height=mask.shape[0],
            width=photo.size.width,
            height=photo.size.height,
        )
    if mask is None and options.scratches == "mask":
        raise InputError(
            "There is no mask of the scratches: give one, or choose to find them automatically.",
            code="mask-missing",
        )
