"""Endless, seeded streams of training batches made from folders of pictures.

Batch number i depends on the seed and i alone, not on the number of workers, so that a resumed run
sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models.training.degradations.dice import Dice
from models.training.degradations.marks import ByteArray, FloatArray

Sample = dict[str, Tensor]
"""Tensors without a batch axis."""

Batch = dict[str, Tensor]
"""The same with one."""

DrawSample = Callable[[np.random.Generator], Sample]
"""Chooses, crops and draws: work for the CPU, one picture at a time."""

FinishBatch = Callable[[Batch, Dice], Batch]
"""Degrades: tensor code over the whole batch, for whichever device trains."""

_SUFFIXES = {".webp", ".png", ".jpg", ".jpeg", ".tif", ".tiff"}


@dataclass(frozen=True)
class Window:
    """A square of a picture of a pool.

    Attributes:
        picture: its number.
        top, left, side: in pixels.
        is_mirrored: left and right are exchanged.
    """

    picture: int
    top: int
    left: int
    side: int
    is_mirrored: bool

    def cut(self, levels: ByteArray, side: int) -> ByteArray:
        """The square of (H, W) or (H, W, C) levels, scaled to `side`."""
        piece = levels[self.top : self.top + self.side, self.left : self.left + self.side]
        method = cv2.INTER_AREA if self.side >= side else cv2.INTER_CUBIC
        scaled = cv2.resize(piece, (side, side), interpolation=method)
        return np.asarray(scaled[:, ::-1] if self.is_mirrored else scaled, dtype=np.uint8)


class PicturePool:
    """The pictures of some folders, decoded once and kept as uint8.

    Args:
        folders: searched for image files, not recursively.
        longest_side: larger pictures are reduced to this many pixels.

    Attributes:
        pictures: (H, W, 3) levels, OpenCV's order.
        names: of their files, without suffix.

    Raises:
        FileNotFoundError: a folder holds no readable picture.
    """

    def __init__(self, folders: list[Path], longest_side: int = 1024) -> None:
        self.pictures: list[ByteArray] = []
        self.names: list[str] = []
        for folder in folders:
            files = sorted(f for f in folder.glob("*") if f.suffix.lower() in _SUFFIXES)
            before = len(self.pictures)
            for file in files:
                picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
                if picture is not None:
                    self.pictures.append(_reduced(np.asarray(picture, np.uint8), longest_side))
                    self.names.append(file.stem)
            if len(self.pictures) == before:
                raise FileNotFoundError(f"No picture in {folder}: name a folder with photos.")

    def crop(
        self, rng: np.random.Generator, side: int, scales: tuple[float, float] = (0.5, 1.0)
    ) -> FloatArray:
        """Cut a random square, scaled and flipped.

        Returns:
            (side, side, 3) float32 RGB in [0, 1].
        """
        window = self.choose(rng, side, scales)
        return from_bgr(window.cut(self.pictures[window.picture], side))

    def choose(self, rng: np.random.Generator, side: int, scales: tuple[float, float]) -> Window:
        """A random square that is scaled to `side` by one of the scales, if the picture allows."""
        number = int(rng.integers(len(self.pictures)))
        height, width = self.pictures[number].shape[:2]
        cut = int(min(side / rng.uniform(*scales), height, width))
        top, left = int(rng.integers(height - cut + 1)), int(rng.integers(width - cut + 1))
        return Window(number, top, left, cut, bool(rng.random() < 0.5))


def from_bgr(levels: npt.NDArray[Any]) -> FloatArray:
    """OpenCV's (H, W, 3) levels from 0 to 255 to float32 RGB in [0, 1]."""
    return np.ascontiguousarray(levels[..., ::-1], dtype=np.float32) / np.float32(255)


def _reduced(picture: ByteArray, longest_side: int) -> ByteArray:
    factor = longest_side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    resized = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def as_tensor(image: FloatArray) -> Tensor:
    """(H, W, C) or (H, W) to (C, H, W)."""
    array = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


class _Stream(IterableDataset[Batch]):
    def __init__(
        self,
        draw: DrawSample,
        finish: FinishBatch | None,
        batch_size: int,
        seed: int,
        start: int,
    ) -> None:
        self.draw, self.finish, self.batch_size = draw, finish, batch_size
        self.seed, self.start = seed, start

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        # One thread per worker: the training step needs the cores.
        cv2.setNumThreads(0)
        torch.set_num_threads(1)
        number, count = (info.id, info.num_workers) if info else (0, 1)
        # The loader asks its workers in turn, so every batch keeps its place in the stream.
        index = self.start + number
        while True:
            seeds = ([self.seed, index, place] for place in range(self.batch_size))
            samples = [self.draw(np.random.default_rng(seed)) for seed in seeds]
            batch = {name: torch.stack([s[name] for s in samples]) for name in samples[0]}
            yield self.finish(batch, Dice([self.seed, index])) if self.finish else batch
            index += count


def batches(
    draw: DrawSample,
    finish: FinishBatch,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    workers: int = 1,
    device: torch.device | str = "cpu",
) -> Iterator[Batch]:
    """Make batches, for ever.

    Args:
        draw: run in worker processes.
        finish: run in the workers, too, unless `device` is another than the CPU; then there.
        start: number of the first batch; a resumed run passes the steps done.
        workers: processes.
        device: where the batches are wanted.
    """
    device = torch.device(device)
    on_device = device.type != "cpu"
    stream = _Stream(draw, None if on_device else finish, batch_size, seed, start)
    loader = DataLoader(stream, batch_size=None, num_workers=workers, pin_memory=on_device)
    for index, batch in enumerate(loader, start):
        if on_device:
            moved = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
            batch = finish(moved, Dice([seed, index], device))
        yield batch
