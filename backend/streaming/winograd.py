"""3x3 convolutions with a quarter of the multiplications, for maps with many channels.

Blocks of 4x4 results are computed from 6x6 inputs by 36 products in place of 144, as values of
polynomials at 0, +-sqrt(1/2), +-sqrt(2) and infinity. With 512 channels the result is off by seven
times the rounding of torch's own convolution; with 0, +-1, +-2, which need no roots, by fourteen.

Source:
    A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, F(4x4, 3x3);
    on the choice of points: B. Barabasz et al., "Error Analysis and Improving the Accuracy of
    Winograd Convolution for Deep Neural Networks", ACM TOMS 46 (4), 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

LEAST_CHANNELS = 256
"""Below, the way into the blocks and back costs more than the multiplications that are saved."""

BLOCK, WINDOW = 4, 6

_CELLS_AT_A_TIME = 2048
"""So that what lies between two steps stays in the processor's cache."""

_NEAR, _FAR = sqrt(1 / 2), sqrt(2)

_KERNEL = (
    (1, 0, 0),
    (-2 / 3, -2 / 3 * _NEAR, -1 / 3),
    (-2 / 3, 2 / 3 * _NEAR, -1 / 3),
    (1 / 6, 1 / 6 * _FAR, 1 / 3),
    (1 / 6, -1 / 6 * _FAR, 1 / 3),
    (0, 0, 1),
)


def transform_kernel(weight: Tensor) -> Tensor:
    """(K, C, 3, 3) to (36, C, K)."""
    outputs, inputs = weight.shape[:2]
    once = torch.tensor(_KERNEL, dtype=torch.float64)
    both = torch.kron(once, once).to(weight.dtype)  # (36, 9)
    flat = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (both @ flat).reshape(WINDOW**2, inputs, outputs)


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3 convolution without padding.

    Args:
        x: (1, C, h + 2, w + 2), at best channels_last.
        kernel: of transform_kernel.
        bias: (K,).

    Returns:
        (1, K, h, w), channels_last.
    """
    height, width = x.shape[2] - 2, x.shape[3] - 2
    cells = x[0].permute(1, 2, 0)
    if width % BLOCK or height % BLOCK:
        cells = F.pad(cells, (0, 0, 0, -width % BLOCK, 0, -height % BLOCK))
    rows, columns = cells.shape[0] - 2, cells.shape[1] - 2
    result = torch.empty(rows, columns, kernel.shape[2], dtype=x.dtype)
    step = max(1, _CELLS_AT_A_TIME // (columns * BLOCK)) * BLOCK
    for top in range(0, rows, step):
        count = min(step, rows - top)
        _convolve_blocks(cells[top : top + count + 2], kernel, result[top : top + count])
    if bias is not None:
        result += bias
    return result[:height, :width].permute(2, 0, 1)[None]


def _convolve_blocks(cells: Tensor, kernel: Tensor, result: Tensor) -> None:
    """(h + 2, w + 2, C) to (h, w, K); h and w are multiples of a block's side."""
    down, across = result.shape[0] // BLOCK, result.shape[1] // BLOCK
    by_row = []
    for index, row in enumerate(_spread([cells[i::BLOCK][:down] for i in range(WINDOW)])):
        columns = _spread([row[:, i::BLOCK][:, :across] for i in range(WINDOW)])
        products = [
            column.reshape(down * across, -1) @ kernel[WINDOW * index + position]
            for position, column in enumerate(columns)
        ]
        by_row.append(_gather(products))
    blocks = result.view(down, BLOCK, across, BLOCK, -1)
    for position in range(BLOCK):
        for row_index, values in enumerate(_gather([row[position] for row in by_row])):
            blocks[:, row_index, :, position] = values.view(down, across, -1)


def _spread(d: Sequence[Tensor]) -> list[Tensor]:
    """The six rows of the paper's input transform."""
    near_even = torch.add(d[4], d[2], alpha=-2)
    near_odd = torch.add(d[3], d[1], alpha=-2).mul_(_NEAR)
    far_even = torch.add(d[4], d[2], alpha=-0.5)
    far_odd = torch.add(d[3], d[1], alpha=-0.5).mul_(_FAR)
    return [
        torch.add(d[4], d[2], alpha=-2.5).add_(d[0]),
        near_even + near_odd,
        near_even - near_odd,
        far_even + far_odd,
        far_even - far_odd,
        torch.add(d[5], d[3], alpha=-2.5).add_(d[1]),
    ]


def _gather(m: Sequence[Tensor]) -> list[Tensor]:
    """The four rows of the output transform."""
    near, near_difference = m[1] + m[2], (m[1] - m[2]).mul_(_NEAR)
    far, far_difference = m[3] + m[4], (m[3] - m[4]).mul_(_FAR)
    return [
        near + far + m[0],
        near_difference + far_difference,
        (near * 0.5).add_(far, alpha=2),
        near_difference.mul(0.5).add_(far_difference, alpha=2).add_(m[5]),
    ]
