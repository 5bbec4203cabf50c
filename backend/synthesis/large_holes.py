"""Fill large holes with patches of the photo itself.

The restoration network fills a scratch well, and a large hole with a smear: it cannot know what was
there, and the mean of all that could be is smooth. So in the thick places of the damage it only
says what is there by and large, in a small copy; what it is made of is copied from the photo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.damage import HOLE_GROWTH
from backend.geometry import Box, Size
from backend.images import Mask
from backend.monitor import Monitor
from backend.networks import Networks
from backend.synthesis.detail import with_detail
from backend.synthesis.guess import guess_hole
from backend.synthesis.patch_field import Incomplete
from backend.synthesis.pyramid import synthesize
from backend.synthesis.sizes import depth, enlarge, reduce
from backend.tensors import cut, dilate

THICK, THICK_PART = 16, 120
"""Distance of a pixel from what is known from which on the damage is a large hole: in pixels, and
as a part of the photo's short side. In a large scan a wide scratch is still a scratch."""

ROUND = 4
"""Pixels of thinner damage around a thick place that are filled with it."""

LEAST_INVENTED = 10
"""The same distance, from what is known or shown, where the photo shows a part of a large hole."""

CELL = 8
"""Where damage is thick there is a whole cell of this side in it."""

BLOCK_DEPTHS, LEAST_BLOCK = 8, 768
"""Side of what is filled at once, in depths of the hole and in pixels: a long one is cut."""

BEYOND = 32
"""Pixels of the hole that are filled with it and thrown away, so that no cut shows."""

LEAST_CONTEXT = 64
"""Pixels around the hole from which patches are taken, at least; of a wide one half its width."""

GUESS_DEPTH = 12
"""Of the hole, in pixels, in the copy that the network sees: so far it fills well."""

MOST_PIXELS = 250_000
"""In which patches are searched; of larger surroundings a smaller copy is filled."""

HAIR = 4
"""Part of a face's width that its hair and chin reach over its box."""

FindFaces: TypeAlias = Callable[[], Sequence[Box]]


class _Part(NamedTuple):
    """A part of a photo around a large hole.

    Attributes:
        photo: (3, H, W) in [0, 1].
        hole: (H, W) bool, all damage.
        large: (H, W) bool, what of it is thick.
        usable: (H, W) bool, what may be copied.
    """

    photo: Tensor
    hole: Tensor
    large: Tensor
    usable: Tensor


def fill_large_holes(
    image: Tensor, damage: Mask, networks: Networks, monitor: Monitor, find_faces: FindFaces
) -> tuple[Tensor, Mask]:
    """Fill the thick places of the damage where the photo shows nothing of use.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W), 1 where the photo is damaged, else 0.
        networks: with "restoration".
        monitor: of this part.
        find_faces: asked where there are large holes; nothing of a face is copied to places beside
            it, where nobody wants half a twin.

    Returns:
        (1, 3, H, W), `image` itself where nothing was filled, and (H, W), 1 on damage that is left.

    Source:
        K. He and J. Sun, "Statistics of patch offsets for image completion", ECCV 2012 (a small
        copy is filled, and the offsets are used at full size).
    """
    # Else an outline would stay.
    hole = dilate(damage, HOLE_GROWTH)
    filled, left = image, hole
    thick = max(THICK, min(hole.shape) // THICK_PART)
    blocks = list(_blocks(hole, thick))
    faces: Sequence[Box] | None = None
    for index, box in enumerate(blocks):
        part = monitor.part(index, len(blocks))
        monitor.check()
        around = _surroundings(box, Size(hole.shape[1], hole.shape[0]))
        box = box.within(around)
        damaged = torch.from_numpy(left[around.slices] > 0)
        large = damaged & _thick(torch.from_numpy(hole[around.slices] > 0), thick)
        large &= _inside(box.grown(BEYOND).clipped(around.size), large)
        if not bool(large.any()) or bool(damaged.all()):
            continue
        faces = find_faces() if faces is None else faces
        near = [face.within(around) for face in faces]
        usable = _usable(damaged, large, near)
        here = _Part(cut(filled[0], around), damaged, large, usable)
        found = networks.cache.get_all("large hole", here, partial(_fill, here, networks, part))
        if not found:
            continue
        values, place = found
        if filled is image:
            filled, left = image.clone(), hole.copy()
        wanted = place & _inside(box, place)
        cut(filled[0], around)[:, wanted] = values[:, wanted[place]]
        left[around.slices][wanted.numpy()] = 0
    return filled, damage if filled is image else left * damage


def _blocks(hole: Mask, thick: int) -> Iterator[Box]:
    """Boxes that cover all thick places, each no longer than what is filled at once."""
    height, width = hole.shape
    padded = np.pad(hole > 0, ((0, -height % CELL), (0, -width % CELL)), mode="edge")
    cells = padded.reshape(padded.shape[0] // CELL, CELL, -1, CELL)
    whole = np.asarray(cells.all(axis=(1, 3))).astype(np.uint8)
    deep = cv2.distanceTransform(whole, cv2.DIST_L2, 5)
    near = cv2.dilate(whole, np.ones((3, 3), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(near)
    for label in range(1, count):
        x, y, w, h = (int(value) for value in boxes[label, :4])
        own = labels[y : y + h, x : x + w] == label
        deepest = CELL * int(np.ceil(deep[y : y + h, x : x + w][own].max()))
        place = Box(x * CELL, y * CELL, (x + w) * CELL, (y + h) * CELL)
        place = place.grown(thick + ROUND).clipped(Size(width, height))
        yield from _cut(place, max(LEAST_BLOCK, BLOCK_DEPTHS * deepest))


def _cut(box: Box, longest: int) -> Iterator[Box]:
    """Equal parts of a box with sides no longer than this."""
    rows, columns = (
        np.linspace(a, b, -(-(b - a) // longest) + 1).astype(int).tolist()
        for a, b in ((box.y0, box.y1), (box.x0, box.x1))
    )
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield Box(left, top, right, bottom)


def _surroundings(box: Box, size: Size) -> Box:
    longest = max(box.size.width, box.size.height)
    return box.grown(max(LEAST_CONTEXT, longest // 2)).clipped(size)


def _thick(hole: Tensor, least: int) -> Tensor:
    """(H, W) bool, the places of a hole that are as deep as that, with what is round about."""
    middle = depth(hole) >= least
    if not bool(middle.any()):
        return middle
    return hole & (depth(~middle) <= least + ROUND)


def _grown(hole: Tensor) -> Tensor:
    return F.max_pool2d(hole[None, None].float(), 3, 1, 1)[0, 0] > 0


def _inside(box: Box, like: Tensor) -> Tensor:
    inside = torch.zeros_like(like)
    inside[box.slices] = True
    return inside


def _usable(hole: Tensor, large: Tensor, faces: Sequence[Box]) -> Tensor:
    """(H, W) bool, what may be copied: no damage, and no face but one that is damaged itself."""
    usable = ~_grown(hole)
    size = Size(hole.shape[1], hole.shape[0])
    for face in faces:
        place = face.grown(face.size.width // HAIR).clipped(size)
        if not place.is_empty and not bool(large[place.slices].any()):
            usable[place.slices] = False
    return usable


def _fill(part: _Part, networks: Networks, monitor: Monitor) -> tuple[Tensor, ...]:
    """(3, N) of the pixels that are filled, row by row, and (H, W) bool, which these are.

    Nothing where there are none.
    """
    photo, hole, large, usable = part
    size = hole.shape[0], hole.shape[1]
    factor = int(np.ceil(np.sqrt(hole.numel() / MOST_PIXELS)))
    further = max(1, int(np.ceil(float(depth(hole)[large].max()) / (factor * GUESS_DEPTH))))
    monitor.check()
    guess = guess_hole(photo, hole, factor * further, networks)
    monitor.check()
    shown = enlarge(guess.shown[None].float(), factor * further, size)[0] > 0.5
    large = _thick(large & ~shown, LEAST_INVENTED)
    if not bool(large.any()):
        return ()
    damaged = reduce(hole[None].float(), factor)[0] > 0
    small = reduce(photo, factor)
    expected = enlarge(guess.image, further, (damaged.shape[0], damaged.shape[1]))
    start = Incomplete(
        torch.where(damaged, expected, small),
        reduce(large[None].float(), factor)[0] > 0,
        reduce(usable[None].float(), factor)[0] == 1,
    )
    filled, match = synthesize(start, monitor)
    if match is None:
        return ()
    if factor == 1:
        return filled[:, large], large
    return with_detail(photo, small, filled, match, large, factor, monitor), large
