"""Areas drawn with a brush."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.training.degradations.areas import (
    BROAD,
    COVERED_SHARE,
    FINE,
    SELECTED_SHARE,
    Brush,
    draw_holes,
    draw_tears,
)
from models.training.degradations.areas import draw_selection as draw


def test_some_pictures_have_a_selection_and_some_a_cover_but_none_has_both() -> None:
    drawn = [draw((48, 64), np.random.default_rng(seed)) for seed in range(400)]
    assert {d.shape for d in drawn} == {(2, 48, 64)}
    has = np.array([[bool(plane.any()) for plane in d] for d in drawn])
    assert not has.all(axis=1).any()
    assert has.mean(axis=0) == pytest.approx([SELECTED_SHARE, COVERED_SHARE], abs=0.05)
    assert not any(d[:, :, :].all() for d in drawn)


@pytest.mark.parametrize("brush", [BROAD, FINE])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3])
def test_holes_cover_the_share_and_not_all(share: float, brush: Brush) -> None:
    holes = draw_holes((96, 96), np.random.default_rng(1), share, brush)
    assert set(np.unique(holes)) <= {0.0, 1.0}
    assert share <= holes.mean() < share + 0.3


def test_what_a_fine_brush_leaves_is_gone_after_a_small_erosion() -> None:
    fine, broad = (
        draw_holes((400, 400), np.random.default_rng(2), 0.1, brush) for brush in (FINE, BROAD)
    )
    left = [cv2.erode(holes, np.ones((9, 9))).mean() / holes.mean() for holes in (fine, broad)]
    assert left[0] < 0.05 < 0.5 < left[1]


@pytest.mark.parametrize("seed", range(5))
def test_tears_take_a_corner_a_fold_and_a_place(seed: int) -> None:
    tears = draw_tears((200, 300), np.random.default_rng(seed))
    assert set(np.unique(tears)) == {0.0, 1.0}
    assert 0.05 < tears.mean() < 0.25
    assert sum(tears[y, x] for y in (0, -1) for x in (0, -1)) == 1
    assert tears.any(axis=0).all()
