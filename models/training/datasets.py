"""Endless, seeded streams of training samples made from folders of pictures.

Sample number i depends on the seed and i alone, not on the number of workers, so that a resumed run
sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models.training.damage import ByteArray, FloatArray

Sample = dict[str, torch.Tensor]
SampleMaker = Callable[[np.random.Generator], Sample]

_SUFFIXES = {".webp", ".png", ".jpg", ".jpeg", ".tif", ".tiff"}


class PicturePool:
    """The pictures of some folders, decoded once and kept as uint8.

    Args:
        folders: searched for image files, not recursively.
        longest_side: larger pictures are reduced to this many pixels.

    Raises:
        FileNotFoundError: a folder holds no readable picture.
    """

    def __init__(self, folders: list[Path], longest_side: int = 1024) -> None:
        self.pictures: list[ByteArray] = []
        for folder in folders:
            files = sorted(f for f in folder.glob("*") if f.suffix.lower() in _SUFFIXES)
            decoded = [cv2.imread(str(file), cv2.IMREAD_COLOR) for file in files]
            pictures = [
                _reduced(np.asarray(p, dtype=np.uint8), longest_side)
                for p in decoded
                if p is not None
            ]
            if not pictures:
                raise FileNotFoundError(f"No picture in {folder}: name a folder with photos.")
            self.pictures += pictures

    def crop(
        self, rng: np.random.Generator, side: int, scales: tuple[float, float] = (0.5, 1.0)
    ) -> FloatArray:
        """Cut a random square, scaled and flipped.

        Returns:
            (side, side, 3) float32 RGB in [0, 1].
        """
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        height, width = picture.shape[:2]
        wanted = side / rng.uniform(*scales)
        cut = int(min(wanted, height, width))
        top, left = int(rng.integers(height - cut + 1)), int(rng.integers(width - cut + 1))
        method = cv2.INTER_AREA if cut >= side else cv2.INTER_CUBIC
        piece = cv2.resize(
            picture[top : top + cut, left : left + cut], (side, side), interpolation=method
        )
        return from_bgr(piece[:, ::-1] if rng.random() < 0.5 else piece)


def from_bgr(levels: npt.NDArray[Any]) -> FloatArray:
    """OpenCV's (H, W, 3) levels from 0 to 255 to float32 RGB in [0, 1]."""
    return np.ascontiguousarray(levels[..., ::-1], dtype=np.float32) / np.float32(255)


def _reduced(picture: ByteArray, longest_side: int) -> ByteArray:
    factor = longest_side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    resized = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def as_tensor(image: FloatArray) -> torch.Tensor:
    """(H, W, C) or (H, W) in [0, 1] to (C, H, W)."""
    array = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


class _Stream(IterableDataset[Sample]):
    def __init__(self, make: SampleMaker, seed: int, start: int) -> None:
        self.make, self.seed, self.start = make, seed, start

    def __iter__(self) -> Iterator[Sample]:
        info = get_worker_info()
        number, count = (info.id, info.num_workers) if info else (0, 1)
        # One thread per worker: the training step needs the cores.
        cv2.setNumThreads(0)
        torch.set_num_threads(1)
        index = self.start + number
        while True:
            yield self.make(np.random.default_rng([self.seed, index]))
            index += count


def batches(
    make: SampleMaker, *, batch_size: int, seed: int, start: int = 0, workers: int = 1
) -> Iterator[Sample]:
    """Stack samples into batches, for ever.

    Args:
        make: turns a generator into a sample of equally shaped tensors.
        start: number of the first sample; a resumed run passes steps done * batch size.
        workers: processes that make samples; with more than one the samples are the same but
            fall into other batches.
    """
    stream = _Stream(make, seed, start)
    return iter(DataLoader(stream, batch_size=batch_size, num_workers=workers))
