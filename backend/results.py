"""What a restoration hands out: events while it works, layers, and the result. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from backend.geometry import Box
from backend.images import Mask, Pixels

Stage = Literal["scratches", "restoration", "faces", "enhancement", "blending", "enlargement"]
"""The last one exists on the command line only."""

STAGE_SHARES: dict[str, float] = {
    "scratches": 0.15,
    "restoration": 0.5,
    "faces": 0.05,
    "enhancement": 0.25,
    "blending": 0.05,
    "enlargement": 0.8,
}
"""Rough parts of the whole time on a processor; only progress bars depend on them."""

LayerKind = Literal["mask", "repair", "restored", "face"]


@dataclass(frozen=True)
class ResultLayer:
    """One layer of the result; later layers lie above earlier ones.

    Attributes:
        kind: "mask" is shown to the user but is no part of the picture; "restored" covers all;
            "repair" and "face" are blended by their mask.
        name: what the user reads, in English.
        box: where it lies in the source.
        pixels: (h, w, 1 or 3) in the source's depth and colour model, without alpha; (h, w, 1)
            uint8 with 255 = repair for "mask".
        mask: (h, w) uint8 with 255 = this layer, or None where the layer is opaque.
        index: counts from 0 in the order of appearance.
    """

    kind: LayerKind
    name: str
    box: Box
    pixels: Pixels
    mask: Mask | None
    index: int


@dataclass(frozen=True)
class Progress:
    """How far one stage is, as a fraction in [0, 1]."""

    stage: Stage
    fraction: float


@dataclass(frozen=True)
class LayerReady:
    """A layer is finished."""

    layer: ResultLayer


@dataclass(frozen=True)
class Note:
    """Something that the user should know and that is no error, in one sentence.

    Attributes:
        code: a stable word for programs and translations.
        template: the sentence, with {names} for the parameters, if any.
        parameters: the values that the sentence names.
    """

    code: str
    template: str
    parameters: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The sentence with its values."""
        return self.template.format(**self.parameters) if self.parameters else self.template


Event: TypeAlias = Progress | LayerReady | Note
OnEvent: TypeAlias = Callable[[Event], None]
IsCancelled: TypeAlias = Callable[[], bool]


@dataclass(frozen=True)
class Result:
    """A finished restoration.

    Attributes:
        layers: in the order of appearance, bottom first.
        final: (H, W, C) of the source's exact shape and type; its alpha is unchanged.
        notes: all notes that were handed out.
        seconds: time spent in each stage that ran.
        model: name of the weights.
    """

    layers: list[ResultLayer]
    final: Pixels
    model: str
    notes: list[Note] = field(default_factory=list)
    seconds: dict[Stage, float] = field(default_factory=dict)
