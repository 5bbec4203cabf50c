"""Collect the layers of one restoration and hand them out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from backend.composition import composite, put_layer
from backend.damage import HALF
from backend.geometry import Box
from backend.images import Mask, Picture, Pixels, is_gray
from backend.monitor import Monitor
from backend.results import (
    Event,
    IsCancelled,
    LayerKind,
    LayerReady,
    Note,
    OnEvent,
    Result,
    ResultLayer,
    Stage,
)
from backend.tensors import cut, dilate, to_image, to_pixels
from backend.transparency import visible_color


class Assembly:
    """What one restoration has made so far: layers, notes, times, and the picture they give.

    Attributes:
        size: of the photo.
        image: (1, 3, H, W) in [0, 1], the photo.
        gray: the photo shows no colour, so no layer may.
        photo_color: (H, W, 1 or 3), the photo's colours; is never written to.
        color: (H, W, 1 or 3), the picture with all layers so far; the next stage works on it.
    """

    def __init__(
        self, photo: Picture, model: str, on_event: OnEvent, is_cancelled: IsCancelled
    ) -> None:
        self._photo = photo
        self._model = model
        self._on_event = on_event
        self._is_cancelled = is_cancelled
        self._layers: list[ResultLayer] = []
        self._notes: list[Note] = []
        self._seconds: dict[Stage, float] = {}
        self.size = photo.size
        self._see(visible_color(photo))
        self.gray = is_gray(self.photo_color)
        # Channels that differ by a level or so are kept where nothing else changes.
        self._nearly_gray = self.gray and bool(
            (self.photo_color != self.photo_color[..., :1]).any()
        )

    @contextmanager
    def stage(self, name: Stage) -> Iterator[Monitor]:
        monitor = Monitor(name, self._send, self._is_cancelled)
        started = time.perf_counter()
        monitor.advance(0.0)
        yield monitor
        monitor.advance(1.0)
        self._seconds[name] = time.perf_counter() - started

    def add_mask(self, damage: Mask) -> Mask:
        """Returns the mask without the pixels that nobody sees."""
        alpha = self._photo.alpha
        seen = damage if alpha is None else damage[alpha > 0]
        covers_all = seen.size > 0 and bool((seen >= HALF).all())
        if alpha is not None:
            hidden = alpha == 0
            damage = np.where(hidden, 0, damage).astype(np.uint8)
            if (dilate(damage, 1)[hidden] > 0).any():
                # Damage that goes on beyond the edge would be repaired from itself.
                self._see(visible_color(self._photo, damage))
        self._add("mask", "Scratch mask", damage[..., None], None, self._whole)
        if covers_all:
            self._send(
                Note(
                    "mask-covers-all",
                    "The mask covers the whole picture, so nothing is left to repair it from.",
                )
            )
        return damage

    def add_restored(self, restored: torch.Tensor) -> None:
        pixels = self._to_pixels(restored, self._whole)
        self._add("restored", "Restored", pixels, None, self._whole)

    def add_repair(self, repaired: torch.Tensor, damage: Mask, box: Box) -> None:
        pixels = self._to_pixels(repaired, box)
        self._add("repair", "Scratch repair", pixels, damage[box.slices], box)

    def add_face(self, pixels: Pixels, mask: Mask, box: Box) -> None:
        number = 1 + sum(layer.kind == "face" for layer in self._layers)
        self._add("face", f"Face {number}", pixels, mask, box)

    def finished(self) -> Result:
        """Raises Cancelled when the user stopped the job at its last event."""
        Monitor("blending", self._send, self._is_cancelled).check()
        hidden = self._photo.alpha is not None and not self._photo.alpha.all()
        # The working picture differs below full transparency only.
        color = composite(self._photo.color, self._layers) if hidden else self.color
        final = self._photo.with_color(color)
        return Result(self._layers, final.pixels, self._model, self._notes, self._seconds)

    def _see(self, color: Pixels) -> None:
        self.photo_color = color
        self.color: Pixels = color.copy()
        self.image = to_image(color)

    @property
    def _whole(self) -> Box:
        return Box(0, 0, self.size.width, self.size.height)

    def _to_pixels(self, image: torch.Tensor, box: Box) -> Pixels:
        pixels = to_pixels(image, self._photo.color, gray=self.gray)
        if not self._nearly_gray:
            return pixels
        before = to_pixels(cut(self.image, box), self._photo.color, gray=True)
        return np.where(pixels == before, self.photo_color[box.slices], pixels)

    def _add(self, kind: LayerKind, name: str, pixels: Pixels, mask: Mask | None, box: Box) -> None:
        layer = ResultLayer(kind, name, box, pixels, mask, len(self._layers))
        self._layers.append(layer)
        if kind != "mask":
            put_layer(self.color, layer)
        self._send(LayerReady(layer))

    def _send(self, event: Event) -> None:
        if isinstance(event, Note):
            self._notes.append(event)
        self._on_event(event)
