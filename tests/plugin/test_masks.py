"""Masks are joined and erased alike, whatever piece of them a pixel lies in."""

from __future__ import annotations

import numpy as np

from plugin.shared.masks import PIECE, brightest, join, without_erased


def mask(seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Soft values in the first piece, black and white ones in the next, and a short last one."""
    values = np.zeros(3 * PIECE + 7, np.uint8)
    rng = np.random.default_rng(seed)
    values[:PIECE] = rng.integers(0, 256, PIECE)
    values[PIECE : 2 * PIECE] = 255 * (seed % 2)
    values[-3:] = (255, 0, seed)
    return values


def test_the_larger_value_wins_everywhere() -> None:
    one, two = mask(1), mask(2)
    assert join(one.tobytes(), two.tobytes()) == np.maximum(one, two).tobytes()
    assert join(one.tobytes(), None) == one.tobytes()


def test_paint_of_any_pure_colour_counts_as_white() -> None:
    one, two, three = mask(1), mask(2), mask(3)
    channels = [channel.tobytes() for channel in (one, two, three)]
    assert brightest(channels) == np.max([one, two, three], axis=0).tobytes()
    assert brightest(channels[:1]) == one.tobytes()
    assert brightest([channels[1]] * 3) == two.tobytes()


def test_erased_pixels_are_no_damage() -> None:
    values, alpha = mask(1), mask(3)
    expected = (values.astype(int) * alpha // 255).astype(np.uint8)
    assert without_erased(values.tobytes(), alpha.tobytes()) == expected.tobytes()
    assert without_erased(values.tobytes(), bytes(len(values))) == bytes(len(values))
