"""What time does to pictures: every operation, the recipes, the marks."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.training.degradations import faces, noise, optics, recipe, tone
from models.training.degradations.aging import Aging, Operation
from models.training.degradations.dice import Dice
from models.training.degradations.fields import is_gray, luminance
from models.training.degradations.jpeg import compress, compression
from models.training.degradations.lookalikes import add_print_edges, draw_lookalikes
from models.training.degradations.marks import (
    Paint,
    Sprites,
    Tone,
    draw_lines,
    draw_marks,
    load_sprites,
)
from models.training.degradations.painting import SMALLEST_CHANGE, add_marks, lay_over

OPERATIONS: dict[str, Operation] = {
    "soft focus": optics.soft_focus(2.0),
    "defocus": optics.defocus(3.0),
    "motion": optics.motion_blur(8.0),
    "resolution": optics.lost_resolution(3.0),
    "original blur": optics.blur_of_the_original,
    "original resolution": optics.resolution_of_the_original,
    "original noise": noise.noise_of_the_original,
    "grain": noise.film_grain(0.1),
    "halftone": noise.halftone,
    "paper": noise.paper_texture,
    "jpeg": compression(30, 90),
    "no colour": tone.without_color,
    "toning": tone.toning,
    "development": tone.development,
    "fading": tone.fading(0.6),
    "exposure": tone.exposure,
    "shading": tone.shading,
    "vignette": tone.vignette,
    "cast": tone.color_cast,
    "yellowing": tone.yellowing,
    "silvering": tone.silvering,
    "stain": tone.stain,
    "bleached side": tone.bleached_side,
}
# They change the colour of gray pictures, which is what they are for.
COLORING = {"toning", "cast", "yellowing", "silvering", "stain", "original noise"}


def pictures(count: int = 3, *, gray: bool = False) -> Tensor:
    """(count, 3, 72, 90): gradients with texture, different for each picture."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 72), torch.linspace(0, 1, 90), indexing="ij")
    texture = torch.rand(count, 3, 72, 90, generator=torch.Generator().manual_seed(4))
    base = torch.stack([y, x, (x + y) / 2])
    batch = 0.15 + 0.6 * base + 0.1 * texture
    return luminance(batch).expand(-1, 3, -1, -1).clone() if gray else batch


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_shape_and_range_and_is_fixed_by_its_seed(name: str) -> None:
    before = pictures()
    runs = []
    for seed in (1, 1, 2):
        aging = Aging.of(before)
        aging.apply(OPERATIONS[name], Dice(seed), 1.0)
        runs.append(aging)
    first, again, other = runs
    assert first.image.shape == before.shape
    assert bool(torch.isfinite(first.image).all())
    assert float(first.image.min()) >= 0
    assert float(first.image.max()) <= 1
    assert not torch.equal(first.image, before)
    torch.testing.assert_close(first.image, again.image, rtol=0, atol=0)
    assert first.applied == again.applied
    assert all(len(steps) == 1 for steps in first.applied)
    if name != "no colour":
        assert first.applied != other.applied
        assert not torch.equal(first.image, other.image)
    # Nothing without a drawn mark is structured damage.
    assert not first.mask.any()


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - COLORING))
def test_gray_stays_gray(name: str) -> None:
    aging = Aging.of(pictures(gray=True))
    aging.apply(OPERATIONS[name], Dice(3), 1.0)
    assert bool(is_gray(aging.image).all())


def test_only_the_chosen_pictures_are_changed_and_recorded() -> None:
    before = pictures()
    aging = Aging.of(before)
    aging.apply_to(torch.tensor([False, True, False]), noise.film_grain(0.1), Dice(5))
    assert torch.equal(aging.image[0], before[0])
    assert not torch.equal(aging.image[1], before[1])
    assert [len(steps) for steps in aging.applied] == [0, 1, 0]
    (step,) = aging.applied[1]
    assert step.name == "grain"
    assert 0.005 <= step.parameters["strength"] <= 0.1


@pytest.mark.parametrize("quality", [20, 50, 75, 92])
def test_jpeg_does_what_a_jpeg_file_does(quality: int) -> None:
    image = pictures(1)
    made = compress(image, torch.full((1, 1, 1, 1), float(quality)))
    buffer = io.BytesIO()
    levels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(levels).save(buffer, "jpeg", quality=quality, subsampling=2)
    real = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)[None] / 255
    loss = float(((real - image) ** 2).mean())
    apart = float(((real - made) ** 2).mean())
    # Libraries enlarge the colour planes and round in their own ways; the loss itself is common.
    assert apart < loss / 3


def test_lossless_quality_changes_gray_pictures_by_rounding_alone() -> None:
    image = (pictures(gray=True) * 255).round() / 255
    made = compress(image, torch.full((3, 1, 1, 1), 100.0))
    assert float((made - image).abs().max()) <= 2.01 / 255


def test_noise_has_the_strength_it_is_recorded_with() -> None:
    flat = torch.full((4, 3, 128, 128), 0.5)
    aging = Aging.of(flat)
    aging.apply(noise.film_grain(0.1), Dice(8), 1.0)
    for picture, (step,) in zip(aging.image, aging.applied, strict=True):
        # On mid-gray both the even and the uneven grain have their full strength.
        assert float(picture.std()) == pytest.approx(step.parameters["strength"], rel=0.1)


SPRITES: Sprites = {"hair": [np.pad(np.full((40, 3), 255, np.uint8), 4)]}


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_is_where_marks_changed_the_picture(seed: int) -> None:
    before = pictures(2)
    paint = draw_marks((72, 90), np.random.default_rng(seed), SPRITES, amount=8)
    aging = Aging.of(before)
    add_marks(aging, torch.from_numpy(paint.as_array()).expand(2, -1, -1, -1))
    change = (luminance(aging.image) - luminance(before)).abs()
    assert set(aging.mask.unique().tolist()) <= {0.0, 1.0}
    assert bool((change[aging.mask == 1] > 0).all())
    known = (aging.mask + aging.unsure) > 0
    assert bool((change[~known] <= SMALLEST_CHANGE).all())
    assert not bool(((aging.mask > 0) & (aging.unsure > 0)).any())
    assert paint.kinds


def test_plain_lines_are_long_thin_and_of_both_tones() -> None:
    drawn = [draw_lines((100, 160), np.random.default_rng(seed)) for seed in range(40)]
    extents = []
    for paint in drawn:
        assert 1 <= len(paint.kinds) <= 3
        rows, columns = (paint.opacity > 0.4).nonzero()
        assert len(rows) < 0.15 * paint.opacity.size
        extents.append(max(np.ptp(rows) / 100, np.ptp(columns) / 160))
    assert np.median(extents) > 0.6
    levels = [(p.color.sum() / p.opacity.sum() / 3) for p in drawn if len(p.kinds) == 1]
    assert min(levels) < 0.3
    assert max(levels) > 0.7


def test_a_plain_mark_on_a_plain_picture_is_its_mask() -> None:
    paint = torch.zeros(1, 4, 32, 32)
    paint[:, :, 10:20, 5:15] = 1
    aging = Aging.of(torch.full((1, 3, 32, 32), 0.4))
    add_marks(aging, paint)
    assert torch.equal(aging.mask[0, 0], paint[0, 3])


def test_texture_hides_a_faint_mark() -> None:
    texture = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    plain = torch.full((1, 3, 32, 32), 0.4)
    paint = torch.zeros(1, 4, 32, 32)
    paint[:, 3, 10:20, 5:15], paint[:, :3, 10:20, 5:15] = 0.15, 0.15
    seen = []
    for image in (plain, texture.expand(-1, 3, -1, -1) * 0.9):
        aging = Aging.of(image)
        add_marks(aging, paint)
        seen.append(float(aging.mask.sum()))
    assert seen[0] > 80
    assert seen[1] < 10


@pytest.mark.parametrize(("tone_name", "darker"), [("light", False), ("dark", True)])
def test_marks_can_be_light_or_dark_alone(tone_name: Tone, darker: bool) -> None:
    image = torch.full((1, 3, 128, 128), 0.5)
    paint = draw_marks((128, 128), np.random.default_rng(3), {}, 3.0, tone_name)
    after = lay_over(image, torch.from_numpy(paint.as_array())[None])
    change = (after - image).flatten()
    assert float(change.abs().max()) > 0.1
    assert bool((change <= 1e-6).all() if darker else (change >= -1e-6).all())


def test_lookalikes_are_fixed_by_their_seed_and_visible() -> None:
    first, again, other = (
        draw_lookalikes((64, 80), np.random.default_rng(seed)).as_array() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (4, 64, 80)
    assert first[3].max() > 0.2


@pytest.mark.parametrize("sides", [1, 2, 4])
def test_a_print_shows_as_many_edges_as_told(sides: int) -> None:
    paint = Paint.nothing((96, 96))
    add_print_edges(paint, (96, 96), np.random.default_rng(5), sides=sides)
    opaque = paint.opacity > 0.99
    middles = [opaque[0, 48], opaque[-1, 48], opaque[48, 0], opaque[48, -1]]
    assert sum(bool(seen) for seen in middles) == sides
    assert not opaque[30:66, 30:66].any()
    assert paint.kinds == ["margin", "ground"]


def test_train_and_test_sprites_are_disjoint(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "hair"
    folder.mkdir()
    for number in range(20):
        Image.fromarray(np.full((2, number + 1), 255, np.uint8)).save(folder / f"{number:02}.png")
    parts = [load_sprites(folder.parent, part)["hair"] for part in ("train", "test")]
    widths = [{sprite.shape[1] for sprite in part} for part in parts]
    assert widths[0] | widths[1] == set(range(1, 21))
    assert not widths[0] & widths[1]


def test_the_recipe_of_the_original_uses_its_four_operations_in_any_order() -> None:
    aging = recipe.original(pictures(1).expand(60, -1, -1, -1), Dice(1))
    names = [tuple(step.name for step in steps) for steps in aging.applied]
    assert {name for steps in names for name in steps} == {
        "blur_of_the_original",
        "noise_of_the_original",
        "resolution_of_the_original",
        "jpeg",
    }
    assert all(len(set(steps)) == len(steps) for steps in names)
    assert len({steps for steps in names if len(steps) == 4}) > 3  # not one fixed order
    mean = np.mean([len(steps) for steps in names])
    assert mean == pytest.approx(4 * 0.7, abs=0.4)
    levels = aging.image * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)


def test_shading_touches_every_picture_and_keeps_its_detail() -> None:
    before = pictures(8)
    aging = recipe.shading(before, Dice(2))
    assert all(aging.applied)
    assert not aging.mask.any()


def test_one_fault_is_one_for_each_picture_and_clouds_for_half_of_them() -> None:
    aging = recipe.one_fault(pictures(200), Dice(2))
    names = [[step.name for step in steps] for steps in aging.applied]
    assert {len(steps) for steps in names} == {1}
    assert len({steps[0] for steps in names}) == 9
    assert names.count(["shading"]) == pytest.approx(100, abs=20)


def test_the_photo_recipe_marks_only_painted_damage() -> None:
    clean = recipe.developed(pictures(), Dice(1))
    assert not recipe.photo(clean, Dice(2), None).mask.any()
    paint = torch.zeros(3, 4, 72, 90)
    paint[:, :, 20:30, 20:60] = 1
    mask = recipe.photo(clean, Dice(2), paint).mask
    assert bool(mask[:, :, 20:30, 20:60].any())
    assert not mask[:, :, :18].any()


def test_without_likelihood_nothing_happens() -> None:
    clean = pictures()
    assert torch.equal(recipe.photo(clean, Dice(1), None, likelihood=0.0).image, clean)


@pytest.mark.parametrize("side", [64, 128, 256])
def test_faces_are_aged_at_the_size_they_have_in_photos(side: int) -> None:
    clean = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    aged = faces.aged_faces(clean, side, Dice(3))
    assert aged.shape == (2, 3, side, side)
    assert float(aged.min()) >= 0
    assert float(aged.max()) <= 1
    assert torch.equal(aged, faces.aged_faces(clean, side, Dice(3)))
    back = faces.resized(aged, 128)
    assert back.shape == clean.shape
    assert not torch.equal(back, clean)


def test_all_sides_of_faces_occur() -> None:
    assert {faces.common_side(Dice(seed)) for seed in range(60)} == set(faces.SIDES)
