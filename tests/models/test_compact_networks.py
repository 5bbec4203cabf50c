"""The networks of the bundled weights: U-Nets over pixels, the tone grid, the filling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.compact_unet import CompactFaceGenerator, CompactScratchUNet, RestorationUNet
from models.filling import fill_smoothly
from models.tone_grid import STATISTICS, ToneGrid, apply_grid, tone_statistics


def small_restoration() -> RestorationUNet:
    torch.manual_seed(0)
    network = RestorationUNet(width=8, deepest_width=16, blocks=1)
    for name, parameter in network.named_parameters():
        if name.startswith("last") or name.endswith("second.weight"):
            torch.nn.init.normal_(parameter, std=0.05)
    return network.eval().requires_grad_(False)


def test_a_fresh_network_changes_nothing() -> None:
    network = RestorationUNet(width=8, deepest_width=16, blocks=1).eval()
    mask = torch.zeros(1, 1, 32, 48)
    mask[..., 8:20, 8:20] = 1
    filled, photo = torch.rand(1, 3, 32, 48), torch.rand(1, 3, 32, 48)
    grain = 0.1 * torch.rand(1, 1, 32, 48)
    with torch.inference_mode():
        change = network(filled, mask, photo, grain)
        assert not network(filled, mask, filled, grain).any()
    assert not change[(mask == 0).expand_as(change)].any()
    # Of what the photo shows under the mask an untrained network keeps a twentieth.
    torch.testing.assert_close(change, np.log1p(np.exp(-3)) * (photo - filled) * mask)


def test_the_change_has_the_pictures_shape() -> None:
    photo = torch.rand(2, 3, 32, 48)
    nothing = torch.zeros(2, 1, 32, 48)
    change = small_restoration()(photo, nothing, photo, nothing)
    assert change.shape == (2, 3, 32, 48)
    assert change.any()


@pytest.mark.parametrize("network", [small_restoration(), CompactScratchUNet(width=8)])
def test_a_size_that_does_not_fit_is_named(network: torch.nn.Module) -> None:
    photo, gray = torch.zeros(1, 3, 30, 48), torch.zeros(1, 1, 30, 48)
    inputs = (photo, gray, photo, gray) if isinstance(network, RestorationUNet) else (gray,)
    with pytest.raises(ValueError, match="multiples of 16, but got 30x48"):
        network(*inputs)


def test_a_fresh_face_generator_changes_no_face() -> None:
    generator = CompactFaceGenerator(width=8, deepest_width=16, blocks=1, crop_size=64).eval()
    with torch.inference_mode():
        assert not generator(torch.rand(1, 6, 64, 64)).any()


def test_a_face_generator_sees_the_photo_only_where_it_differs_from_the_face() -> None:
    torch.manual_seed(0)
    generator = CompactFaceGenerator(width=8, deepest_width=16, blocks=1, crop_size=64).eval()
    torch.nn.init.normal_(generator.last.weight, std=0.1)
    face, photo = torch.rand(2, 1, 3, 64, 64)
    with torch.inference_mode():
        same, other = (generator(torch.cat([face, seen], dim=1)) for seen in (face, photo))
        generator.first.weight[:, 12:] = 0
        blind = generator(torch.cat([face, photo], dim=1))
    assert not torch.allclose(same, other)
    torch.testing.assert_close(blind, same)


@pytest.mark.parametrize("side", [64, 128])
def test_a_face_generator_knows_places_at_any_size(side: int) -> None:
    """What it learned about eyes must lie where the eyes are, also in a larger crop."""
    torch.manual_seed(0)
    generator = CompactFaceGenerator(width=8, deepest_width=16, blocks=1, crop_size=64).eval()
    torch.nn.init.normal_(generator.last.weight, std=0.1)
    torch.nn.init.zeros_(generator.first.weight)
    plain = torch.zeros(1, 6, side, side)
    with torch.inference_mode():
        before = generator(plain)
        generator.places[..., 1, 1] = 5.0
        change = (generator(plain) - before).abs().mean(dim=1)[0]
    rows, columns = torch.meshgrid(*[torch.arange(side) / side] * 2, indexing="ij")
    middle = [float((change * axis).sum() / change.sum()) for axis in (rows, columns)]
    assert middle == pytest.approx([1.5 / 4, 1.5 / 4], abs=0.03)


def test_a_mostly_damaged_cell_says_nothing_of_itself() -> None:
    """Its features come from other cells, so what lies there can change only its own pixels."""
    network = small_restoration()
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    with torch.inference_mode():
        x, nothing = torch.rand(1, 3, 64, 64), torch.zeros_like(mask)
        masked, whole = (network(x, m, x, nothing) for m in (mask, nothing))
        assert not torch.allclose(masked, whole)


def test_what_the_photo_shows_outside_the_mask_is_not_looked_at_twice() -> None:
    network = small_restoration()
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 4:9, 4:9] = 1
    filled, photo = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    elsewhere = torch.where(mask > 0, photo, torch.rand(1, 3, 32, 32))
    with torch.inference_mode():
        grain = torch.zeros_like(mask)
        shown = network(filled, mask, photo, grain)
        assert torch.equal(shown, network(filled, mask, elsewhere, grain))
        assert not torch.allclose(shown, network(filled, mask, filled, grain))


def test_a_hole_in_a_plain_area_is_filled_with_it() -> None:
    image = torch.full((1, 3, 37, 53), 0.4)
    mask = torch.zeros(1, 1, 37, 53)
    mask[..., 10:30, 20:45] = 1
    broken = image * (1 - mask) + mask
    torch.testing.assert_close(fill_smoothly(broken, mask), image)


def test_unmasked_pixels_keep_their_values() -> None:
    image = torch.rand(2, 3, 33, 20, generator=torch.Generator().manual_seed(1))
    mask = (torch.rand(2, 1, 33, 20, generator=torch.Generator().manual_seed(2)) > 0.6).float()
    filled = fill_smoothly(image, mask)
    keep = (mask == 0).expand_as(image)
    assert torch.equal(filled[keep], image[keep])
    assert float(filled.min()) >= 0
    assert float(filled.max()) <= 1


def test_a_ramp_is_continued_through_a_scratch() -> None:
    ramp = torch.linspace(0, 1, 64).view(1, 1, 1, 64).expand(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :, 30:34] = 1
    assert float((fill_smoothly(ramp * (1 - mask), mask) - ramp).abs().max()) < 0.05


def test_nothing_known_gives_black() -> None:
    assert not fill_smoothly(torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)).any()


def test_a_fresh_grid_is_the_identity() -> None:
    grid = ToneGrid(width=6)(torch.rand(1, 3, 64, 96))
    assert grid.shape == (1, 12, 6, 16, 24)
    image = torch.rand(1, 3, 70, 100) * 2 - 1
    torch.testing.assert_close(apply_grid(image, grid), image)


def test_the_statistics_of_tone_do_not_say_where_it_lies() -> None:
    blocks = (torch.rand(1, 3, 12, 16) * 2 - 1).flatten(2)
    moved = blocks[:, :, torch.randperm(12 * 16)]
    first, second = (
        tone_statistics(b.view(1, 3, 12, 16).repeat_interleave(2, 2).repeat_interleave(2, 3))
        for b in (blocks, moved)
    )
    assert first.shape == (1, STATISTICS)
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


def test_the_statistics_of_tone_are_quantiles_and_tints() -> None:
    gray = torch.linspace(-1, 1, 256).repeat_interleave(4).expand(1, 3, 4, 1024)
    known = tone_statistics(gray)[0]
    quantiles, shares, tints = known[:51], known[51:63], known[63:]
    torch.testing.assert_close(quantiles[:17], torch.linspace(-1, 1, 17), rtol=0, atol=0.01)
    torch.testing.assert_close(shares**2, torch.full((12,), 1 / 12), rtol=0, atol=0.003)
    torch.testing.assert_close(tints, torch.zeros(48), rtol=0, atol=1e-3)
    # Blue paper: less red, more blue, everywhere alike.
    blue = gray + torch.tensor((-0.1, 0.0, 0.1)).view(1, 3, 1, 1)
    tints = tone_statistics(blue)[0, 63:].view(4, 12)
    assert bool((tints[0] < -0.3).all())
    assert bool((tints[1] > 0.4).all())
    torch.testing.assert_close(tints[2:], torch.zeros(2, 12), rtol=0, atol=1e-3)


def test_the_tone_network_computes_with_half_precision() -> None:
    network = ToneGrid(width=6).to(torch.bfloat16)
    grid = network(torch.rand(1, 3, 32, 64, dtype=torch.bfloat16))
    assert grid.dtype == torch.bfloat16
    assert not grid.any()


def test_a_grid_applies_its_matrix_and_constant() -> None:
    grid = torch.zeros(1, 12, 2, 3, 3)
    grid[:, 0] = 0.5  # red from red
    grid[:, 7] = -0.25  # green constant
    image = torch.rand(1, 3, 8, 8)
    after = apply_grid(image, grid)
    torch.testing.assert_close(after[:, 0], image[:, 0] * 1.5)
    torch.testing.assert_close(after[:, 1], image[:, 1] - 0.25)
    torch.testing.assert_close(after[:, 2], image[:, 2])


def test_a_grid_acts_by_brightness() -> None:
    grid = torch.zeros(1, 12, 2, 1, 1)
    grid[:, 3::4, 1] = 0.5  # bright places only
    dark, bright = torch.full((1, 3, 4, 4), -0.9), torch.full((1, 3, 4, 4), 0.9)
    assert float((apply_grid(dark, grid) - dark).abs().max()) < 1e-6
    torch.testing.assert_close(apply_grid(bright, grid), bright + 0.5)


def test_strips_of_a_picture_get_what_the_whole_gets() -> None:
    grid = torch.randn(1, 12, 6, 8, 8, generator=torch.Generator().manual_seed(3)) * 0.1
    image = torch.rand(1, 3, 64, 40) * 2 - 1
    whole = apply_grid(image, grid)
    strips = [
        apply_grid(image[:, :, t : t + 16], grid, (t / 64, (t + 16) / 64)) for t in range(0, 64, 16)
    ]
    torch.testing.assert_close(torch.cat(strips, 2), whole, atol=1e-5, rtol=0)
