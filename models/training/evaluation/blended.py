"""Faces on real old photos, from the photo to the blended result: seams, and a sheet to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from backend.composition import composite
from backend.images import Mask, Picture, Pixels
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import ResultLayer
from models.training.datasets import PicturePool, from_bgr
from models.training.degradations.marks import FloatArray
from models.training.evaluation.report import Report, Table

CELL = 256

COLUMNS = ("photo", "restored", "blended")

# Shares of the mask between which a pixel lies on its edge.
_EDGE = (5, 128)


@dataclass(frozen=True)
class Blended:
    """One face: parts of the photo, (h, w, 1 or 3) each, and the mask there."""

    photo: Pixels
    restored: Pixels
    blended: Pixels
    cut: Pixels
    mask: Mask

    def cells(self) -> list[FloatArray]:
        """One square for each of COLUMNS."""
        return [_cell(getattr(self, name)) for name in COLUMNS]


def report_blended(report: Report, weights: str, networks: Networks, old: PicturePool) -> None:
    """Every face that is found on old photos: how its edge looks, and a sheet."""
    faces = [face for levels in old.pictures for face in faces_on(levels, networks)]
    table = Table(["edge of the face", "mean gradient, levels", "against the restored picture"])
    reference = np.mean([edge_gradient(face.restored, face.mask) for face in faces])
    for name in ("restored", "blended", "cut"):
        mean = np.mean([edge_gradient(getattr(face, name), face.mask) for face in faces])
        table.rows.append([name, f"{mean:.2f}", f"{mean / reference - 1:+.1%}"])
    report.section(
        f"Seams, {weights}",
        f"Faces on real old photos: {len(faces)}. The gradient is that of the luminance along the "
        "soft edge of each face's mask; cut means the same change with a hard edge.",
        table,
    )
    rows = [face.cells() for face in faces]
    report.sheet(f"Faces on old photos, {weights}", COLUMNS, rows)


def faces_on(levels: Pixels, networks: Networks) -> Iterator[Blended]:
    """The faces that the pipeline finds on a photo (H, W, 3) BGR, before and after."""
    photo = Picture(np.ascontiguousarray(levels[..., ::-1], dtype=np.uint8))
    result = restore(photo, None, Options(), networks, lambda _: None, lambda: False)
    faces = [layer for layer in result.layers if layer.kind == "face"]
    below = composite(photo.color, [layer for layer in result.layers if layer.kind != "face"])
    hard = composite(below, [_cut_out(layer) for layer in faces])
    for layer in faces:
        assert layer.mask is not None
        here = layer.box.slices
        yield Blended(photo.color[here], below[here], result.final[here], hard[here], layer.mask)


def _cut_out(layer: ResultLayer) -> ResultLayer:
    assert layer.mask is not None
    return replace(layer, mask=np.where(layer.mask > _EDGE[0], 255, 0).astype(np.uint8))


def edge_gradient(pixels: Pixels, mask: Mask) -> float:
    """Mean length, in levels, of the gradient where a mask begins: (h, w, C) and (h, w)."""
    gray = from_bgr(pixels).mean(axis=2) * 255
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *way, ksize=3, scale=0.125) for way in _WAYS)
    edge = (mask >= _EDGE[0]) & (mask <= _EDGE[1])
    return float(np.hypot(across, down)[edge].mean())


_WAYS = ((1, 0), (0, 1))


def _cell(pixels: Pixels) -> FloatArray:
    """A square of CELL pixels, filled from the top left."""
    color = from_bgr(np.broadcast_to(pixels, (*pixels.shape[:2], 3))[..., ::-1])
    scale = CELL / max(color.shape[:2])
    size = (round(color.shape[1] * scale), round(color.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(color, size, interpolation=method)[:CELL, :CELL]
    cell = np.full((CELL, CELL, 3), 0.5, np.float32)
    cell[: resized.shape[0], : resized.shape[1]] = np.clip(resized, 0, 1)
    return cell
