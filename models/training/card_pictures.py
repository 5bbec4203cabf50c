"""Make the pictures of the model card: `python -m models.training.card_pictures`.

Photos that come with scikit-image are aged as in the tests and restored by the bundled weights.
They are in the public domain, given by NASA (astronaut), SpaceX (rocket), Lav Varshney (man with
camera), Stefan van der Walt (cat) and Rachel Michetti (cup).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from backend.demo import age, load_portrait
from backend.device import choose_device
from backend.face_finder import FaceFinder
from backend.networks import Networks
from backend.options import Options
from models.registry import bundled_folder, resolve_weights
from models.training.align_faces import aligned_faces
from models.training.datasets import PicturePool, as_tensor, from_bgr
from models.training.degradations.faces import SIDES
from models.training.degradations.marks import FloatArray, Sprites, load_sprites
from models.training.evaluation import blended
from models.training.evaluation.faces import STEPS, Judge
from models.training.evaluation.methods import Repair, classical, ours, telea, unchanged
from models.training.evaluation.metrics import PerceptualDistance
from models.training.evaluation.pictures import degraded_pictures, torn
from models.training.evaluation.report import fitted, joined, zoomed
from models.training.settings import DATA

PORTRAIT = "astronaut.png"
PHOTOS = (PORTRAIT, "camera.png", "chelsea.png", "coffee.png", "rocket.jpg")
PLACES = ((0.35, 0.1), (0.55, 0.2), (0.6, 0.4), (0.5, 0.5), (0.55, 0.65))
"""Of the parts that are shown at 2x."""

TORN = ("camera.png", PORTRAIT, "coffee.png")

LONGEST_SIDE = 512
QUALITY = 80


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="with marks and features")
    parser.add_argument("-o", "--output", type=Path, default=bundled_folder(), metavar="DIR")
    chosen = parser.parse_args()
    networks = Networks(resolve_weights("bundled"), choose_device("auto"))
    examples = Path(skimage.__file__).parent / "data"
    sprites = load_sprites(chosen.data / "train" / "damage", "test")
    picture_photos(chosen.output / "photos.webp", examples, networks, sprites)
    distance = PerceptualDistance(chosen.data / "perceptual")
    picture_torn(chosen.output / "torn.webp", examples, networks)
    picture_faces(chosen.output / "faces.webp", examples / PORTRAIT, networks, distance)
    picture_blended(chosen.output / "blended.webp", networks)


def picture_photos(path: Path, examples: Path, networks: Networks, sprites: Sprites) -> None:
    """Aged photos, known marks among the damage: whole, and a part of each method's at 2x."""
    methods: dict[str, Repair] = {
        "aged": unchanged,
        "classical": classical,
        "ours": ours(networks),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in PHOTOS:
            shutil.copy(examples / name, folder)
        pool = PicturePool([Path(folder)], LONGEST_SIDE)
    rows = []
    for picture, place in zip(degraded_pictures(pool, "photo", sprites), PLACES, strict=True):
        made = {n: repair(picture.degraded, picture.damage) for n, repair in methods.items()}
        parts = [zoomed(image, *place) for image in (*made.values(), picture.clean)]
        rows.append([fitted(made["aged"]), fitted(made["ours"]), *parts])
    columns = ["aged", "ours", *(f"{name}, 2x" for name in (*methods, "clean"))]
    _save(joined(columns, rows), path)


def picture_torn(path: Path, examples: Path, networks: Networks) -> None:
    """Photos of which large parts are gone: filled by Telea's method and by ours."""
    ours_alone = ours(networks, Options(tone=False))
    rows = []
    for number, name in enumerate(TORN):
        with Image.open(examples / name) as opened:
            clean = from_bgr(np.asarray(opened.convert("RGB"))[..., ::-1])
        aging = torn(as_tensor(clean)[None], np.random.default_rng(number))
        given = np.asarray(aging.image[0].permute(1, 2, 0).numpy(), np.float32)
        damage = aging.mask[0, 0].numpy().astype(np.uint8)
        made: list[FloatArray] = [given, telea(given, damage), ours_alone(given, damage), clean]
        rows.append([fitted(image) for image in made])
    _save(joined(["torn", "Telea", "ours", "as it was"], rows), path)


def picture_faces(
    path: Path, portrait: Path, networks: Networks, distance: PerceptualDistance
) -> None:
    """One face at the sizes of the tests: aged, restored, enhanced, and as it was."""
    (face,) = aligned_faces(portrait, FaceFinder())
    judge = Judge(networks, distance)
    trials = [judge.try_face(np.asarray(face, np.float32), [0, side]) for side in SIDES]
    rows = [[*(trial.pictures[name] for name in STEPS), trial.clean] for trial in trials]
    _save(joined([*STEPS, "clean"], rows), path)


def picture_blended(path: Path, networks: Networks) -> None:
    """The face of the aged example: in the photo, restored, and the enhanced one blended in."""
    rows = [face.cells() for face in blended.faces_on(age(load_portrait())[..., ::-1], networks)]
    _save(joined(blended.COLUMNS, rows), path)


def _save(sheet: FloatArray, path: Path) -> None:
    picture = Image.fromarray(np.round(sheet * 255).astype(np.uint8))
    picture.save(path, quality=QUALITY, method=6)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
