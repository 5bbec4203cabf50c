"""Frames around a photo and its print's edges are no scratches; what crosses the photo is one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from backend.frames import print_edges, printed_frames
from backend.images import Mask
from backend.stages.scratches import claim_damage
from tests.backend.networks import random_networks


def drawn(corners: list[tuple[int, int]], *, closed: bool = True, turn: float = 0) -> Mask:
    """Lines of three pixels on a picture of 300 x 400, turned by degrees around its middle."""
    mask = np.zeros((400, 300), np.uint8)
    matrix = cv2.getRotationMatrix2D((150, 200), turn, 1)
    points = np.round(np.array(corners) @ matrix[:, :2].T + matrix[:, 2]).astype(np.int32)
    cv2.polylines(mask, [points], closed, 255, 3)
    return mask


FRAME = [(40, 50), (260, 50), (260, 350), (40, 350)]
INNER = [(60, 70), (240, 70), (240, 330), (60, 330)]


@pytest.mark.parametrize("turn", [0, 2, -7])
def test_a_printed_frame_is_found_however_it_was_scanned(turn: float) -> None:
    frame = drawn(FRAME, turn=turn)
    both = np.maximum(frame, drawn(INNER, turn=turn))
    assert np.array_equal(printed_frames(frame), frame > 0)
    assert np.array_equal(printed_frames(both), both > 0)


def test_a_frame_of_which_pieces_are_found_is_one_and_a_scratch_within_it_none() -> None:
    frame = drawn(FRAME)
    frame[:, 90:200] = 0
    scratch = np.zeros_like(frame)
    scratch[80:300, 150:152] = 255
    assert np.array_equal(printed_frames(frame | scratch), frame > 0)


def test_two_scratches_side_by_side_are_no_frame() -> None:
    assert not printed_frames(drawn(FRAME[:2], closed=False) | drawn(FRAME[2:], closed=False)).any()


@pytest.mark.parametrize(
    "damage",
    [
        drawn([(40, 50), (260, 50), (260, 350)], closed=False),
        drawn([(0, 100), (299, 140)], closed=False) | drawn([(90, 0), (120, 399)], closed=False),
        drawn(FRAME) | drawn([(40, 50), (260, 350)], closed=False),
        drawn([(40, 50), (90, 50), (90, 120), (40, 120)]),
        np.full((400, 300), 255, np.uint8),
        np.zeros((400, 300), np.uint8),
    ],
    ids=["corner", "crossing", "frame with a scratch through it", "small", "everything", "nothing"],
)
def test_other_findings_are_no_frames(damage: Mask) -> None:
    assert not printed_frames(damage).any()


def test_a_round_outline_is_no_frame() -> None:
    oval = np.zeros((400, 300), np.uint8)
    cv2.ellipse(oval, (150, 200), (110, 160), 0, 0, 360, 255, 3)
    assert not printed_frames(oval).any()


@pytest.mark.parametrize(
    "ends",
    [
        [(0, 4), (299, 6)],
        [(100, 396), (180, 396)],
        [(3, 30), (3, 380)],
        [(295, 399), (297, 100)],
    ],
    ids=["top", "part of the bottom", "left", "right"],
)
def test_a_line_beside_the_border_is_an_edge(ends: list[tuple[int, int]]) -> None:
    edge, scratch = drawn(ends, closed=False), drawn([(60, 60), (240, 330)], closed=False)
    assert np.array_equal(print_edges(edge | scratch), edge > 0)


@pytest.mark.parametrize(
    "damage",
    [
        drawn([(0, 20), (299, 20)], closed=False),
        drawn([(100, 396), (140, 396)], closed=False),
        drawn([(1, 30), (6, 200)], closed=False),
        drawn([(3, 30), (3, 380), (150, 200)], closed=False),
        np.full((400, 300), 255, np.uint8),
        np.zeros((400, 300), np.uint8),
        np.full((1, 1), 255, np.uint8),
    ],
    ids=[
        *("farther in", "short", "rising", "a scratch hangs on it", "everything", "nothing"),
        "a picture of one pixel",
    ],
)
def test_other_findings_are_no_edges(damage: Mask) -> None:
    assert not print_edges(damage).any()


def test_neither_a_frame_nor_an_edge_is_claimed_as_damage() -> None:
    scratch = drawn([(150, 100), (170, 300)], closed=False)
    printed = drawn(FRAME) | drawn([(3, 30), (3, 380)], closed=False)
    probability = np.where(printed | scratch, 0.99, 0.001).astype(np.float32)
    gray = np.full(probability.shape, 0.5, np.float32)
    claim = claim_damage(probability, gray, random_networks("official"), 0.5)
    assert np.array_equal(claim.mask, scratch)
    assert not claim.is_some_too_large
