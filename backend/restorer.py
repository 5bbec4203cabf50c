"""Encoder, mapping and decoder on a picture of any size: at once, streamed, or in tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend import precision
from backend.geometry import Box
from backend.monitor import Monitor
from backend.networks import Networks
from backend.planned import Modules, Streamed, stream, stream_as_memory_allows
from backend.preparation import with_statistics
from backend.streaming.attention import LARGEST_EXACT
from backend.streaming.keys import Elsewhere
from backend.streaming.stream import Known, Plan
from backend.tensors import pad_to_multiple
from backend.tiling import (
    LEAST_SIDE,
    SMALLER_PIECES,
    USUAL_TILES,
    run_tiled_as_memory_allows,
)
from backend.warm import Former, remember, revised
from models.registry import Network

REDUCED_PIXELS = 250_000
"""Size of the copy from which statistics are taken when they are not taken from the picture.

Only parts of a picture are faster that way. All of it takes twice the time of the exact way, since
tiles overlap and strips do not, so that it is left for when neither memory nor disk suffice.
"""


class Restorer:
    """The way of a picture through the latent space.

    Args:
        networks: with encoder, mapping and decoder.
        mapping: which mapping, and with it which decoder.
        known: statistics of the picture that `tiles` gets, or gets parts of; None estimates them.
    """

    def __init__(self, networks: Networks, mapping: Network, known: Known | None = None) -> None:
        self._networks = networks
        self._name = mapping
        self._decoder_name: Network = (
            "vae_b_quality" if mapping == "mapping_quality" else "vae_b_scratch"
        )
        # The attention takes a cell's damage from fixed pixels of it, the VAE halves twice.
        self._multiple = max(16, int(networks.spec(mapping).inference["multiple"]))
        self._known = known

    def whole(self, image: Tensor, mask: Tensor, monitor: Monitor) -> Tensor:
        """The picture restored as if it went through the networks at once.

        With a cache, of a picture that came before with another mask only what changed is computed;
        see backend.warm.

        Args:
            image: (1, 3, H, W) in [0, 1] with filled holes.
            mask: (1, 1, H, W) of any type, 1 = repair, else 0.
            monitor: of the stage.

        Raises:
            DeviceError: no plan fits into the memory.
        """
        height, width = image.shape[2:]
        least = max(LEAST_SIDE, self._multiple)
        image, mask = (pad_to_multiple(x, self._multiple, least) for x in (image, mask))
        mask = mask.to(torch.uint8)
        cache, what = self._networks.cache, f"{self._name} {self._compute_type()}"
        restored, former = None, self._networks.former.get(what)
        if former is not None:
            restored = revised(cache, what, former, image, mask, self._part, monitor)
        if restored is None:
            restored, streamed = self._first_plan_that_works(image, mask, monitor)
            if cache.keeps and streamed is not None:
                self._networks.former[what] = remember(cache, what, image, mask, restored, streamed)
        restored = restored[..., :height, :width]
        # What the cache holds nobody may change.
        return restored.clone() if cache.keeps else restored

    def _part(
        self,
        image: Tensor,
        mask: Tensor,
        former: Former,
        elsewhere: Elsewhere | None,
        monitor: Monitor,
    ) -> Tensor | None:
        """A RunPart."""
        x = image * 2 - 1
        found = stream_as_memory_allows(
            fixed(self._raw(), former.known),
            x,
            mask,
            self._plan,
            monitor.advance,
            memory_bytes=self._networks.memory_bytes,
            elsewhere=elsewhere,
        )
        return None if found is None else _as_picture(found.picture)

    def _first_plan_that_works(
        self, image: Tensor, mask: Tensor, monitor: Monitor
    ) -> tuple[Tensor, Streamed | None]:
        """The picture; None beside it when its statistics are but estimated."""
        cells = image.shape[2] * image.shape[3] // 16
        if self._name == "mapping_scratch" and bool(mask.any()) and cells > LARGEST_EXACT:
            monitor.note(
                "attention-limited",
                "The picture is so large that damaged places were compared with a part of it only.",
            )
        x = image * 2 - 1
        found = stream_as_memory_allows(
            self._raw(),
            x,
            mask,
            self._plan,
            monitor.advance,
            memory_bytes=self._networks.memory_bytes,
            on_short=lambda: monitor.note("memory-short", SMALLER_PIECES),
            keeps_keys=self._networks.cache.keeps,
        )
        if found is not None:
            return _as_picture(found.picture), found
        monitor.note(
            "statistics-reduced",
            "Neither memory nor disk hold this picture's intermediate results, so its overall "
            "tone was estimated on a smaller copy.",
        )
        return self.tiles(image, mask, monitor)[0], None

    def for_parts_of(self, image: Tensor, mask: Tensor, monitor: Monitor) -> Restorer:
        """A restorer whose `tiles` treats parts of a picture as parts of it.

        Its statistics are those of a reduced copy.

        Args:
            image, mask: see `tiles`.
            monitor: of this preparation.
        """
        return Restorer(self._networks, self._name, self._estimated(image, mask, monitor))

    def _estimated(self, image: Tensor, mask: Tensor, monitor: Monitor) -> Known:
        """The statistics of a reduced copy."""
        scale = min(1.0, (REDUCED_PIXELS / (image.shape[2] * image.shape[3])) ** 0.5)
        size = [max(LEAST_SIDE, round(side * scale)) for side in image.shape[2:]]
        small = F.interpolate(image, size, mode="area")
        holes = F.adaptive_max_pool2d(mask.float(), size)
        small, holes = (pad_to_multiple(x, self._multiple, LEAST_SIDE) for x in (small, holes))
        return stream(self._raw(), small * 2 - 1, holes, self._plan, monitor.advance).known

    def tiles(
        self,
        image: Tensor,
        mask: Tensor,
        monitor: Monitor,
        is_needed: Callable[[Box], bool] = lambda _: True,
    ) -> tuple[Tensor, Tensor]:
        """The picture restored in tiles, where each output depends on its surroundings alone.

        Statistics are those of a reduced copy, of this picture or of the one that `for_parts_of`
        named.

        Args:
            image: (1, 3, H, W) in [0, 1] with filled holes.
            mask: (1, 1, H, W) of any type, 1 = repair, else 0.
            monitor: of the stage.
            is_needed: tiles for which it is false are left out.

        Returns:
            (1, 3, H, W), and (1, 1, H, W) uint8 with 0 where a tile was left out.
        """
        known = self._known
        if known is None:
            known = self._estimated(image, mask, monitor.part(0, 2))
            monitor = monitor.part(1, 2)
        modules, plan = fixed(self._raw(), known), self._plan

        def run(tiles: Sequence[Tensor], part: Monitor) -> Tensor:
            image, mask = tiles
            return _as_picture(stream(modules, image * 2 - 1, mask, plan, part.advance).picture)

        return run_tiled_as_memory_allows(
            run,
            [image, mask],
            USUAL_TILES,
            channels=3,
            multiple=self._multiple,
            monitor=monitor,
            is_needed=is_needed,
        )

    def _raw(self) -> Modules:
        """Encoder, mapping and decoder in float32."""
        networks = self._networks
        return Modules(
            networks.vae("vae_a"), networks.mapping(self._name), networks.vae(self._decoder_name)
        )

    @property
    def _plan(self) -> Plan:
        """With the device and the type to compute in."""
        return Plan(self._networks.device, self._compute_type())

    def _compute_type(self) -> torch.dtype:
        """The type in which these weights are as good as in float32."""

        def run(dtype: torch.dtype) -> Tensor:
            x = precision.trial_picture(precision.TRIAL_SIDE) * 2 - 1
            mask = torch.zeros_like(x[:, :1])
            mask[..., 40:44, :] = 1
            plan = Plan(self._networks.device, dtype)
            return _as_picture(stream(self._raw(), x, mask, plan, lambda _: None).picture)

        return self._networks.type_for(self._name, run)


def _as_picture(y: Tensor) -> Tensor:
    """From [-1, 1], what the networks made, to [0, 1]; y is used up."""
    return y.add_(1).div_(2)


def fixed(modules: Modules, known: Known) -> Modules:
    """The same networks, normalizing with statistics known beforehand."""
    return Modules(
        with_statistics(modules.encoder, known),
        with_statistics(modules.mapping, known),
        with_statistics(modules.decoder, known),
    )
