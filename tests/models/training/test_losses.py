"""Every loss on a case worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.training import losses
from models.training.discriminators import (
    LatentDiscriminator,
    PatchDiscriminator,
    beside,
    flatten,
    verdicts_of,
)


def test_the_focal_loss_of_one_pixel() -> None:
    # p = 0.75 on a damaged pixel: -0.6 * (1 - 0.75)² * log(0.75)
    logit = torch.log(torch.tensor(3.0)).view(1, 1, 1, 1)
    loss = losses.focal(logit, torch.ones(1, 1, 1, 1), gamma=2, positive_share=0.6)
    assert float(loss) == pytest.approx(0.6 * 0.0625 * -np.log(0.75), rel=1e-5)


def test_pixels_without_weight_do_not_count() -> None:
    logits, target = torch.tensor([[[[5.0, -5.0]]]]), torch.tensor([[[[0.0, 0.0]]]])
    weight = torch.tensor([[[[0.0, 1.0]]]])
    assert float(losses.focal(logits, target, weight)) < 1e-4
    assert float(losses.tversky(logits, target, weight)) < 0.01
    assert float(losses.tversky(logits, target)) > 0.3


def test_the_tversky_loss_weighs_false_alarms() -> None:
    logits = torch.tensor([20.0, 20.0, -20.0]).view(1, 1, 1, 3)  # claimed, claimed, not claimed
    target = torch.tensor([1.0, 0.0, 1.0]).view(1, 1, 1, 3)  # hit, false alarm, missed
    loss = losses.tversky(logits, target, false_alarms=0.75)
    assert float(loss) == pytest.approx(1 - 2 / (1 + 0.75 + 0.25 + 1), abs=1e-5)


def test_the_log_error_is_the_mean_over_pictures() -> None:
    target = torch.zeros(2, 3, 2, 2)
    output = torch.stack([torch.full((3, 2, 2), 1.0), torch.full((3, 2, 2), 0.1)])
    # Squared errors of 1 and 0.01, each a ten-thousandth more.
    expected = (np.log10(1.0001) + np.log10(0.0101)) / 2
    assert float(losses.log_error(output, target)) == pytest.approx(expected, abs=1e-5)


def test_the_log_error_of_masked_pixels_leaves_out_pictures_without_any() -> None:
    target = torch.zeros(2, 3, 2, 2)
    output = torch.ones(2, 3, 2, 2)
    where = torch.zeros(2, 1, 2, 2)
    assert float(losses.log_error(output, target, where)) == 0
    where[1, :, 0, 0] = 1
    output[1, :, 0, 0] = 0.1
    assert float(losses.log_error(output, target, where)) == pytest.approx(
        np.log10(0.0101), abs=1e-5
    )


def test_least_squares_is_the_mean_over_scales() -> None:
    verdicts = [torch.tensor([1.0, 0.0]), torch.tensor([3.0])]
    # Scales: ((1-1)² + (0-1)²)/2 = 0.5 and (3-1)² = 4.
    assert float(losses.least_squares(verdicts, 1.0)) == pytest.approx(2.25)


def test_the_critic_wants_ones_for_real_and_zeros_for_made() -> None:
    right = losses.critic_loss([torch.ones(2)], [torch.zeros(2)])
    wrong = losses.critic_loss([torch.zeros(2)], [torch.ones(2)])
    assert float(right) == 0
    assert float(wrong) == 1


def test_feature_matching_is_the_mean_distance_of_layers() -> None:
    made = [torch.tensor([1.0, 2.0]), torch.tensor([0.0])]
    real = [torch.tensor([0.0, 0.0]), torch.tensor([4.0])]
    assert float(losses.feature_matching(made, real)) == pytest.approx((1.5 + 4) / 2)


def test_feature_matching_moves_only_the_made_side() -> None:
    made, real = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    losses.feature_matching([made], [real]).backward()
    assert made.grad is not None
    assert real.grad is None


def test_the_latent_sides_pull_apart_and_together() -> None:
    old, synthetic = torch.ones(1), torch.zeros(1)
    critic, encoder = losses.latent_adversarial(old, synthetic)
    assert float(critic) == 0  # told apart
    assert float(encoder) == 1  # which is what the encoder must avoid


def test_the_reduced_divergence_is_the_mean_square() -> None:
    assert float(losses.reduced_kl(torch.tensor([1.0, -3.0]))) == 5


def test_a_discriminator_judges_each_scale() -> None:
    judge = PatchDiscriminator(6, width=8, layers=2, scales=2, spectral=True)
    picture, condition = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    judged = judge(beside(picture, condition))
    verdicts = verdicts_of(judged)
    assert [v.shape[:2] for v in verdicts] == [(2, 1), (2, 1)]
    assert verdicts[0].shape[2] > verdicts[1].shape[2]
    assert len(flatten(judged)) == 2 * 3


def test_a_latent_discriminator_can_learn_to_tell_two_kinds_apart() -> None:
    torch.manual_seed(0)
    judge = LatentDiscriminator(4, width=8)
    optimiser = torch.optim.Adam(judge.parameters(), lr=3e-3)
    for _ in range(40):
        old, synthetic = torch.randn(4, 4, 16, 16) + 0.5, torch.randn(4, 4, 16, 16) - 0.5
        loss, _unused = losses.latent_adversarial(judge(old), judge(synthetic))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert float(loss) < 0.15
