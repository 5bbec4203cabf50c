"""A report as Markdown tables and PNG sheets in one folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from models.training.degradations.marks import ByteArray, FloatArray


@dataclass
class Table:
    """One Markdown table."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class Report:
    """Collects sections; every section is written at once, so that a stopped run leaves a report.

    Args:
        folder: gets report.md and the sheets.
    """

    def __init__(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._text = f"# {title}\n"
        self._write()

    def section(self, title: str, text: str, table: Table | None = None) -> None:
        parts = [f"\n## {title}\n", text.strip() + "\n" if text else ""]
        if table is not None:
            parts.append(table.markdown() + "\n")
        self._text += "\n".join(part for part in parts if part)
        self._write()
        print("\n".join(part for part in parts if part), flush=True)

    def sheet(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[FloatArray]]
    ) -> None:
        """Add a picture of labelled rows; all cells are (h, w, 3) of one size in [0, 1]."""
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".png"
        levels = np.round(joined(columns, rows) * 255).astype(np.uint8)
        cv2.imwrite(str(self.folder / name), levels[..., ::-1])
        self._text += f"\n![{title}]({name})\n"
        self._write()

    def _write(self) -> None:
        (self.folder / "report.md").write_text(self._text, encoding="utf-8")


def joined(columns: Sequence[str], rows: Sequence[Sequence[FloatArray]]) -> FloatArray:
    """Rows of cells, (h, w, 3) of one size in [0, 1], below the names of the columns."""
    gap = 4
    width = rows[0][0].shape[1]
    header = np.full((22, len(columns) * (width + gap), 3), 255, np.uint8)
    for number, name in enumerate(columns):
        place = (number * (width + gap) + 4, 16)
        cv2.putText(header, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    lines = [header.astype(np.float32) / 255]
    for row in rows:
        cells = [np.pad(c, ((0, gap), (0, gap), (0, 0)), constant_values=1) for c in row]
        lines.append(np.concatenate(cells, axis=1))
    return np.asarray(np.clip(np.concatenate(lines, axis=0), 0, 1), dtype=np.float32)


def zoomed(
    image: FloatArray, left: float, top: float, side: int = 128, factor: int = 2
) -> FloatArray:
    """A square part at `left`, `top` (shares of the free way), enlarged without smoothing."""
    height, width = image.shape[:2]
    x, y = int(left * max(0, width - side)), int(top * max(0, height - side))
    part = image[y : y + side, x : x + side]
    size = (side * factor, side * factor)
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), dtype=np.float32)


def fitted(image: FloatArray, side: int = 256) -> FloatArray:
    """The whole picture within a gray square."""
    scale = side / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small[:side, :side]
    square = np.full((side, side, 3), 0.5, np.float32)
    square[: small.shape[0], : small.shape[1]] = small
    return square


def overlaid(image: FloatArray, mask: ByteArray) -> FloatArray:
    """The picture in gray with the mask (H, W), not 0 on damage, in red."""
    gray = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    share = (mask.astype(np.float32) / max(1, int(mask.max())))[..., None] * 0.8
    return np.asarray(gray * (1 - share) + np.array([1, 0.1, 0.1]) * share, dtype=np.float32)
