"""The networks of one set of weights, loaded when first needed and kept warm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from backend.device import choose_device
from backend.errors import WeightsError
from backend.face_finder import FaceFinder, is_installed
from backend.options import Options
from models.compact_unet import CompactScratchUNet, RestorationUNet
from models.face_generator import FaceGenerator
from models.latent_mapping import QualityMapping, ScratchMapping
from models.loading import WeightFileError, WeightSet
from models.registry import ModelSpec, Network, Stage, resolve_weights
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet
from models.spandrel_networks import OtherNetwork, load_imported
from models.stored import ImportedModel, find_imported
from models.tone_grid import ToneGrid

AnyNetwork = (
    ScratchUNet
    | CompactScratchUNet
    | RestorationUNet
    | ToneGrid
    | RestorationVAE
    | QualityMapping
    | ScratchMapping
    | FaceGenerator
)


class Networks:
    """Warm networks on one device. Not for several jobs at once.

    Args:
        weights: where they come from.
        device: where they run.
        models: imported ones that take the place of some, by their stage.
    """

    def __init__(
        self,
        weights: WeightSet,
        device: torch.device,
        models: Mapping[Stage, ImportedModel] | None = None,
    ) -> None:
        self._weights = weights
        self.device = device
        self._models = dict(models or {})
        self._loaded: dict[Network, AnyNetwork] = {}
        self._others: dict[Stage, OtherNetwork] = {}
        self._face_finder: FaceFinder | None = None

    @classmethod
    def for_options(cls, options: Options) -> Networks:
        """The networks that the options name; nothing is loaded yet.

        Raises:
            WeightsError: the weights or an imported model are not there.
            DeviceError: the device is absent.
        """
        device = choose_device(options.device)
        try:
            models = {stage: find_imported(name, stage) for stage, name in options.models.items()}
            return cls(resolve_weights(options.weights), device, models)
        except WeightFileError as error:
            raise WeightsError(str(error)) from error

    @property
    def weights(self) -> WeightSet:
        return self._weights

    @property
    def name(self) -> str:
        """Name of the weights, and of the imported models beside them."""
        return ", ".join([self._weights.name, *(model.name for model in self._models.values())])

    def has(self, network: Network) -> bool:
        return self._weights.has(network)

    def spec(self, network: Network) -> ModelSpec:
        """Raises WeightsError when these weights have no such network."""
        try:
            return self._weights.spec(network)
        except WeightFileError as error:
            raise WeightsError(str(error)) from error

    def load(self, network: Network, device: torch.device | str = "cpu") -> torch.nn.Module:
        """The warm network, for code that takes a `WeightSet` too; it is on the own device."""
        del device
        return self._get(network)

    def detection(self) -> ScratchUNet | CompactScratchUNet:
        return cast(ScratchUNet | CompactScratchUNet, self._get("detection"))

    def restoration(self) -> RestorationUNet:
        return cast(RestorationUNet, self._get("restoration"))

    def tone(self) -> ToneGrid:
        return cast(ToneGrid, self._get("tone"))

    def vae(self, network: Network) -> RestorationVAE:
        return cast(RestorationVAE, self._get(network))

    def mapping(self, network: Network) -> QualityMapping | ScratchMapping:
        return cast(QualityMapping | ScratchMapping, self._get(network))

    def face(self, network: Network) -> FaceGenerator:
        return cast(FaceGenerator, self._get(network))

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
                raise WeightsError(str(error)) from error
        return self._others[stage]

    def run_model(self, stage: Stage, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the imported model of a stage makes of an image; see `OtherNetwork.run`.

        Raises:
            WeightsError: it cannot be loaded, or its weights compute no numbers.
        """
        network = self.model(stage)
        try:
            given = None if mask is None else mask.to(self.device)
            return network.run(image.to(self.device), given)
        except WeightFileError as error:
            raise WeightsError(str(error)) from error

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
        self._face_finder = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _get(self, network: Network) -> AnyNetwork:
        if network not in self._loaded:
            try:
                module = self._weights.load(network, self.device)
            except WeightFileError as error:
                raise WeightsError(str(error)) from error
            # A fifth faster on a CPU, much more on a graphics card.
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._loaded[network] = cast(AnyNetwork, module)
        return self._loaded[network]
