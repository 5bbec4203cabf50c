"""How well pictures are restored, and how little clean ones are harmed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.training.datasets import PicturePool, from_bgr
from models.training.degradations.marks import Sprites
from models.training.evaluation.methods import Repair, one_after_the_other, telea
from models.training.evaluation.metrics import (
    PerceptualDistance,
    color_drift,
    ratio,
    similarity,
)
from models.training.evaluation.pictures import (
    DAMAGE_ALONE,
    PAPER_DAMAGE,
    PRESETS,
    Degraded,
    Preset,
    degraded_pictures,
)
from models.training.evaluation.report import Report, Table, fitted, zoomed
from models.training.transplants import Transplant

Methods = dict[str, Repair]

_TEXTS: dict[Preset, str] = {
    "original": "The original's four operations in random order, no holes.",
    "photo": "Lens, print, years and scanner as trained on here, with known marks.",
    "paper": "The four operations, fading and toning, known marks and narrow holes.",
    "wide holes": "The four operations, fading and toning, known marks and wide holes.",
    "shading": "Complex shading alone: fading, clouds, vignettes, casts, yellowing, stains.",
    "scratches": "Known marks alone on otherwise clean pictures.",
    "torn": "A lost corner, a wide fold and a hole, known, on otherwise clean pictures.",
    "lifted": "Known damage lifted off the old photos for tests, on otherwise clean pictures.",
}


def report_restoration(
    report: Report,
    methods: Methods,
    repairs: Methods,
    photos: PicturePool,
    sprites: Sprites,
    lifted: Sequence[Sequence[Transplant]],
    distance: PerceptualDistance,
) -> None:
    """One table for each preset, and one for clean pictures.

    Args:
        methods: what restores whole pictures.
        repairs: what changes the damage alone; judged where there is nothing but damage.
        lifted: damage of old photos that are not trained on; empty leaves its preset out.
    """
    for preset in PRESETS:
        if preset == "lifted" and not lifted:
            continue
        pictures = list(degraded_pictures(photos, preset, sprites, lifted))
        chosen = methods
        if preset in DAMAGE_ALONE:
            chosen = {**methods, "Telea": telea, **repairs}
        elif preset in PAPER_DAMAGE:
            chosen = {**methods, "Telea, non-local means": one_after_the_other}
        table = Table(["method", "PSNR", "SSIM", "perceptual", "PSNR inside", "PSNR outside"])
        for name, repair in chosen.items():
            table.rows.append([name, *_cells(pictures, repair, distance)])
        report.section(f"Restoration, preset {preset}", _TEXTS[preset], table)
    report.section(
        "No harm",
        "Clean pictures as input.",
        _table_of_clean(methods, photos),
    )


def _cells(pictures: Sequence[Degraded], repair: Repair, distance: PerceptualDistance) -> list[str]:
    figures: list[list[float]] = []
    for picture in pictures:
        output = repair(picture.degraded, picture.damage)
        inside = picture.damage > 0
        has_damage = bool(inside.any())
        figures.append(
            [
                ratio(picture.clean, output),
                similarity(picture.clean, output),
                distance(picture.clean, output),
                ratio(picture.clean, output, inside) if has_damage else np.nan,
                ratio(picture.clean, output, ~inside) if has_damage else np.nan,
            ]
        )
    has_any = any(bool(picture.damage.any()) for picture in pictures)
    mean = np.nanmean(np.array(figures), axis=0) if has_any else np.mean(figures, axis=0)
    formats = (".2f", ".3f", ".3f", ".2f", ".2f")
    return [f"{v:{f}}" if np.isfinite(v) else "" for v, f in zip(mean, formats, strict=True)]


def _table_of_clean(methods: Methods, photos: PicturePool) -> Table:
    table = Table(["method", "PSNR", "lowest PSNR", "mean CIEDE2000"])
    for name, repair in methods.items():
        ratios, drifts = [], []
        for levels in photos.pictures:
            clean = from_bgr(levels)
            output = repair(clean, np.zeros(clean.shape[:2], dtype=np.uint8))
            ratios.append(ratio(clean, output))
            drifts.append(color_drift(clean, output))
        cells = (f"{np.mean(ratios):.2f}", f"{np.min(ratios):.2f}", f"{np.mean(drifts):.2f}")
        table.rows.append([name, *cells])
    return table


def sheet_of_degraded(
    report: Report, methods: Methods, photos: PicturePool, sprites: Sprites, count: int
) -> None:
    """Some degraded pictures with what each method makes of them, at 2x."""
    rows = []
    for number, picture in enumerate(degraded_pictures(photos, "photo", sprites)):
        if number == count:
            break
        place = (0.5, 0.4)
        cells = [
            zoomed(repair(picture.degraded, picture.damage), *place) for repair in methods.values()
        ]
        rows.append([*cells, zoomed(picture.clean, *place)])
    report.sheet("Degraded photos", [*methods, "clean"], rows)


def sheet_of_restored(
    report: Report, repair: Repair, old: PicturePool, masks: Sequence[np.ndarray], title: str
) -> None:
    """Real old photos before and after, whole and at 2x."""
    rows = []
    for levels, mask in zip(old.pictures, masks, strict=True):
        image = from_bgr(levels)
        output = repair(image, mask)
        place = (0.5, 0.35)
        rows.append([fitted(image), fitted(output), zoomed(image, *place), zoomed(output, *place)])
    report.sheet(title, ["before", "after", "before, 2x", "after, 2x"], rows)
