"""Part of stage 2: give a faded or shaded picture its tone back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.device import run_at_once
from backend.geometry import Box, Size
from backend.ground import find_ground
from backend.monitor import Monitor
from backend.networks import Networks
from backend.soft_clip import SoftClip
from backend.tensors import cut
from backend.tint import is_tinted_print, keep_tint
from models.tone_grid import apply_grid

MULTIPLE = 16
"""Width and height of the small copy are multiples of this, as the network needs."""

LONGEST = 4
"""A side of the small copy is at most so many times the square's, however narrow the picture is."""

STRIP_ROWS = 256
"""Rows that are changed at a time; the places of all pixels at once would fill the memory."""

TRIFLING, CLEAR = 0.03, 0.06
"""Root mean square of the change of a picture in [0, 1] up to which it is left out, and from which
it is made in full: half of all clean photos would change by less than 0.005, three quarters of the
shaded ones by more than 0.036. On 74 photos that were trained on this makes the mean colour drift
of clean ones 0.2 in place of 1.0, and costs shaded ones 0.1 of 4.6 dB."""


def restore_tone(
    image: Tensor, networks: Networks, monitor: Monitor, *, strength: float = 1.0
) -> None:
    """Undo fading, shading, casts and stains in place; detail stays as it is.

    A print without colours keeps its tint or becomes paler, up to gray. Shadows and highlights do
    not turn into plain black and white. A picture that seems to need hardly any change is left as
    it is, and so are a page of writing and the plain ground that a photo lies on.

    Args:
        image: (1, 3, H, W) in [0, 1], cleaned of grain and scratches; is changed, not clipped.
        networks: with "tone".
        monitor: of this part of the stage.
        strength: share of the change that is applied, in [0, 1].
    """
    network, side = networks.tone(), int(networks.spec("tone").inference["side"])
    height, width = image.shape[2:]
    ground = find_ground(image)
    if ground is not None and ground.is_page:
        return
    box = Box(0, 0, width, height) if ground is None else ground.box_in(Size(width, height))
    small = small_copy(cut(image, box), side).clamp(0, 1)
    if ground is not None:
        small = ground.hidden_in(small)
    is_tinted = is_tinted_print(small)
    x = small * 2 - 1
    with monitor.watching(network):
        grid = run_at_once(network, x, networks.device).float().cpu()
    # A grid holds changes from the identity, so a share of it makes a share of the change.
    grid *= _needed(small, _changed(small, grid, is_tinted))
    clip = SoftClip.of(_changed(small, grid, is_tinted))
    columns = _shares(0, width, box.x0, box.x1)
    for top in range(0, height, STRIP_ROWS):
        monitor.advance(top / height)
        bottom = min(height, top + STRIP_ROWS)
        strip = image[:, :, top:bottom]
        rows = _shares(top, bottom, box.y0, box.y1)
        changed = clip.apply(_changed(strip, grid, is_tinted, rows, columns))
        changed = torch.lerp(strip, changed, strength)
        if ground is not None:
            changed = torch.lerp(changed, strip, ground.share_of(strip, top, height))
        image[:, :, top:bottom] = changed


def _shares(start: int, end: int, first: int, last: int) -> tuple[float, float]:
    """Pixels as shares of the span from `first` to `last`."""
    return (start - first) / (last - first), (end - first) / (last - first)


def _changed(
    image: Tensor,
    grid: Tensor,
    is_tinted: bool,
    rows: tuple[float, float] = (0.0, 1.0),
    columns: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    changed = (apply_grid(image * 2 - 1, grid, rows, columns) + 1) / 2
    return keep_tint(image, changed) if is_tinted else changed


def _needed(before: Tensor, after: Tensor) -> float:
    """Share of the change that is to be made, in [0, 1]; rises smoothly with its size."""
    size = float(((after.clamp(0, 1) - before) ** 2).mean().sqrt())
    share = min(1.0, max(0.0, (size - TRIFLING) / (CLEAR - TRIFLING)))
    return share * share * (3 - 2 * share)


def small_copy(image: Tensor, side: int) -> Tensor:
    """Reduce or enlarge to about as many pixels as a square has, both sides multiples of 16.

    The network sees squares in training; in copies of equal areas things have about equal sizes.

    Args:
        image: (1, 3, H, W).
        side: of the square, a multiple of 16.
    """
    height, width = image.shape[2:]
    scale = side / math.sqrt(height * width)
    rows, columns = (
        min(LONGEST * side, max(MULTIPLE, round(length * scale / MULTIPLE) * MULTIPLE))
        for length in (height, width)
    )
    if scale >= 1:
        return F.interpolate(image, (rows, columns), mode="bilinear", align_corners=False)
    return F.interpolate(image, (rows, columns), mode="area")
