"""Judge a set of weights on fixed degraded pictures: `python -m models.training.evaluate`.

Writes a report (Markdown tables and PNG sheets). The same seeds give the same pictures, for any
folder of pictures; "ours" are the stages of the backend, as users run them.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import torch

from backend.device import choose_device
from backend.networks import Networks
from backend.options import Options
from models.loading import WeightFileError
from models.registry import resolve_weights
from models.training.damage_labels import LabelledPhotos, load_labels
from models.training.datasets import PicturePool, from_bgr
from models.training.degradations.marks import load_sprites
from models.training.evaluation import blended, detection, faces, restoration
from models.training.evaluation.methods import Repair, classical, damage_map, ours, unchanged
from models.training.evaluation.metrics import PerceptualDistance
from models.training.evaluation.report import Report
from models.training.settings import DATA
from models.training.transplants import lift_damage

PARTS = ("detection", "restoration", "faces", "sheets")

# Larger pictures are reduced to this longest side: the tables compare methods, not patience.
LONGEST_SIDE = 512
LONGEST_SIDE_OF_SHEETS = 1024


def main() -> None:
    chosen = _parse()
    device = choose_device("auto")
    sets = {name: Networks(resolve_weights(name), device) for name in chosen.weights}
    photos = PicturePool([chosen.photos or chosen.data / "val" / "photos"], LONGEST_SIDE)
    old_folder = chosen.old or chosen.data / "val" / "old"
    sprites = load_sprites(chosen.data / "train" / "damage", "test")
    distance = PerceptualDistance(chosen.data / "perceptual")
    methods: dict[str, Repair] = {"input": unchanged, "classical": classical}
    methods |= {name: ours(networks) for name, networks in sets.items()}
    report = Report(chosen.output, "Evaluation of the weights " + ", ".join(sets))
    labels = load_labels("val")

    @cache
    def old_photos() -> LabelledPhotos:
        return LabelledPhotos([old_folder], LONGEST_SIDE_OF_SHEETS, labels)

    if "detection" in chosen.only:
        old, lifted = PicturePool([old_folder], LONGEST_SIDE), lift_damage(old_photos())
        for name, networks in sets.items():
            detection.report_detection(report, name, networks, photos, old, sprites, lifted)
            detection.report_real_damage(report, name, networks, old_photos(), labels)
    if "restoration" in chosen.only:
        # Clean photos are enough for all the other presets.
        lifted = lift_damage(old_photos()) if old_folder.is_dir() else []
        alone = Options(cleaning=False, tone=False)
        repairs = {f"{name}, damage alone": ours(n, alone) for name, n in sets.items()}
        restoration.report_restoration(report, methods, repairs, photos, sprites, lifted, distance)
    if "faces" in chosen.only:
        crops = faces.open_faces(chosen.faces or chosen.data / "val" / "faces")
        for name, networks in sets.items():
            faces.report_faces(report, name, networks, crops, distance)
            blended.report_blended(report, name, networks, old_photos())
    if "sheets" in chosen.only:
        whole = old_photos()
        for name, networks in sets.items():
            detection.sheet_of_old_photos(report, networks, whole, f"Found on old photos, {name}")
            images = [from_bgr(levels) for levels in whole.pictures]
            found = [detection.claim(i, damage_map(i, networks), networks) for i in images]
            title = f"Restored old photos, {name}"
            restoration.sheet_of_restored(report, ours(networks), whole, found, title)
        restoration.sheet_of_degraded(report, methods, photos, sprites, 10)
    print(f"\nThe report is {chosen.output / 'report.md'}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of all that follows")
    parser.add_argument("--photos", type=Path, help="clean photos; default: DATA/val/photos")
    parser.add_argument("--faces", type=Path, help="portraits; default: DATA/val/faces")
    parser.add_argument("--old", type=Path, help="real old photos; default: DATA/val/old")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=["bundled"],
        help="sets to compare: bundled, official or a folder",
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REPORT")
    chosen = parser.parse_args()
    try:
        for name in chosen.weights:
            resolve_weights(name)
    except WeightFileError as error:
        parser.error(str(error))
    torch.manual_seed(0)
    return chosen


if __name__ == "__main__":
    main()
