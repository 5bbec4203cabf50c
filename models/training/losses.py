"""Training losses.

Pictures are (B, 3, H, W) float32 in [-1, 1], masks (B, 1, H, W) with 1 = damaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from models.training.squeezenet import SqueezeNet

UNSEEN = 1e-4
"""Mean squared error, on [-1, 1], below which nobody sees a difference: 46 dB."""


def log_error(
    output: Tensor, target: Tensor, where: Tensor | None = None, *, enough: float = UNSEEN
) -> Tensor:
    """Mean over the pictures of the logarithm of their mean squared error.

    Up to factor and constant it is the mean peak signal-to-noise ratio: a picture that is nearly
    right counts as much as one that is nearly lost, so that good pictures are left alone.

    Args:
        where: (B, 1, H, W), the weight of each pixel; pictures without any do not count.
        enough: mean squared error below which little is gained. The larger, the less a picture that
            may need no change weighs against those that need one.

    Returns:
        0 where no pixel counts.
    """
    squares = ((output - target) ** 2).mean(dim=1, keepdim=True)
    if where is None:
        errors = squares.mean(dim=(1, 2, 3))
    else:
        count = where.sum(dim=(1, 2, 3))
        errors = (squares * where).sum(dim=(1, 2, 3))[count > 0] / count[count > 0]
        if len(errors) == 0:
            return squares.sum() * 0
    return torch.log10(errors + enough).mean()


def focal(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float = 2.0,
    positive_share: float = 0.75,
) -> Tensor:
    """Binary focal loss: the many easy background pixels count little.

    Args:
        logits: (B, 1, H, W) before the sigmoid.
        target: (B, 1, H, W), 1 = damaged.
        weight: (B, 1, H, W), multiplies each pixel's loss; 0: nobody knows.
        positive_share: share of the weight that damaged pixels get, in [0, 1].

    Source:
        Lin et al., "Focal loss for dense object detection", ICCV 2017, equation (5).
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    certainty = torch.exp(-cross_entropy)
    balance = positive_share * target + (1 - positive_share) * (1 - target)
    loss = balance * (1 - certainty) ** gamma * cross_entropy
    return (loss * weight).mean() if weight is not None else loss.mean()


def tversky(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, false_alarms: float = 0.5
) -> Tensor:
    """1 - Tversky index of the probability map with the target, mean over the pictures.

    Each picture has an index of its own: in one without damage the smallest claim costs nearly as
    much as all damage missed in another, while in an index over the whole batch it would cost next
    to nothing.

    Args:
        logits: (B, 1, H, W) before the sigmoid.
        target: (B, 1, H, W), 1 = damaged.
        weight: (B, 1, H, W), of each pixel.
        false_alarms: weight of wrongly claimed pixels against missed ones, in [0, 1]; 0.5 is the
            Dice loss.

    Source:
        Salehi et al., "Tversky loss function for image segmentation", MLMI 2017, equation (4).
    """
    probability = torch.sigmoid(logits)
    known = torch.ones_like(target) if weight is None else weight
    hit, claimed, missed = (
        (known * part).sum(dim=(1, 2, 3))
        for part in (probability * target, probability * (1 - target), (1 - probability) * target)
    )
    wrong = false_alarms * claimed + (1 - false_alarms) * missed
    return (1 - (hit + 1) / (hit + wrong + 1)).mean()


def least_squares(verdicts: Sequence[Tensor], target: float) -> Tensor:
    """Mean squared distance of a discriminator's verdicts from what they should be.

    Args:
        verdicts: one tensor for each scale, any shape.
        target: 1 for "real", 0 for "made".

    Source:
        X. Mao et al., "Least squares generative adversarial networks", ICCV 2017, equation (2).
    """
    return torch.stack([((verdict - target) ** 2).mean() for verdict in verdicts]).mean()


def critic_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """What the discriminator minimises: half the sum of both least squares."""
    return 0.5 * (least_squares(real, 1.0) + least_squares(made, 0.0))


def feature_matching(made: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean L1 distance of a discriminator's inner features for made and real pictures.

    Source:
        T.-C. Wang et al., CVPR 2018, equation (4).
    """
    pairs = zip(made, real, strict=True)
    return torch.stack([functional.l1_loss(a, b.detach()) for a, b in pairs]).mean()


def latent_adversarial(old: Tensor, synthetic: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides' losses when latents of old and synthetic photos are to be told apart.

    Args:
        old: the latent discriminator's verdict on latents of real old photos, any shape.
        synthetic: the same on latents of synthetically degraded ones.

    Returns:
        The discriminator's loss (old 1, synthetic 0) and the encoder's, with labels exchanged.

    Source:
        Z. Wan et al., CVPR 2020, equation (2).
    """
    return critic_loss([old], [synthetic]), critic_loss([synthetic], [old])


def reduced_kl(mean: Tensor) -> Tensor:
    """Divergence of N(mean, 1) from N(0, 1) per value, up to the factor a half: mean of squares.

    Source:
        Z. Wan et al., CVPR 2020, equation (1), with the fixed variance of the released code.
    """
    return (mean**2).mean()


def open_perceptual(data: Path, weight: float) -> PerceptualLoss | None:
    """The perceptual loss with the features in DATA/perceptual; None for a weight of 0."""
    return PerceptualLoss(data / "perceptual" / "squeezenet11_notop.npz") if weight else None


class PerceptualLoss(nn.Module):
    """L1 distance of SqueezeNet features after fire modules 3, 5 and 7, each normalised.

    Args:
        weights: of `SqueezeNet`.

    Source:
        J. Johnson et al., "Perceptual losses for real-time style transfer and super-resolution",
        ECCV 2016.
    """

    _LAYERS = ("fire3", "fire5", "fire7")

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.network = SqueezeNet(weights, deepest=7)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        made, wanted = self.network(output), self.network(target.detach())
        distances = [
            functional.l1_loss(
                functional.normalize(made[layer], dim=1), functional.normalize(wanted[layer], dim=1)
            )
            * made[layer].shape[1] ** 0.5
            for layer in self._LAYERS
        ]
        return torch.stack(distances).sum()
