"""Masks between the photo's full size and the size of its preview."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.review.photos import reduced_mask
from tests.backend.review.expectations import enlarged

sides = st.integers(1, 60)


@given(sides, sides, sides, sides, st.integers(0, 2**32 - 1))
def test_a_mask_comes_back_as_it_was_enlarged(
    height: int, width: int, more_rows: int, more_columns: int, seed: int
) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    full = enlarged(small, (height + more_rows - 1, width + more_columns - 1))
    assert np.array_equal(reduced_mask(full, small.shape), small)


@given(sides, sides, st.data())
def test_no_marked_pixel_is_lost(height: int, width: int, data: st.DataObject) -> None:
    mask = np.zeros((height, width), np.uint8)
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    mask[row, column] = 255
    shape = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    small = reduced_mask(mask, shape)
    assert small.shape == shape
    assert (small == 255).sum() == 1
    assert enlarged(small, mask.shape)[row, column] == 255
