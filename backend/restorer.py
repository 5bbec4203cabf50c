"""Encoder, mapping and decoder on a picture of any size: at once, streamed, or in tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from backend import precision
from backend.device import is_out_of_memory
from backend.geometry import Box, Size
from backend.memory import budget, plans
from backend.monitor import Monitor
from backend.networks import Networks
from backend.preparation import with_statistics
from backend.streaming.attention import LARGEST_EXACT
from backend.streaming.maps import Picture
from backend.streaming.steps import list_steps
from backend.streaming.stream import Known, Plan, Stream, total_cost
from backend.tensors import pad_to_multiple
from backend.tiling import LEAST_SIDE, SMALLER_PIECES, RunTile, run_tiled_as_memory_allows
from models.latent_mapping import QualityMapping, ScratchMapping
from models.layers import undamaged_cells
from models.registry import Network, data_folder
from models.restoration_vae import RestorationVAE

TILE, LEAST_TILE, OVERLAP = 512, 192, 96

REDUCED_PIXELS = 250_000
"""Size of the copy from which statistics are taken when they are not taken from the picture."""


class Modules(NamedTuple):
    """The three networks of a restoration."""

    encoder: RestorationVAE
    mapping: QualityMapping | ScratchMapping
    decoder: RestorationVAE

    @property
    def used(self) -> tuple[nn.Module, ...]:
        """The parts that run, in their order."""
        mapping = self.mapping
        middle: tuple[nn.Module, ...] = (
            (mapping.before_NL, mapping.NL, mapping.after_NL)
            if isinstance(mapping, ScratchMapping)
            else (mapping.model,)
        )
        return (self.encoder.encoder, *middle, self.decoder.decoder)


class Restorer:
    """The way of a picture through the latent space.

    Args:
        networks: with encoder, mapping and decoder.
        mapping: which mapping, and with it which decoder.
    """

    def __init__(self, networks: Networks, mapping: Network) -> None:
        self._networks = networks
        self._name = mapping
        self._decoder_name: Network = (
            "vae_b_quality" if mapping == "mapping_quality" else "vae_b_scratch"
        )
        inference = networks.spec(mapping).inference
        self._is_residual = bool(inference["residual"])
        # The attention takes a cell's damage from fixed pixels of it, the VAE halves twice.
        self._multiple = max(16, int(inference["multiple"]))

    @property
    def is_local(self) -> bool:
        """Whether the weights compute no statistics over the whole picture."""
        names: list[Network] = [self._name, "vae_a", self._decoder_name]
        return all(
            self._networks.spec(name).hyper_parameters.get("normalization", "instance") == "none"
            for name in names
        )

    def whole(self, image: Tensor, mask: Tensor, monitor: Monitor) -> Tensor:
        """The picture restored as if it went through the networks at once.

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
        restored = self._networks.cache.get(
            f"{self._name} {self._compute_type()}",
            [image, mask],
            lambda: self._first_plan_that_works(image, mask, monitor),
        )
        return restored[..., :height, :width]

    def _first_plan_that_works(self, image: Tensor, mask: Tensor, monitor: Monitor) -> Tensor:
        device, size = self._networks.device, Size(image.shape[3], image.shape[2])
        has_failed = False
        if bool(mask.any()) and size.pixel_count / 16 > LARGEST_EXACT:
            monitor.note(
                "attention-limited",
                "The picture is so large that damaged places were compared with a part of it only.",
            )
        for plan in plans(
            Plan(device, self._compute_type()),
            size,
            self._widest,
            has_hole=bool(mask.any()),
            available=budget(device, self._networks.memory_bytes),
            folder=data_folder() / "work",
        ):
            if has_failed:
                monitor.note("memory-short", SMALLER_PIECES)
            try:
                return self._stream(image, mask, plan, monitor)[0]
            except (MemoryError, RuntimeError, OSError) as error:
                if not is_out_of_memory(error):
                    raise
                # The error itself would keep alive what was computed so far.
                has_failed = True
        monitor.note(
            "statistics-reduced",
            "Neither memory nor disk hold this picture's intermediate results, so its overall "
            "tone was estimated on a smaller copy.",
        )
        return self.tiles(image, mask, monitor)[0]

    def tiles(
        self,
        image: Tensor,
        mask: Tensor,
        monitor: Monitor,
        is_needed: Callable[[Box], bool] = lambda _: True,
    ) -> tuple[Tensor, Tensor]:
        """The picture restored in tiles, where each output depends on its surroundings alone.

        Weights that compute statistics over the picture get those of a reduced copy.

        Args:
            image: (1, 3, H, W) in [0, 1] with filled holes.
            mask: (1, 1, H, W) of any type, 1 = repair, else 0.
            monitor: of the stage.
            is_needed: tiles for which it is false are left out.

        Returns:
            (1, 3, H, W), and (1, 1, H, W) with 0 where a tile was left out.
        """
        parts = monitor.part(0, 2), monitor.part(1, 2)
        runner: RunTile
        if self.is_local:
            runner, parts = self._tile_runner(self._prepared(self._compute_type())), (monitor,) * 2
        else:
            runner = self._runner_with_reduced_statistics(image, mask, parts[0])
        return run_tiled_as_memory_allows(
            runner,
            [image, mask],
            channels=3,
            tile=TILE,
            least_tile=LEAST_TILE,
            overlap=OVERLAP,
            multiple=self._multiple,
            monitor=parts[1],
            is_needed=is_needed,
        )

    @property
    def _widest(self) -> int:
        """Most channels of the latent's maps."""
        return max(
            (m.out_channels for m in self._raw()[1].modules() if isinstance(m, nn.Conv2d)),
            default=1,
        )

    def _raw(self) -> Modules:
        """Encoder, mapping and decoder in float32."""
        encoder = self._networks.vae("vae_a")
        return Modules(
            encoder, self._networks.mapping(self._name), self._networks.vae(self._decoder_name)
        )

    def _prepared(self, dtype: torch.dtype) -> Modules:
        encoder, mapping, decoder = self._raw()
        prepared = self._networks.prepared
        return Modules(
            prepared("vae_a", encoder, dtype),
            prepared(self._name, mapping, dtype),
            prepared(self._decoder_name, decoder, dtype),
        )

    def _compute_type(self) -> torch.dtype:
        """The type in which these weights are as good as in float32; tried once."""
        types = self._networks.types
        if self._name not in types:
            picture = precision.trial_picture(precision.TRIAL_SIDE)
            mask = torch.zeros(1, 1, *picture.shape[2:])
            mask[..., 40:44, :] = 1
            types[self._name] = precision.choose_type(
                self._networks.fast_type, lambda dtype: self._try(picture, mask, dtype)
            )
        return types[self._name]

    def _try(self, picture: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
        if self.is_local:
            return self._tile_runner(self._prepared(dtype))([picture, mask], None)
        return self._stream(picture, mask, Plan(self._networks.device, dtype), None)[0]

    def _tile_runner(
        self, modules: Modules
    ) -> Callable[[Sequence[Tensor], Monitor | None], Tensor]:
        """The way of one tile: (filled picture in [0, 1], mask) -> restored picture in [0, 1]."""
        encoder, mapping, decoder = modules
        dtype = precision.type_of(mapping)

        def compute(tiles: Sequence[Tensor], monitor: Monitor | None) -> Tensor:
            x, mask = (tile.to(self._networks.device, dtype) for tile in tiles)
            watched = nullcontext() if monitor is None else monitor.watching(*modules.used)
            with watched:
                z = encoder.encode(x)
                z = mapping(z, mask) if isinstance(mapping, ScratchMapping) else mapping(z)
                return decoder.decode(z).cpu()

        def run(tiles: Sequence[Tensor], monitor: Monitor | None) -> Tensor:
            image, mask = tiles
            x, what = image * 2 - 1, f"{self._name} {dtype}"
            y = self._networks.cache.get(what, [x, mask], lambda: compute([x, mask], monitor))
            return ((x + y.float() if self._is_residual else y.float()) + 1) / 2

        return run

    def _stream(
        self,
        image: Tensor,
        mask: Tensor,
        plan: Plan,
        monitor: Monitor | None,
        modules: Modules | None = None,
    ) -> tuple[Tensor, Known]:
        """Restore all of (1, 3, H, W) by a plan; the sides are multiples of 16."""
        steps = list_steps(*(modules or self._raw()).used)
        height, width = image.shape[2:]
        trust = undamaged_cells(mask.float(), height // 4, width // 4)
        source, target = Picture(image * 2 - 1), Picture(torch.empty_like(image))
        total, done = total_cost(steps, source.shape, trust), 0.0

        def advance(cost: float) -> None:
            nonlocal done
            done += cost
            if monitor is not None:
                monitor.advance(min(1.0, done / total))

        stream = Stream(plan, height * width, trust, advance)
        stream.run(steps, source, target)
        result = target.values
        if self._is_residual:
            result += source.values
        return result.add_(1).div_(2), stream.statistics

    def _runner_with_reduced_statistics(
        self, image: Tensor, mask: Tensor, monitor: Monitor
    ) -> RunTile:
        """The way of one tile that is normalized as a reduced copy of the picture is."""
        scale = min(1.0, (REDUCED_PIXELS / (image.shape[2] * image.shape[3])) ** 0.5)
        size = [max(LEAST_SIDE, round(side * scale)) for side in image.shape[2:]]
        small = F.interpolate(image, size, mode="area")
        holes = F.adaptive_max_pool2d(mask.float(), size)
        small, holes = (pad_to_multiple(x, self._multiple, LEAST_SIDE) for x in (small, holes))
        plan = Plan(self._networks.device, self._compute_type())
        _, known = self._stream(small, holes, plan, monitor)
        encoder, mapping, decoder = self._raw()
        modules = Modules(
            with_statistics(encoder, known),
            with_statistics(mapping, known),
            with_statistics(decoder, known),
        )
        return lambda tiles, part: self._stream(tiles[0], tiles[1], plan, part, modules)[0]
