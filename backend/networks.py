"""The networks of one set of weights, loaded when first needed and kept warm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend import precision
from backend.cache import Cache
from backend.device import choose_device
from backend.errors import WeightsError
from backend.face_finder import FaceFinder, is_installed
from backend.monitor import Monitor
from backend.options import Options
from backend.preparation import prepare
from backend.tiling import RunTile
from backend.warm import Former
from models.compact_unet import CompactFaceGenerator, CompactScratchUNet, RestorationUNet
from models.face_generator import FaceGenerator
from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.loading import WeightFileError, WeightSet
from models.registry import ModelSpec, Network, Stage, resolve_weights
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet
from models.spandrel_networks import OtherNetwork, load_imported
from models.stored import ImportedModel, find_imported
from models.tone_grid import ToneGrid

TRIAL_GRAIN = 0.02
"""What the restoration network is told where it is tried: that of an average photo."""


class Networks:
    """Warm networks on one device. Not for several jobs at once.

    Args:
        weights, device: see the attributes.
        models: imported ones that take the place of some, by their stage.
        memory_bytes: most memory for a picture's maps; None takes a share of what is free.
        fast_type: the type to compute in where these weights bear it; None asks the device.
        cache_bytes: most memory for results that a later job may need again.

    Attributes:
        weights: where they come from.
        device: where they run.
        cache: of such results.
        types: in which networks compute, once that was tried; by what they are for.
        former: what is known of pictures that the cache holds; see backend.warm.
    """

    def __init__(
        self,
        weights: WeightSet,
        device: torch.device,
        models: Mapping[Stage, ImportedModel] | None = None,
        *,
        memory_bytes: int | None = None,
        fast_type: torch.dtype | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.weights = weights
        self.device = device
        self._models = dict(models or {})
        self.memory_bytes = memory_bytes
        self._fast_type = precision.fast_type(device) if fast_type is None else fast_type
        self.cache = Cache(cache_bytes)
        self.types: dict[Network, torch.dtype] = {}
        self.former: dict[str, Former] = {}
        self._loaded: dict[Network, torch.nn.Module] = {}
        self._others: dict[Stage, OtherNetwork] = {}
        self._prepared: dict[tuple[Network, torch.dtype], torch.nn.Module] = {}
        self._face_finder: FaceFinder | None = None

    @classmethod
    def for_options(cls, options: Options, *, cache_bytes: int = 0) -> Networks:
        """The networks that the options name; nothing is loaded yet.

        Args:
            options: their memory is the limit, too.
            cache_bytes: see the class.

        Raises:
            WeightsError: the weights or an imported model are not there.
            DeviceError: the device is absent.
        """
        device = choose_device(options.device)
        try:
            models = {stage: find_imported(name, stage) for stage, name in options.models.items()}
            return cls(
                resolve_weights(options.weights),
                device,
                models,
                memory_bytes=options.memory_bytes,
                cache_bytes=cache_bytes,
            )
        except WeightFileError as error:
            raise WeightsError.of(error) from error

    @property
    def name(self) -> str:
        """Name of the weights, and of the imported models beside them."""
        return ", ".join([self.weights.name, *(model.name for model in self._models.values())])

    def files(self) -> dict[str, Path]:
        """All weight files by what they are for; an imported model stands as "model STAGE"."""
        models = {f"model {stage}": model.path for stage, model in self._models.items()}
        return {**self.weights.files(), **models}

    def has(self, network: Network) -> bool:
        return self.weights.has(network)

    def spec(self, network: Network) -> ModelSpec:
        """Raises WeightsError when these weights have no such network."""
        try:
            return self.weights.spec(network)
        except WeightFileError as error:
            raise WeightsError.of(error) from error

    def load(self, network: Network) -> torch.nn.Module:
        """The warm network, in float32.

        Raises:
            WeightsError: its file is missing, damaged, or does not fit the network exactly.
        """
        if network not in self._loaded:
            try:
                module = self.weights.load(network, self.device)
            except WeightFileError as error:
                raise WeightsError.of(error) from error
            # A fifth faster on a CPU, much more on a graphics card.
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._loaded[network] = module
        return self._loaded[network]

    def detection(self) -> ScratchUNet | CompactScratchUNet:
        """Prepared, in the type that it bears."""
        gray = precision.trial_picture(precision.TRIAL_SIDE)[:, :1] * 2 - 1
        network = self._fast("detection", [gray], torch.sigmoid)
        return cast(ScratchUNet | CompactScratchUNet, network)

    def restoration(self) -> RestorationUNet:
        """Prepared, in the type that it bears."""
        x = precision.trial_picture(precision.TRIAL_SIDE) * 2 - 1
        mask = torch.zeros_like(x[:, :1])
        mask[..., 40:44, :] = 1
        given = [x, mask, x, torch.full_like(mask, TRIAL_GRAIN)]
        network = self._fast("restoration", given, lambda y: (x.to(y) + y + 1) / 2)
        return cast(RestorationUNet, network)

    def judge_places(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """How likely places are damaged: (N, F), see backend.places -> (N,) in [0, 1]."""
        logits: Tensor = self.load("places")(torch.from_numpy(features).to(self.device))
        return torch.sigmoid(logits).cpu().numpy()

    def tone(self) -> ToneGrid:
        """In float32: its picture is small, and its output is enlarged."""
        return cast(ToneGrid, self.load("tone"))

    def vae(self, network: Network) -> RestorationVAE:
        return cast(RestorationVAE, self.load(network))

    def mapping(self, network: Network) -> QualityMapping | ScratchMapping | HighResolutionMapping:
        """In float32."""
        found = self.load(network)
        return cast(QualityMapping | ScratchMapping | HighResolutionMapping, found)

    def face(self, network: Network) -> FaceGenerator | CompactFaceGenerator:
        """Prepared, in the type that it bears."""
        raw = cast(FaceGenerator | CompactFaceGenerator, self.load(network))
        face = precision.trial_picture(raw.crop_size) * 2 - 1
        shown = torch.cat([face, face], dim=1) if raw.sees_photo else face
        generator = self._fast(network, [shown], lambda y: (y + 1) / 2)
        return cast(FaceGenerator | CompactFaceGenerator, generator)

    def type_for(self, network: Network, run: Callable[[torch.dtype], Tensor]) -> torch.dtype:
        """The type to compute in; it is tried once, by `run`, see precision.choose_type."""
        if network not in self.types:
            self.types[network] = precision.choose_type(self._fast_type, run)
        return self.types[network]

    def uses_model(self, stage: Stage) -> bool:
        """Whether an imported model was chosen for a stage."""
        return stage in self._models

    def model(self, stage: Stage) -> OtherNetwork:
        """The warm imported model of a stage that has one.

        Raises:
            WeightsError: its file is missing or damaged, or spandrel is not installed.
        """
        if stage not in self._others:
            try:
                self._others[stage] = load_imported(self._models[stage], self.device)
            except WeightFileError as error:
                raise WeightsError.of(error) from error
        return self._others[stage]

    def model_run(self, stage: Stage) -> RunTile:
        """The imported model of a stage, loaded; it takes what `OtherNetwork.run` does.

        Raises:
            WeightsError: it cannot be loaded; when it runs, its weights compute no numbers.
        """
        network = self.model(stage)

        def run(given: Sequence[Tensor], monitor: Monitor) -> Tensor:
            with monitor.watching(network.module):
                try:
                    return network.run(*(x.to(self.device) for x in given))
                except WeightFileError as error:
                    raise WeightsError.of(error) from error

        return run

    def has_face_finder(self) -> bool:
        """Whether dlib and its landmark model are installed."""
        return self._face_finder is not None or is_installed()

    def face_finder(self) -> FaceFinder:
        """Raises WeightsError when dlib or its landmark model is not installed."""
        if self._face_finder is None:
            self._face_finder = FaceFinder()
        return self._face_finder

    def unload(self) -> None:
        """Give the memory back; the next use loads again."""
        self._loaded.clear()
        self._others.clear()
        self._prepared.clear()
        self.cache.clear()
        self.types.clear()
        self.former.clear()
        self._face_finder = None
        if self.device.type != "cpu":
            torch.get_device_module(self.device).empty_cache()

    def _fast(
        self, network: Network, trial: Sequence[Tensor], finish: Callable[[Tensor], Tensor]
    ) -> torch.nn.Module:
        """A prepared network; its type is tried first on `trial`, its inputs, once."""

        def prepared(dtype: torch.dtype) -> torch.nn.Module:
            key = network, dtype
            if key not in self._prepared:
                self._prepared[key] = prepare(self.load(network), dtype)
            return self._prepared[key]

        def run(dtype: torch.dtype) -> Tensor:
            y = prepared(dtype)(*(x.to(self.device, dtype) for x in trial))
            return finish(y.float()).cpu()

        return prepared(self.type_for(network, run))
