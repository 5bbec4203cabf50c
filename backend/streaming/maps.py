"""Where the maps between two passes are kept: in memory or in a file, row by row."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import torch
from torch import Tensor

from backend.streaming.convolutions import Rows, Shape


class Map(Protocol):
    """A map (1, C, H, W) of which strips are read and written."""

    @property
    def shape(self) -> Shape: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def read(self, rows: Rows) -> Tensor:
        """(1, C, rows, W); it may share memory with the map."""
        ...

    def write(self, rows: Rows, strip: Tensor) -> None:
        """Set rows to (1, C, rows, W) of any type and device."""
        ...


class Picture:
    """A map with few channels that is there as a tensor (1, C, H, W) in the usual order."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.shape = Shape(*values.shape[1:])
        self.dtype = values.dtype

    def read(self, rows: Rows) -> Tensor:
        return self.values[:, :, rows.start : rows.stop]

    def write(self, rows: Rows, strip: Tensor) -> None:
        self.values[:, :, rows.start : rows.stop] = strip


class MemoryMap:
    """A map in memory, all channels of a cell side by side."""

    def __init__(self, shape: Shape, dtype: torch.dtype, device: torch.device) -> None:
        self.shape = shape
        self.dtype = dtype
        self._cells = torch.empty(
            shape.height, shape.width, shape.channels, dtype=dtype, device=device
        )

    def read(self, rows: Rows) -> Tensor:
        return self._cells[rows.start : rows.stop].permute(2, 0, 1)[None]

    def write(self, rows: Rows, strip: Tensor) -> None:
        self._cells[rows.start : rows.stop] = strip[0].permute(1, 2, 0)


class FileMap:
    """A map in a file without a name, in the same order.

    The file is read and written, not mapped, so that its pages never count as this process's.
    """

    def __init__(self, shape: Shape, dtype: torch.dtype, folder: Path) -> None:
        self.shape = shape
        self.dtype = dtype
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives on
        self._row_bytes = shape.width * shape.channels * dtype.itemsize

    def read(self, rows: Rows) -> Tensor:
        data = np.empty(rows.length * self._row_bytes, dtype=np.uint8)
        self._file.seek(rows.start * self._row_bytes)
        if self._file.readinto(data.data) != data.nbytes:  # type: ignore[attr-defined]
            raise OSError("A file of intermediate results has lost its end.")
        cells = torch.from_numpy(data).view(self.dtype)
        shape = (rows.length, self.shape.width, self.shape.channels)
        return cells.reshape(shape).permute(2, 0, 1)[None]

    def write(self, rows: Rows, strip: Tensor) -> None:
        cells = strip[0].permute(1, 2, 0).to("cpu", self.dtype).contiguous()
        self._file.seek(rows.start * self._row_bytes)
        self._file.write(cells.view(torch.uint8).numpy().data)


class MapStore:
    """Makes maps, and takes those back that are not needed any more.

    Args:
        device: of maps in memory.
        folder: of maps in files; None keeps all in memory.
    """

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        self._device = device
        self._folder = folder
        self._free: list[Map] = []

    def take(self, shape: Shape, dtype: torch.dtype) -> Map:
        """A map with any content."""
        for index, free in enumerate(self._free):
            if free.shape == shape and free.dtype == dtype:
                return self._free.pop(index)
        self._free.clear()
        if self._folder is not None:
            return FileMap(shape, dtype, self._folder)
        return MemoryMap(shape, dtype, self._device)

    def give_back(self, unneeded: Map) -> None:
        """Keep it for the next map of its shape."""
        self._free.append(unneeded)
