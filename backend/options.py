"""The user's choices for one restoration, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from backend.errors import OptionsError
from models.registry import Stage

Scratches = Literal["automatic", "mask", "none"]
DeviceChoice = Literal["auto", "cpu", "cuda", "mps", "xpu"]


@dataclass(frozen=True)
class Options:
    """What to do with a picture.

    Attributes:
        scratches: "automatic" detects damage and joins it with the given mask, "mask" uses the
            given mask alone, "none" repairs nothing.
        threshold: damage probability from which a place, or by weights without a judge of places a
            pixel, is repaired, in [0, 1]; None takes the value recommended for the weights.
        repair_scratches: fill the masked pixels; False stops after the mask ("detect only").
        whole_picture: translate the whole picture, not just the masked pixels.
        cleaning: with the whole picture, remove grain, blur and JPEG blocks.
        tone: with the whole picture, undo fading, shading and casts. The original's weights know
            no such choice: their cleaning changes the tone, too.
        strength: share of cleaning and tone that is applied outside the damage, in [0, 1].
        enhance_faces: find and enhance faces.
        face_strength: share of a face's change that is applied, in [0, 1].
        weights: "bundled", "official", or a folder in the official layout.
        inpainting: name of an imported model that fills the damage before the restoration; None
            leaves the filling to the weights' own way.
        denoising: name of an imported model that restores the whole picture in their place.
        faces: name of an imported model that enhances faces in their place.
        enlargement: name of an imported model for `stages.enlargement`, which comes after the
            restoration: that one itself keeps the photo's size.
        device: "auto" takes CUDA where it is present, else the processor. "mps" (Apple) and "xpu"
            (Intel) go the same way through torch, but nobody has tried them yet.
        memory_bytes: most memory for a picture's intermediate results; None takes a share of what
            is free.
    """

    scratches: Scratches = "automatic"
    threshold: float | None = None
    repair_scratches: bool = True
    whole_picture: bool = True
    cleaning: bool = True
    tone: bool = True
    strength: float = 1.0
    enhance_faces: bool = True
    face_strength: float = 1.0
    weights: str = "bundled"
    inpainting: str | None = None
    denoising: str | None = None
    faces: str | None = None
    enlargement: str | None = None
    device: DeviceChoice = "auto"
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.scratches not in get_args(Scratches):
            raise OptionsError(
                f"Scratches cannot be {self.scratches!r}: choose automatic, mask or none."
            )
        if self.device not in get_args(DeviceChoice):
            choices = ", ".join(get_args(DeviceChoice))
            raise OptionsError(f"The device cannot be {self.device!r}: choose one of {choices}.")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise OptionsError(
                f"The threshold is {self.threshold}, but it is a probability: "
                "choose a value from 0 to 1."
            )
        for name, share in (("strength", self.strength), ("face strength", self.face_strength)):
            if not 0.0 <= share <= 1.0:
                raise OptionsError(
                    f"The {name} is {share}, but it is a share: choose a value from 0 to 1."
                )
        if self.memory_bytes is not None and self.memory_bytes <= 0:
            raise OptionsError("The memory is not a positive size: give it in gigabytes, like 4.")
        if not self.weights:
            raise OptionsError("The weights have no name: choose bundled, official or a folder.")
        self._check_models()

    def _check_models(self) -> None:
        repairs = self.repair_scratches and self.scratches != "none"
        for stage, name, is_used, what in (
            ("inpainting", self.inpainting, repairs, "repair of scratches"),
            (
                "denoising",
                self.denoising,
                self.whole_picture and self.cleaning,
                "cleaning of the whole picture",
            ),
            ("faces", self.faces, self.enhance_faces, "enhancement of faces"),
        ):
            if name is not None and not is_used:
                raise OptionsError(
                    f"The {stage} model {name} has nothing to do, because the {what} is switched "
                    "off: switch it on, or choose no model."
                )

    @property
    def models(self) -> dict[Stage, str]:
        """The chosen imported models by their stage."""
        chosen: dict[Stage, str | None] = {
            "inpainting": self.inpainting,
            "denoising": self.denoising,
            "faces": self.faces,
            "enlargement": self.enlargement,
        }
        return {stage: name for stage, name in chosen.items() if name is not None}
