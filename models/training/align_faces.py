"""Cut aligned faces out of portraits: `python -m models.training.align_faces PORTRAITS -o FACES`.

A command, not a library: it uses the pipeline's own stages, so that the generator is trained on
exactly the crops that it will be given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from backend.alignment import align, cut_crop, pixels_per_crop_pixel
from backend.face_finder import FaceFinder
from backend.files import load_picture
from backend.monitor import Monitor
from backend.stages.faces import find_faces

CROP_SIZE = 256


def aligned_faces(
    portrait: Path, finder: FaceFinder, smallest: float = 0.0
) -> list[npt.NDArray[np.float32]]:
    """The faces of one portrait, each (256, 256, 3) in [0, 1].

    Args:
        smallest: pixels of the portrait per pixel of the crop, below which a face is left out.
    """
    monitor = Monitor("faces", lambda _: None, lambda: False)
    color = load_picture(portrait).pixels[..., :3]
    found = find_faces(color, finder, monitor)
    alignments = [align(face, CROP_SIZE) for face in found]
    return [
        cut_crop(color, to_crop, CROP_SIZE)
        for to_crop in alignments
        if pixels_per_crop_pixel(to_crop) >= smallest
    ]


def align_portrait(portrait: Path, faces: Path, finder: FaceFinder, smallest: float) -> int:
    """Write the faces of one portrait as `<name>-<number>.png`; return how many there are."""
    crops = aligned_faces(portrait, finder, smallest)
    for number, crop in enumerate(crops, start=1):
        levels = np.round(crop * 255).astype(np.uint8)
        Image.fromarray(levels).save(faces / f"{portrait.stem}-{number}.png")
    return len(crops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("portraits", type=Path, nargs="+", metavar="PORTRAITS")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FACES")
    parser.add_argument(
        "--smallest",
        type=float,
        default=0.8,
        metavar="SCALE",
        help="leave out faces with fewer pixels per crop pixel: enlarged, they are no clean faces; "
        "default: 0.8",
    )
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    finder = FaceFinder()
    files = sorted(file for folder in chosen.portraits for file in folder.iterdir())
    count = sum(
        align_portrait(file, chosen.output, finder, chosen.smallest) for file in tqdm(files)
    )
    print(f"{count} faces from {len(files)} portraits")


if __name__ == "__main__":
    main()
