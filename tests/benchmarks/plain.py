"""The restoration written down straight from the paper's equations, to compare times with.

Z. Wan et al., "Bringing Old Photos Back to Life", CVPR 2020: x -> E_A(x) -> T(z) -> G_B(z), and
section 3.2 for the partial non-local block. Everything happens at once, in the order of channels
that torch has by default, and the attention builds its matrix of all cells with all cells.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.layers import PartialNonLocalBlock
from models.restoration_vae import RestorationVAE


def restore(
    x: Tensor,
    mask: Tensor,
    encoder: RestorationVAE,
    mapping: QualityMapping | ScratchMapping | HighResolutionMapping,
    decoder: RestorationVAE,
) -> Tensor:
    """(1, 3, H, W) in [-1, 1] with white holes, mask (1, 1, H, W) -> (1, 3, H, W)."""
    z = encoder.encoder(x)
    if isinstance(mapping, ScratchMapping):
        z = mapping.after_NL(fill(mapping.NL, mapping.before_NL(z), mask))
    elif isinstance(mapping, HighResolutionMapping):
        z = mapping(z, mask)
    else:
        z = mapping.model(z)
    result: Tensor = decoder.decoder(z)
    return result


def fill(block: PartialNonLocalBlock, x: Tensor, mask: Tensor) -> Tensor:
    """The partial non-local block: equations (4) to (6), rows normalised to their sum."""
    size = x.shape[2:]
    keep = (F.interpolate(mask, size, mode="bilinear") == 0) * F.interpolate(1 - mask, size)
    query, key, value = (
        layer(x).flatten(2).transpose(1, 2) for layer in (block.theta, block.phi, block.g)
    )
    shares = torch.softmax(query @ key.transpose(1, 2), dim=2) * keep.flatten(2)  # (1, N, N)
    attended = F.normalize(shares, p=1, dim=2, eps=1e-12) @ value
    filled = block.res_block(block.W(attended.transpose(1, 2).reshape(x.shape)))
    return keep * x + (1 - keep) * filled


def matrix_bytes(width: int, height: int) -> int:
    """Size of one of the attention's matrices; three of them live at once."""
    return 4 * (width * height // 16) ** 2
