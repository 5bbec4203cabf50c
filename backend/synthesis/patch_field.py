"""For each patch of a hole the most similar one elsewhere, and what the hole looks like by them."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.monitor import Monitor

RADIUS = 3
SIDE = 2 * RADIUS + 1
AREA = SIDE * SIDE

JUMPS = (4, 1, 2, 1)
"""Distances, one after the other, of the neighbours that a patch asks for their match."""

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))

NARROWING = 3
"""Of the random search: each radius is this much smaller than the last."""

COLOR_WEIGHT = 0.3
"""How much the mean color that is expected of a patch weighs, against its pixels."""

PLACE_WEIGHT = 0.2
"""How much it counts against a patch that it comes from the other side of the picture."""

NONE = -1


class Incomplete(NamedTuple):
    """A picture with a hole.

    Attributes:
        image: (3, H, W) in [0, 1], in the hole a smooth guess.
        hole: (H, W) bool.
        usable: (H, W) bool, pixels that may be copied.
    """

    image: Tensor
    hole: Tensor
    usable: Tensor

    @property
    def size(self) -> tuple[int, int]:
        return self.hole.shape[0], self.hole.shape[1]


class Match(NamedTuple):
    """Where the patches of a hole come from, in pixels.

    Attributes:
        size: height and width of the picture.
        row_at: (H * W,) number of the patch around each pixel, or NONE.
        y, x: (N,) centre of the patch that each is most similar to.
    """

    size: tuple[int, int]
    row_at: Tensor
    y: Tensor
    x: Tensor


class PatchField:
    """The nearest neighbor field of a hole: for each patch that touches it, one that does not.

    All patches are asked at once, in turns of asking neighbours and of random search.

    Args:
        picture: at least SIDE pixels high and wide.
        generator: for the random search.

    Attributes:
        image: (3, H, W), the picture as it is now.

    Source:
        C. Barnes et al., "PatchMatch: a randomized correspondence algorithm for structural image
        editing", ACM TOG 28(3), 2009; Y. Wexler et al., "Space-time completion of video", IEEE
        TPAMI 29(3), 2007 (voting).
    """

    def __init__(self, picture: Incomplete, generator: torch.Generator) -> None:
        self.image = picture.image.clone()
        self._hole, self._generator = picture.hole, generator
        self._height, self._width = picture.size
        # What is copied to a place shall have the mean color that is guessed there.
        self._color = F.avg_pool2d(self.image, SIDE, 1, RADIUS, count_include_pad=False)
        within = torch.zeros_like(picture.hole)
        within[RADIUS:-RADIUS, RADIUS:-RADIUS] = True
        touching = _spread(picture.hole) & within
        known = ~_spread(picture.hole | ~picture.usable) & within
        self.y, self.x = touching.nonzero(as_tuple=True)
        self._source_y, self._source_x = known.nonzero(as_tuple=True)
        self._row_at = self._numbered(self.y, self.x)
        self._source_at = self._numbered(self._source_y, self._source_x)
        self._sources = self._patches(self._source_y, self._source_x)
        self._nearest = torch.zeros(0, dtype=torch.long)

    @property
    def has_sources(self) -> bool:
        return len(self._source_y) > 0

    def show(self, image: Tensor) -> None:
        """Put (3, H, W) in the hole in place of the guess, whose colors are still wanted."""
        self.image = torch.where(self._hole, image, self.image)

    def start(self, coarser: Match | None) -> None:
        """Begin with the matches of the picture at half the size, or with random ones."""
        count = len(self._source_y)
        self._nearest = torch.randint(count, (len(self.y),), generator=self._generator)
        if coarser is None:
            return
        height, width = coarser.size
        above = (self.y // 2).clamp_max(height - 1), (self.x // 2).clamp_max(width - 1)
        row = coarser.row_at[above[0] * width + above[1]]
        y = 2 * coarser.y[row.clamp_min(0)] + self.y % 2
        x = 2 * coarser.x[row.clamp_min(0)] + self.x % 2
        found = torch.where(row == NONE, NONE, self._source(y, x))
        self._nearest = torch.where(found == NONE, self._nearest, found)

    def search(self, rounds: int, monitor: Monitor) -> Tensor:
        """Improve all matches.

        Args:
            rounds: of asking all neighbours and searching at random; 0 measures alone.
            monitor: asked whether the user gave up.

        Returns:
            (N,) squared distance of each patch to the one it is most similar to.
        """
        patches = self._patches(self.y, self.x)
        distance = ((patches - self._sources[self._nearest]) ** 2).sum(1)
        for _ in range(rounds):
            for jump in JUMPS:
                monitor.check()
                for dy, dx in STEPS:
                    self._try(patches, distance, self._from_neighbours(dy * jump, dx * jump))
            radius = max(self._height, self._width)
            while radius >= 1:
                monitor.check()
                self._try(patches, distance, self._at_random(radius))
                radius //= NARROWING
        return distance

    def vote(
        self, distance: Tensor, confidence: Tensor, sharpness: float, monitor: Monitor
    ) -> None:
        """Give each pixel of the hole the mean of what the patches over it say.

        Args:
            distance: (N,) from `search`.
            confidence: (H, W), how much the patch around each pixel is trusted.
            sharpness: how much more the similar ones count; 0: all alike.
            monitor: asked whether the user gave up.
        """
        typical = distance.median().clamp_min(1e-6)
        weight = torch.exp(-sharpness * distance / typical) * confidence[self.y, self.x] + 1e-8
        total = torch.zeros(3, self._height * self._width)
        weights = torch.zeros(self._height * self._width)
        chosen = self._sources[self._nearest, : 3 * AREA].view(-1, 3, AREA)
        for place in range(AREA):
            dy, dx = place // SIDE - RADIUS, place % SIDE - RADIUS
            if dx == 0:
                monitor.check()
            pixel = (self.y + dy) * self._width + self.x + dx
            total.index_add_(1, pixel, (chosen[:, :, place] * weight[:, None]).T)
            weights.index_add_(0, pixel, weight)
        mean = (total / weights.clamp_min(1e-12)).view_as(self.image)
        # A pixel of a corner that no whole patch covers keeps its guess.
        is_said = self._hole & (weights.view_as(self._hole) > 0)
        self.image = torch.where(is_said, mean, self.image)

    def match(self) -> Match:
        """The matches as they are now."""
        y, x = self._source_y[self._nearest], self._source_x[self._nearest]
        return Match((self._height, self._width), self._row_at, y, x)

    def _try(self, patches: Tensor, distance: Tensor, source: Tensor) -> None:
        """Take those of (N,) sources, or NONE, that are more similar; `distance` is changed."""
        row = ((source != NONE) & (source != self._nearest)).nonzero(as_tuple=True)[0]
        candidate = source[row]
        found = ((patches[row] - self._sources[candidate]) ** 2).sum(1)
        better = found < distance[row]
        row = row[better]
        self._nearest[row] = candidate[better]
        distance[row] = found[better]

    def _from_neighbours(self, dy: int, dx: int) -> Tensor:
        """(N,) what lies beside the match of the patch at this distance."""
        row = self._at(self._row_at, self.y + dy, self.x + dx)
        match = self._nearest[row.clamp_min(0)]
        beside = self._source(self._source_y[match] - dy, self._source_x[match] - dx)
        return torch.where(row == NONE, NONE, beside)

    def _at_random(self, radius: int) -> Tensor:
        """(N,) a place not farther than this from each match."""
        count = len(self.y)
        y, x = (2 * torch.rand(2, count, generator=self._generator) - 1).mul(radius).round().long()
        return self._source(self._source_y[self._nearest] + y, self._source_x[self._nearest] + x)

    def _source(self, y: Tensor, x: Tensor) -> Tensor:
        return self._at(self._source_at, y, x)

    def _at(self, numbers: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """(N,) the numbers at these places, NONE outside the picture."""
        inside = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
        place = y.clamp(0, self._height - 1) * self._width + x.clamp(0, self._width - 1)
        return torch.where(inside, numbers[place], NONE)

    def _numbered(self, y: Tensor, x: Tensor) -> Tensor:
        """(H * W,) the number of each of these places, NONE elsewhere."""
        numbers = torch.full((self._height * self._width,), NONE)
        numbers[y * self._width + x] = torch.arange(len(y))
        return numbers

    def _patches(self, y: Tensor, x: Tensor) -> Tensor:
        """(N, 3 * AREA + 5) the pixels around these places, the mean color wanted, the place."""
        reach = torch.arange(-RADIUS, RADIUS + 1)
        rows = (y[:, None, None] + reach[:, None]) * self._width
        pixel = (rows + x[:, None, None] + reach).view(-1)  # (N * AREA,)
        values = self.image.flatten(1)[:, pixel].view(3, len(y), AREA)
        color = self._color[:, y, x].T * (COLOR_WEIGHT * AREA) ** 0.5
        place = torch.stack([y, x], dim=1) * (PLACE_WEIGHT * AREA) ** 0.5
        place = place / max(self._height, self._width)
        return torch.cat([values.transpose(0, 1).flatten(1), color, place], dim=1)


def _spread(where: Tensor) -> Tensor:
    """(H, W) bool, true for each patch that has such a pixel."""
    spread = F.max_pool2d(where[None, None].float(), SIDE, 1, RADIUS)
    return spread[0, 0] > 0
