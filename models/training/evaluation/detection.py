"""How well scratches are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from backend.networks import Networks
from backend.stages.scratches import claim_damage
from models.training.damage_labels import DamageLabels
from models.training.datasets import PicturePool, from_bgr
from models.training.degradations.marks import (
    ByteArray,
    FloatArray,
    Sprites,
    Tone,
    draw_lines,
    draw_marks,
)
from models.training.evaluation.methods import damage_map, gray_of
from models.training.evaluation.metrics import (
    Detection,
    MarkedMap,
    area_under_curve,
    detection_at,
)
from models.training.evaluation.pictures import (
    Degraded,
    lookalike_pictures,
    marked_pictures,
    scanned_prints,
)
from models.training.evaluation.report import Report, Table, fitted, overlaid, zoomed
from models.training.transplants import Transplant, draw_transplants

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
WORKING_SIZES = (256, 512, 768)

_LEAST_PLACE = 10
"""Pixels; smaller ones nobody sees."""

_CASES: tuple[tuple[str, Tone], ...] = (
    ("light and dark", "any"),
    ("light", "light"),
    ("dark", "dark"),
)


def report_detection(
    report: Report,
    name: str,
    networks: Networks,
    photos: PicturePool,
    old: PicturePool,
    sprites: Sprites,
    lifted: Sequence[Sequence[Transplant]],
) -> None:
    """Area under the curve, F1 by kind of damage and threshold, false area, working size.

    Args:
        photos: clean ones.
        old: real old ones.
        lifted: damage of old photos that are not trained on; may be empty.
    """
    drawn = partial(draw_marks, sprites=sprites)
    cases = {
        case: _look_at(marked_pictures(photos, partial(drawn, tone=tone), is_old=False), networks)
        for case, tone in _CASES
    }
    cases["light and dark, old photos"] = _look_at(
        marked_pictures(old, drawn, is_old=True), networks
    )
    cases["plain lines, old photos"] = _look_at(
        marked_pictures(old, draw_lines, is_old=True), networks
    )
    if lifted:
        real = partial(draw_transplants, lifted=lifted)
        cases["lifted off old photos"] = _look_at(
            marked_pictures(photos, real, is_old=False), networks
        )
    report.section(
        f"Scratch detection, {name}",
        "Marks drawn over printed, aged and scanned pictures; sprites and seeds that were not "
        "trained on; edges two pixels tolerant. Precision, recall and F1 are those of what the "
        "pipeline repairs by itself: places that are judged as damaged, without areas too large "
        "to be filled. Old photos have damage of their own, which counts against precision here. "
        "Plain lines are one to three through a photo. "
        "What is lifted off the old photos for tests is laid over the clean ones.",
        _table_of_cases(cases),
    )
    report.section("The detector alone, by threshold", "", _table_of_thresholds(cases))
    report.section("False area on undamaged pictures", "", _table_of_false_area(photos, networks))
    report.section("Working size of the detector", "", _table_of_sizes(photos, sprites, networks))


def report_real_damage(
    report: Report,
    name: str,
    networks: Networks,
    old: PicturePool,
    labels: Mapping[str, DamageLabels],
) -> None:
    """Damage that old photos have, as labelled by eye, at the default threshold.

    Photos without labels are left out; where none shows damage, nothing is reported.
    """
    seen = [
        look(from_bgr(levels), *labels[stem].drawn(*levels.shape[:2]), networks)
        for stem, levels in zip(old.names, old.pictures, strict=True)
        if stem in labels
    ]
    maps = [s.marked for s in seen]
    if not any(m.damage.any() for m in maps):
        return
    table = Table(
        ["threshold", "precision", "recall", "F1", "false area", "false places", "photos with such"]
    )
    for title, claims in _claims_at(seen, networks):
        counts = [false_places(c, m) for c, m in zip(claims, maps, strict=True)]
        wrong = [
            (c & (1 - (m.damage | m.unsure))).mean() for c, m in zip(claims, maps, strict=True)
        ]
        cells = _cells(detection_at(claims, maps))
        spoiled = sum(count > 0 for count in counts)
        table.rows.append(
            [title, *cells, f"{np.mean(wrong):.3%}", str(sum(counts)), f"{spoiled} of {len(maps)}"]
        )
    report.section(
        f"Damage of real old photos, {name}",
        f"As labelled by eye in `models/training/labels/val.json`; ROC AUC "
        f"{area_under_curve(maps):.3f}. A false place is a connected area that is claimed and "
        "touches nothing that is or may be damaged.",
        table,
    )


def _claims_at(seen: Sequence[Seen], networks: Networks) -> Iterator[tuple[str, list[ByteArray]]]:
    """What the pipeline claims by default and at other thresholds, and what the detector alone."""
    yield "default", [s.claimed for s in seen]
    for threshold in THRESHOLDS:
        yield (
            str(threshold),
            [claim(s.image, s.marked.probability, networks, threshold) for s in seen],
        )
    for threshold in THRESHOLDS:
        yield f"detector alone, {threshold}", _likely([s.marked for s in seen], threshold)


def _likely(maps: Sequence[MarkedMap], threshold: float) -> list[ByteArray]:
    """What a threshold alone claims: (H, W) each, 1 on damage."""
    return [(m.probability >= threshold).astype(np.uint8) for m in maps]


def false_places(claimed: ByteArray, truth: MarkedMap) -> int:
    """Connected claimed areas of at least 10 pixels without a pixel that is or may be damaged."""
    possible = (truth.damage | truth.unsure) > 0
    count, areas, figures, _ = cv2.connectedComponentsWithStats(claimed, connectivity=8)
    touching = np.unique(areas[possible])
    large = figures[:, cv2.CC_STAT_AREA] >= _LEAST_PLACE
    return sum(bool(large[n]) for n in range(1, count) if n not in touching)


@dataclass(frozen=True)
class Seen:
    """A picture, what the detector makes of it and what the pipeline takes as damaged.

    Attributes:
        image: (H, W, 3).
        claimed: (H, W), 1 on damage, before the edges are grown.
    """

    image: FloatArray
    marked: MarkedMap
    claimed: ByteArray


def look(image: FloatArray, damage: ByteArray, unsure: ByteArray, networks: Networks) -> Seen:
    """Args: image (H, W, 3); what of it is and may be damaged, (H, W), see `MarkedMap`."""
    marked = MarkedMap(damage_map(image, networks), damage, unsure)
    return Seen(image, marked, claim(image, marked.probability, networks))


def claim(
    image: FloatArray,
    probability: FloatArray,
    networks: Networks,
    threshold: float | None = None,
) -> ByteArray:
    """What the pipeline takes as damaged before growing the edges: (H, W), 1 on damage."""
    claimed = claim_damage(probability, gray_of(image), networks, threshold)
    return (claimed.mask > 0).astype(np.uint8)


def _look_at(pictures: Iterable[Degraded], networks: Networks) -> list[Seen]:
    return [look(p.degraded, p.damage, p.unsure, networks) for p in pictures]


def _table_of_cases(cases: dict[str, list[Seen]]) -> Table:
    table = Table(["damage", "ROC AUC", "precision", "recall", "F1"])
    for name, seen in cases.items():
        maps = [s.marked for s in seen]
        score = detection_at([s.claimed for s in seen], maps)
        table.rows.append([name, f"{area_under_curve(maps):.3f}", *_cells(score)])
    return table


def _cells(score: Detection) -> list[str]:
    return [f"{score.precision:.3f}", f"{score.recall:.3f}", f"{score.f1:.3f}"]


def _table_of_thresholds(cases: dict[str, list[Seen]]) -> Table:
    names = [f"{name}: {figure}" for name in cases for figure in ("precision", "recall", "F1")]
    table = Table(["threshold", *names])
    for threshold in THRESHOLDS:
        row = [str(threshold)]
        for seen in cases.values():
            maps = [s.marked for s in seen]
            row += _cells(detection_at(_likely(maps, threshold), maps))
        table.rows.append(row)
    return table


def _table_of_false_area(photos: PicturePool, networks: Networks) -> Table:
    alone = [f"detector alone at {t}" for t in THRESHOLDS]
    table = Table(["pictures", "by default", "with a false place", *alone])
    groups = {
        "clean photos": [from_bgr(levels) for levels in photos.pictures],
        "writing, wires, hair, lace drawn in": list(lookalike_pictures(photos)),
        "prints with thin margins in a scanner": list(scanned_prints(photos)),
    }
    for name, images in groups.items():
        maps = [damage_map(image, networks) for image in images]
        claims = [claim(image, m, networks) for image, m in zip(images, maps, strict=True)]
        areas = [float(np.mean([c.mean() for c in claims]))]
        areas += [float(np.mean([(m >= t).mean() for m in maps])) for t in THRESHOLDS]
        spoiled = f"{sum(bool(c.any()) for c in claims)} of {len(claims)}"
        first, *others = (f"{area:.2%}" for area in areas)
        table.rows.append([name, first, spoiled, *others])
    return table


def _table_of_sizes(photos: PicturePool, sprites: Sprites, networks: Networks) -> Table:
    """One-pixel scratches vanish when the picture is reduced too far."""
    table = Table(["short side", "ROC AUC", "best F1", "at threshold"])
    drawn = partial(draw_marks, sprites=sprites)
    pictures = list(marked_pictures(photos, drawn, is_old=False))
    for side in (*WORKING_SIZES, 10**6):
        maps = [
            MarkedMap(damage_map(p.degraded, networks, side), p.damage, p.unsure) for p in pictures
        ]
        scores = {t: detection_at(_likely(maps, t), maps).f1 for t in THRESHOLDS}
        best = max(scores, key=lambda t: scores[t])
        name = str(side) if side < 10**6 else "native"
        table.rows.append([name, f"{area_under_curve(maps):.3f}", f"{scores[best]:.3f}", str(best)])
    return table


def sheet_of_old_photos(report: Report, networks: Networks, old: PicturePool, title: str) -> None:
    """What is found on real old photos, whole and at 2x."""
    rows = []
    for levels in old.pictures:
        image = from_bgr(levels)
        found = claim(image, damage_map(image, networks), networks)
        marked = overlaid(image, found)
        busiest = _busiest(found)
        rows.append(
            [fitted(image), fitted(marked), zoomed(image, *busiest), zoomed(marked, *busiest)]
        )
    report.sheet(title, ["photo", "found", "photo, 2x", "found, 2x"], rows)


def _busiest(found: ByteArray) -> tuple[float, float]:
    """Where most is found, as shares of the way that a 128 pixel window can go; else the middle."""
    rows, columns = found.nonzero()
    if len(rows) == 0:
        return 0.5, 0.5
    height, width = found.shape
    left = (float(np.median(columns)) - 64) / max(1, width - 128)
    top = (float(np.median(rows)) - 64) / max(1, height - 128)
    return min(1.0, max(0.0, left)), min(1.0, max(0.0, top))
