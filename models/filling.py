"""Fill holes smoothly from what surrounds them, as a start for the networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor


def fill_smoothly(image: Tensor, mask: Tensor) -> Tensor:
    """Replace masked pixels by averages of unmasked ones, from as near as there are any.

    The picture is halved again and again, averaging what is known; on the way back each unknown
    pixel takes the value of the coarser picture. Linear in the number of pixels, and the same for
    a batch on any device.

    Args:
        image: (B, C, H, W).
        mask: (B, 1, H, W), 1 where a pixel is unknown.

    Returns:
        (B, C, H, W), unmasked pixels as they were; 0 where nothing is known at all.

    Source:
        S. J. Gortler et al., "The lumigraph", SIGGRAPH 1996, section 3.4 (push and pull).
    """
    known = mask < 0.5
    values = image * known
    height, width = image.shape[2:]
    if bool(known.all()) or (height == 1 and width == 1):
        return values
    share = F.avg_pool2d(known.to(image.dtype), 2, ceil_mode=True, count_include_pad=False)
    mean = F.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
    mean = mean / share.clamp_min(1e-6)
    coarse = fill_smoothly(mean, (share == 0).to(image.dtype))
    enlarged = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    return torch.where(known, values, enlarged)
