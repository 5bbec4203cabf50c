"""Stage 1: find scratches, folds and spots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.frames import printed_lines
from backend.geometry import Box, Size
from backend.images import Mask
from backend.monitor import Monitor
from backend.networks import Networks
from backend.places import find_places
from backend.precision import type_of
from backend.tensors import dilate, luminance
from backend.tiling import TileSides, run_tiled_as_memory_allows

TILES = TileSides(1536, 384, 256)
MULTIPLE = 16

GROWTH = 1.0
"""Pixels, at the detector's size, by which the found area is grown: the edge of a scratch is half
damaged, and half a scratch that stays is seen better than a whole one."""

SOFTNESS = 0.6
"""Standard deviation of the mask's edge in pixels at the detector's size."""


SURE_LINE = 0.9
"""Probability from which a thin line through the photo is damaged whatever the judge says: joints
of walls and doors are likely lines, too."""

LEAST_CLAIMED = 1e-6
"""Probability below which a pixel is never claimed; 0 stands where a claim was given up."""

LARGEST_RADIUS = 0.025
"""Share of the short side. What is wider than twice this in all directions, a hat perhaps, or a
corner that is missing, can only be filled with a smear, so that it is left to people."""

SPARED_SHARE = 0.6
"""Share of a finding inside facial features from which it is taken for a part of the face."""


def find_scratches(
    image: Tensor,
    networks: Networks,
    monitor: Monitor,
    *,
    features: Mask,
    threshold: float | None = None,
) -> Mask:
    """Find structured damage.

    Args:
        image: (1, 3, H, W) in [0, 1].
        networks: with "detection".
        monitor: of the stage.
        features: (H, W), not 0 on eyes, noses and mouths: a glint in an eye looks like dust, but
            nothing harms a photo more than its removal.
        threshold: probability from which a place, or by weights without a judge a pixel, counts as
            damaged; None takes the weights' own.

    Returns:
        (H, W), 255 on damage, with soft edges that lie outside of it.
    """
    size = Size(image.shape[3], image.shape[2])
    working = working_size(size, int(networks.spec("detection").inference["short_side"]))
    claim = _claim(image, working, networks, monitor, threshold)
    if claim.is_some_too_large:
        monitor.note(
            "damage-too-large",
            "Areas that may be damaged were left as they are, because they are too large to be "
            "filled well: paint them on the scratch mask if they shall be repaired.",
        )
    # Threshold after enlarging: the outline is then smooth, not made of large squares.
    enlarged = cv2.resize(
        claim.probability, (size.width, size.height), interpolation=cv2.INTER_LINEAR
    )
    monitor.check()
    found = with_continuations(enlarged.reshape(size.shape), claim.sure, claim.likely)
    found = without_features(found, features)
    monitor.check()
    return cover_edges(found, size.height / working.height)


def _claim(
    image: Tensor, working: Size, networks: Networks, monitor: Monitor, threshold: float | None
) -> Claim:
    # By itself, so that the luminance, which is as large as the picture, is let go of.
    gray = luminance(image)[0, 0].numpy()
    probability = damage_probability(gray, working, networks, monitor)
    return claim_damage(probability, _reduced(gray, working), networks, threshold)


@dataclass(frozen=True)
class Claim:
    """What counts as damaged.

    Attributes:
        probability: (H, W) in [0, 1], 0 where nothing is claimed in spite of it.
        sure, likely: see `with_continuations`.
        is_some_too_large: areas were left out because they are too large to be filled well.
    """

    probability: npt.NDArray[np.float32]
    sure: float
    likely: float
    is_some_too_large: bool

    @property
    def mask(self) -> Mask:
        """(H, W), 255 on damage, else 0."""
        return with_continuations(self.probability, self.sure, self.likely)


def claim_damage(
    probability: npt.NDArray[np.float32],
    gray: npt.NDArray[np.float32],
    networks: Networks,
    threshold: float | None = None,
) -> Claim:
    """Decide what of the likely damage is repaired.

    Args:
        probability: (H, W) in [0, 1], what the detector says.
        gray: (H, W) in [0, 1], luminance of the picture at that size.
        networks: with "detection", and at best "places": then whole places are judged.
        threshold: see `find_scratches`.
    """
    if networks.has("places"):
        judging = networks.spec("places").inference
        limit = float(judging["threshold"]) if threshold is None else threshold
        sure = likely = float(judging["least"])
        places = find_places(probability, gray, likely)
        verdict = networks.judge_places(places.features)
        # One line through the picture is damage, whatever else there is: the judge, which learned
        # from photos with much or no damage, is no help here.
        highest = places.highest_probabilities
        is_sure = places.are_long & (highest >= SURE_LINE)
        verdict = np.where(is_sure, np.maximum(verdict, highest), verdict)
        is_damaged = verdict >= places.limits(limit)
        probability = np.where(places.where(is_damaged), probability, np.float32(0))
    else:
        inference = networks.spec("detection").inference
        own = float(inference["threshold"])
        sure = max(own if threshold is None else threshold, LEAST_CLAIMED)
        likely = float(inference.get("continuation", 1.0)) * sure
    found = with_continuations(probability, sure, likely)
    large = large_areas(found)
    probability = np.where(large | printed_lines(found), np.float32(0), probability)
    return Claim(probability, sure, likely, bool(large.any()))


def with_continuations(probability: npt.NDArray[Any], sure: float, likely: float) -> Mask:
    """Claim sure pixels, and likely ones that hang together with a sure one.

    A scratch is seldom equally clear along its whole way, and half of one that stays is an eyesore.

    Args:
        probability: (H, W) in [0, 1].
        sure: probability from which a pixel counts by itself.
        likely: the same for a pixel connected to a sure one; at most `sure`.

    Returns:
        (H, W), 255 on damage, else 0.

    Source:
        J. Canny, "A computational approach to edge detection", IEEE TPAMI 8(6), 1986 (hysteresis).
    """
    seeds = probability >= sure
    if likely >= sure:
        return np.where(seeds, 255, 0).astype(np.uint8)
    count, areas = cv2.connectedComponents((probability >= likely).astype(np.uint8))
    has_seed = np.zeros(count, dtype=bool)
    has_seed[np.unique(areas[seeds])] = True
    return np.where(has_seed[areas], 255, 0).astype(np.uint8)


def large_areas(found: Mask) -> npt.NDArray[np.bool_]:
    """Where findings, (H, W) with 255, are wide in all directions: (H, W).

    Scratches that lead there stay out.
    """
    radius = max(4.0, LARGEST_RADIUS * min(found.shape))
    depth = np.asarray(cv2.distanceTransform(found, cv2.DIST_L2, cv2.DIST_MASK_5))
    middle = np.asarray(depth > radius, dtype=np.bool_)
    if not middle.any():
        return middle
    # A right-angled corner is 1.4 radii away from the middle.
    whole = dilate(np.where(middle, 255, 0).astype(np.uint8), math.ceil(1.5 * radius))
    return np.asarray((whole > 0) & (found > 0))


def without_features(found: Mask, features: Mask) -> Mask:
    """Leave out what lies mostly in a feature; a scratch that crosses one is longer, and stays."""
    if not (features.any() and found.any()):
        return found
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(found)
    touching, inside = np.unique(np.asarray(labels)[features > 0], return_counts=True)
    kept = found.copy()
    for label, count in zip(touching, inside, strict=True):
        x, y, width, height, area = (int(value) for value in boxes[label])
        if label > 0 and count > SPARED_SHARE * area:
            place = Box(x, y, x + width, y + height).slices
            kept[place][labels[place] == label] = 0
    return kept


def working_size(size: Size, short_side: int) -> Size:
    """The size at which the detector works: reduced to `short_side`, never enlarged."""
    scale = min(1.0, short_side / min(size.width, size.height))
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def damage_probability(
    gray: npt.NDArray[np.float32], working: Size, networks: Networks, monitor: Monitor
) -> npt.NDArray[np.float32]:
    """How likely each pixel is damaged, by the mean of the detector's logits over its scales.

    What is damage looks like damage at every scale; what a detector takes for it at one, a twig or
    the edge of a collar, it often does not at another. Specks vanish when reduced, so that the full
    size has to weigh most.

    Args:
        gray: (H, W) in [0, 1], luminance.
        working: size at which the detector sees it, by a factor of 1.
        networks: with "detection"; its inference value `scales` lists such factors and
            their weights, [[1, 1]] by default.
        monitor: of the stage.

    Returns:
        (working.height, working.width) in [0, 1].
    """
    scales = networks.spec("detection").inference.get("scales", [[1.0, 1.0]])
    total = np.zeros(working.shape, dtype=np.float32)
    for index, (scale, weight) in enumerate(scales):
        size = working_size(working, round(scale * min(working.width, working.height)))
        logits = _logits(gray, size, networks, monitor.part(index, len(scales)))
        enlarged = cv2.resize(
            logits, (working.width, working.height), interpolation=cv2.INTER_LINEAR
        )
        total += np.float32(weight) * enlarged.reshape(working.shape)
    total /= np.float32(sum(weight for _, weight in scales))
    probability: npt.NDArray[np.float32] = torch.sigmoid(torch.from_numpy(total)).numpy()
    return probability


def _logits(
    gray: npt.NDArray[np.float32], size: Size, networks: Networks, monitor: Monitor
) -> npt.NDArray[np.float32]:
    """What the detector makes of a (H, W) luminance in [0, 1] that is reduced to `size`.

    Returns:
        (size.height, size.width), before the sigmoid.
    """
    x = torch.from_numpy(_reduced(gray, size))[None, None] * 2 - 1
    network = networks.detection()

    def run(tiles: Sequence[Tensor], part: Monitor) -> Tensor:
        with part.watching(network):
            output: Tensor = network(tiles[0].to(networks.device, type_of(network)))
        return output.float()

    def compute() -> Tensor:
        return run_tiled_as_memory_allows(
            run,
            [x],
            TILES,
            channels=1,
            multiple=MULTIPLE,
            monitor=monitor,
        )[0]

    logits = networks.cache.get("detection", [x], compute)
    return np.asarray(logits[0, 0].numpy(), dtype=np.float32)


def _reduced(gray: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
    reduced = cv2.resize(gray, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced.reshape(size.shape), np.float32)


def cover_edges(found: Mask, scale: float) -> Mask:
    """Grow and soften (H, W) `found`; `scale` is the picture's size over the detector's."""
    if not found.any():
        return found
    grown = dilate(found, math.ceil(GROWTH * scale))
    soft = np.asarray(cv2.GaussianBlur(grown, (0, 0), SOFTNESS * scale), dtype=np.uint8)
    return np.maximum(soft, found)
