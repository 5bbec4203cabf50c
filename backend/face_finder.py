"""dlib's face detector and landmark model, kept warm."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.errors import WeightsError
from backend.geometry import Box, Landmarks

LANDMARK_FILE: Final = Path("models", "shape_predictor_68_face_landmarks.dat")
PACKAGE: Final = "face_recognition_models"

REMEMBERED: Final = 128
"""Pictures whose boxes are known without another look: a photo, its restoration, the parts of both
and the crops."""

_Remembered = OrderedDict[tuple[bytes, tuple[int, ...], float], list[tuple[float, Box]]]


def landmark_model_path() -> Path:
    """Where the 68-landmark model lies.

    Raises:
        WeightsError: it is not installed.
    """
    # The package itself is not imported: it needs the removed pkg_resources.
    found = importlib.util.find_spec(PACKAGE)
    folder = Path(found.origin).parent if found is not None and found.origin else None
    if folder is None or not (folder / LANDMARK_FILE).is_file():
        raise WeightsError(
            "The face landmark model {file} is missing: install the Python package {package}, or "
            "switch the enhancement of faces off.",
            code="landmarks-missing",
            file=LANDMARK_FILE.name,
            package=PACKAGE,
        )
    return folder / LANDMARK_FILE


def is_installed() -> bool:
    """Whether faces can be found on this computer."""
    try:
        return landmark_model_path().is_file() and importlib.util.find_spec("dlib") is not None
    except WeightsError:
        return False


class FaceFinder:
    """Finds upright faces and their landmarks in gray pictures.

    Raises:
        WeightsError: dlib or its landmark model is not installed.
    """

    def __init__(self) -> None:
        path = landmark_model_path()
        try:
            import dlib  # takes a while, and is absent on some computers
        except ImportError as error:
            raise WeightsError(
                "The face detector dlib is missing: install the Python package dlib-bin or dlib, "
                "or switch the enhancement of faces off.",
                code="dlib-missing",
            ) from error
        self._dlib: Any = dlib
        self._detector: Any = dlib.get_frontal_face_detector()
        self._predictor: Any = dlib.shape_predictor(str(path))
        self._remembered: _Remembered = OrderedDict()

    def find_boxes(self, gray: npt.NDArray[np.uint8], threshold: float) -> list[tuple[float, Box]]:
        """Find faces from about 73 pixels width in (H, W) `gray`.

        Returns:
            Score and box of each, best first; boxes may cross the border.
        """
        gray = np.ascontiguousarray(gray)
        key = hashlib.blake2b(gray.data).digest(), gray.shape, threshold
        if key not in self._remembered:
            self._remembered[key] = self._search(gray, threshold)
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(key)
        return list(self._remembered[key])

    def _search(self, gray: npt.NDArray[np.uint8], threshold: float) -> list[tuple[float, Box]]:
        rectangles, scores, _ = self._detector.run(gray, 0, threshold)
        found = [
            (float(score), Box(r.left(), r.top(), r.right() + 1, r.bottom() + 1))
            for r, score in zip(rectangles, scores, strict=True)
        ]
        return sorted(found, key=lambda pair: -pair[0])

    def find_landmarks(self, gray: npt.NDArray[np.uint8], box: Box) -> Landmarks:
        """The 68 landmarks of the face in `box`, (68, 2)."""
        rectangle = self._dlib.rectangle(box.x0, box.y0, box.x1 - 1, box.y1 - 1)
        shape = self._predictor(np.ascontiguousarray(gray), rectangle)
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)
