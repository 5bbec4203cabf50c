"""The user's choices for one restoration, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from backend.errors import OptionsError

Scratches = Literal["automatic", "mask", "none"]
DeviceChoice = Literal["auto", "cpu", "cuda", "mps", "xpu"]


@dataclass(frozen=True)
class Options:
    """What to do with a picture.

    Attributes:
        scratches: "automatic" detects damage and joins it with the given mask, "mask" uses the
            given mask alone, "none" repairs nothing.
        threshold: damage probability from which a pixel is repaired, in [0, 1]; None takes the
            value recommended for the weights.
        repair_scratches: fill the masked pixels; False stops after the mask ("detect only").
        whole_picture: translate the whole picture, not just the masked pixels.
        enhance_faces: find and enhance faces.
        weights: "bundled", "official", or a folder in the official layout.
        device: "auto" takes CUDA where it is present, else the processor. "mps" (Apple) and "xpu"
            (Intel) go the same way through torch, but nobody has tried them yet.
        memory_bytes: most memory for a picture's intermediate results; None takes a share of what
            is free.
    """

    scratches: Scratches = "automatic"
    threshold: float | None = None
    repair_scratches: bool = True
    whole_picture: bool = True
    enhance_faces: bool = True
    weights: str = "bundled"
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
        if self.memory_bytes is not None and self.memory_bytes <= 0:
            raise OptionsError("The memory is not a positive size: give it in gigabytes, like 4.")
        if not self.weights:
            raise OptionsError("The weights have no name: choose bundled, official or a folder.")
