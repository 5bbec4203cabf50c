"""What lies around a photo in a scan: its paper margin, the scanner's lid or bed, a white page.

It says nothing about the photo's tone, but much about white or black: a network that sees it takes
the worst faded photo for a good one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.geometry import Box, Size
from backend.images import Mask
from backend.soft_edge import distance_from, fade_width
from backend.tensors import dilate
from models.filling import fill_smoothly

LONGEST_SIDE = 1024
"""Of the copy in which it is looked for; a margin that is thinner there than a pixel is none."""

TOLERANCE = 10 / 255
"""Difference of a channel up to which a pixel is of one colour with the ground."""

PLAIN_SHARE = 0.97
"""Of an edge's pixels that have the colour of the ground; dust and a finger may lie on the rest."""

LIGHT, DARK, NEUTRAL = 220 / 255, 40 / 255, 12 / 255
"""From which, and up to which, all channels are white or black, and how far they may differ. Two
edges of a photo are seldom plain in these; other colours are taken for the ground on all four only,
since a studio's backdrop may fill two."""

MOSTLY_GROUND, MOSTLY_PAGE = 0.3, 0.6
"""Share of the ground within the box around all else: above the first, what is not white belongs to
the scene; above the second, white is a page with writing or a drawing."""

LINED = 0.9
"""Share of each side of a printed frame along which the card goes on within the frame."""

_RIM = 2
"""Pixels of the copy beside the ground, in which ground and photo are mixed."""


@dataclass(frozen=True)
class Ground:
    """The plain ground around a photo.

    Attributes:
        color: (3,) in [0, 1].
        mask: (h, w) of a small copy of the picture, 1 on the ground, else 0.
        photo: box of that copy around all else.
        fade: pixels of that copy over which the photo shades off into it; 0 at a sharp edge.
    """

    color: npt.NDArray[np.float32]
    mask: Mask
    photo: Box
    fade: float

    @property
    def is_white(self) -> bool:
        return _is_white(self.color)

    @property
    def share_of_box(self) -> float:
        """How much of the box around the photo it covers."""
        return float(self.mask[self.photo.slices].mean())

    @property
    def is_page(self) -> bool:
        """Whether what it surrounds is writing or a drawing rather than a photo."""
        return self.is_white and self.share_of_box > MOSTLY_PAGE

    @cached_property
    def _with_rim(self) -> Mask:
        return dilate(self.mask, _RIM)

    @cached_property
    def _faded(self) -> npt.NDArray[np.float32]:
        """(h, w) of the copy: how little the tone of each pixel is changed, from 0 to 1."""
        return (1 - distance_from(self.mask) / self.fade).clip(0, 1)

    def box_in(self, size: Size) -> Box:
        """The photo's box in a picture of `size`."""
        height, width = self.mask.shape
        y0, y1 = (round(y * size.height / height) for y in (self.photo.y0, self.photo.y1))
        x0, x1 = (round(x * size.width / width) for x in (self.photo.x0, self.photo.x1))
        return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))

    def hidden_in(self, photo: Tensor) -> Tensor:
        """A copy (1, 3, h, w) of the photo's box, with what is ground in it replaced smoothly."""
        mask = torch.from_numpy(self.mask[self.photo.slices].astype(np.float32))[None, None]
        covered = F.interpolate(mask, photo.shape[2:], mode="area") > 0
        return fill_smoothly(photo, covered.to(photo.dtype))

    def share_of(self, strip: Tensor, top: int, height: int) -> Tensor:
        """How much of each pixel is ground, (1, 1, h, W) in [0, 1]; in a soft edge it falls evenly.

        Args:
            strip: (1, 3, h, W), rows of the picture.
            top: the first of them.
            height: H of the picture.
        """
        rows = _places(np.arange(top, top + strip.shape[2]), height, self.mask.shape[0])
        columns = _places(np.arange(strip.shape[3]), strip.shape[3], self.mask.shape[1])
        near = torch.from_numpy(self._with_rim[np.ix_(rows, columns)])
        color = torch.from_numpy(self.color).view(1, 3, 1, 1)
        difference = (strip - color).abs().amax(1, keepdim=True)
        share = (2 - difference / TOLERANCE).clamp(0, 1) * near
        if not self.fade:
            return share
        return share.maximum(_rows_at_size(self._faded, top, height, *strip.shape[2:]))


def find_ground(image: Tensor) -> Ground | None:
    """Find the plain ground around a photo.

    Args:
        image: (1, 3, H, W) in about [0, 1].

    Returns:
        None where there is none, or where nothing else is there.
    """
    copy = _copy(image)
    color = _color_of_edges(copy)
    if color is None:
        return None
    difference = np.abs(copy - color).max(axis=2)
    alike = (difference <= TOLERANCE).astype(np.uint8)
    _, areas, figures, _ = cv2.connectedComponentsWithStats(alike, connectivity=4)
    touching = np.unique(np.concatenate([areas[edge] for edge in _edges(areas.shape)]))
    mask = np.isin(areas, touching[touching > 0]).astype(np.uint8)
    inside = Box(0, 0, mask.shape[1], mask.shape[0])
    for number, frame in _framed(np.asarray(areas), np.asarray(figures)):
        mask |= (areas == number).astype(np.uint8)
        inside = frame
    # What is left of a grain of dust is no photo.
    rest = np.asarray(cv2.morphologyEx(1 - mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    if not rest[inside.slices].any():
        return None
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(rest[inside.slices]))
    box = Box(left, top, left + width, top + height).moved(inside.x0, inside.y0)
    ground = Ground(color, mask, box, fade_width(difference, mask, TOLERANCE))
    if not ground.is_white and ground.share_of_box > MOSTLY_GROUND:
        return None
    return ground


def _framed(areas: npt.NDArray[np.int32], figures: npt.NDArray[np.int32]) -> list[tuple[int, Box]]:
    """Areas of card that line a printed frame from within, from the outer to the inner: with boxes.

    Args:
        areas: (h, w), number of the area of each pixel with the ground's colour, else 0.
        figures: OpenCV's, of each area.
    """
    found = []
    for number, (x, y, width, height, _) in enumerate(figures.tolist()):
        is_wide = 2 * width > areas.shape[1] and 2 * height > areas.shape[0]
        whole = width == areas.shape[1] or height == areas.shape[0]
        if number == 0 or whole or not is_wide:
            continue
        # The outermost pixels may be half line.
        inner = areas[y + 1 : y + height - 1, x + 1 : x + width - 1] == number
        if all(inner[side].mean() >= LINED for side in _edges(inner.shape)):
            found.append((number, Box(x, y, x + width, y + height)))
    return sorted(found, key=lambda pair: -pair[1].size.pixel_count)


def _copy(image: Tensor) -> npt.NDArray[np.float32]:
    """(h, w, 3), reduced to the longest side."""
    scale = LONGEST_SIDE / max(image.shape[2:])
    if scale < 1:
        size = [max(1, round(length * scale)) for length in image.shape[2:]]
        image = F.interpolate(image, size, mode="area")
    return np.ascontiguousarray(image[0].permute(1, 2, 0).numpy(), np.float32)


def _color_of_edges(copy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """The colour (3,) that enough edges have; None where too few are plain."""
    lines = [copy[edge] for edge in _edges(copy.shape)]
    medians = [np.median(line, axis=0) for line in lines]
    plain = [
        median
        for line, median in zip(lines, medians, strict=True)
        if (np.abs(line - median).max(axis=1) <= TOLERANCE).mean() >= PLAIN_SHARE
    ]
    for color in plain:
        alike = [other for other in plain if np.abs(other - color).max() <= TOLERANCE]
        mean = np.asarray(np.mean(alike, axis=0), np.float32)
        if len(alike) >= (2 if _is_white(mean) or _is_black(mean) else 4):
            return mean
    return None


def _edges(shape: tuple[int, ...]) -> Iterator[tuple[slice | int, slice | int]]:
    yield from ((0, slice(None)), (shape[0] - 1, slice(None)))
    yield from ((slice(None), 0), (slice(None), shape[1] - 1))


def _is_white(color: npt.NDArray[np.float32]) -> bool:
    return _is_neutral(color) and bool(color.min() >= LIGHT)


def _is_black(color: npt.NDArray[np.float32]) -> bool:
    return _is_neutral(color) and bool(color.max() <= DARK)


def _is_neutral(color: npt.NDArray[np.float32]) -> bool:
    return bool(color.max() - color.min() <= NEUTRAL)


def _places(pixels: npt.NDArray[np.int_], length: int, of_copy: int) -> npt.NDArray[np.int_]:
    """Where the pixels of a picture lie in a copy of it, along one axis."""
    places: npt.NDArray[np.int_] = (pixels * of_copy + of_copy // 2) // length
    return places.clip(0, of_copy - 1)


def _rows_at_size(
    copy: npt.NDArray[np.float32], top: int, height: int, rows: int, width: int
) -> Tensor:
    """(1, 1, rows, width): those from `top` of a copy (h, w) that is enlarged to `height` rows."""
    places = (np.arange(top, top + rows) + 0.5) * len(copy) / height - 0.5
    places = places.clip(0, len(copy) - 1)
    first = np.minimum(places.astype(np.int_), max(0, len(copy) - 2))
    share = (places - first).astype(np.float32)[:, None]
    between = copy[first] + share * (copy[np.minimum(first + 1, len(copy) - 1)] - copy[first])
    wide = cv2.resize(between, (width, rows), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(np.asarray(wide, np.float32).reshape(1, 1, rows, width))
