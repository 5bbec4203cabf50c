"""Judge a set of weights on fixed degraded pictures: `python -m models.training.evaluate`.

Prints Markdown tables: restoration (input, classical pipeline, ours), no-harm on clean pictures,
scratch detection, faces. The same seeds give the same pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from models.loading import WeightSet
from models.registry import resolve_weights
from models.training.damage import FloatArray, Sprites, add_damage, load_sprites
from models.training.datasets import PicturePool, as_tensor, from_bgr
from models.training.degradations import LUMINANCE, degrade, develop
from models.training.train_face import SEVERITY as FACE_SEVERITY
from models.training.train_restoration import inpaint

_PROJECT = Path(__file__).resolve().parents[2]

# Two pixels, as published for hand-drawn scratch labels, whose edges nobody draws exactly.
_TOLERANCE = np.ones((5, 5), dtype=np.uint8)

# Some pictures are not degraded at all; an infinite ratio would hide all others in the mean.
_HIGHEST_RATIO = 60.0

Repair = Callable[[FloatArray, FloatArray], FloatArray]


def restore(weights: WeightSet) -> Repair:
    """The restoration networks as a function of (H, W, 3) picture and (H, W) mask."""
    vae, mapping = weights.load("vae_a"), weights.load("mapping_scratch")

    @torch.inference_mode()
    def repair(image: FloatArray, mask: FloatArray) -> FloatArray:
        filled = inpaint(image, mask)
        x = as_tensor(filled)[None] * 2 - 1
        latent = mapping(vae.encode(x), as_tensor(mask)[None])  # type: ignore[operator]
        output = (x + vae.decode(latent) + 1) / 2  # type: ignore[operator]
        return np.asarray(output.clamp(0, 1)[0].permute(1, 2, 0).numpy(), dtype=np.float32)

    return repair


def classical(image: FloatArray, mask: FloatArray) -> FloatArray:
    """Telea inpainting and non-local means, as somebody with OpenCV alone would do it."""
    levels = np.round(inpaint(image, mask) * 255).astype(np.uint8)
    return from_bgr(cv2.fastNlMeansDenoisingColored(levels, None, 5, 5, 7, 21)[..., ::-1])


def ratio(clean: FloatArray, output: FloatArray) -> float:
    """Peak signal-to-noise ratio in dB, at most 60."""
    error = float(((clean - output) ** 2).mean())
    return -10 * float(np.log10(max(error, 10 ** (-_HIGHEST_RATIO / 10))))


def unchanged(image: FloatArray, mask: FloatArray) -> FloatArray:
    del mask
    return image


def degraded_pictures(
    pool: PicturePool, sprites: Sprites, damage: float
) -> Iterable[tuple[FloatArray, FloatArray, FloatArray]]:
    """(clean, degraded, mask) for each picture, the same in every run."""
    for number, picture in enumerate(pool.pictures):
        rng = np.random.default_rng([77, number])
        clean = develop(from_bgr(picture), rng)
        degraded = degrade(clean, rng)
        mask: FloatArray = np.zeros(clean.shape[:2], dtype=np.float32)
        if damage:
            damaged = add_damage(degraded, rng, sprites, damage)
            mask = np.asarray(cv2.dilate(damaged.mask, np.ones((3, 3))), dtype=np.float32)
            degraded = damaged.image
        yield clean, degraded, mask


def restoration_row(
    name: str, repair: Repair, pool: PicturePool, sprites: Sprites, damage: float
) -> str:
    scores: list[tuple[float, ...]] = []
    for clean, degraded, mask in degraded_pictures(pool, sprites, damage):
        output = repair(degraded, mask)
        inside = mask > 0
        error = float(((output - clean)[inside] ** 2).mean()) if inside.any() else np.nan
        scores.append(
            (
                ratio(clean, output),
                structural_similarity(clean, output, channel_axis=2, data_range=1),
                -10 * np.log10(error + 1e-12),
            )
        )
    mean = np.nanmean(np.array(scores), axis=0) if damage else np.mean(scores, axis=0)
    last = f"{mean[2]:.2f}" if damage else ""
    return f"| {name} | {mean[0]:.2f} | {mean[1]:.3f} | {last} |"


def no_harm_row(name: str, repair: Repair, pool: PicturePool) -> str:
    scores = []
    for picture in pool.pictures:
        clean = from_bgr(picture)
        output = repair(clean, np.zeros(clean.shape[:2], dtype=np.float32))
        drift = deltaE_ciede2000(rgb2lab(clean), rgb2lab(output)).mean()
        scores.append((ratio(clean, output), drift))
    mean = np.mean(scores, axis=0)
    return f"| {name} | {mean[0]:.2f} | {mean[1]:.2f} |"


@torch.inference_mode()
def detection_table(weights: WeightSet, pool: PicturePool, sprites: Sprites) -> list[str]:
    """Precision, recall and F1 with two pixels' tolerance, and false area, per threshold."""
    network = weights.load("detection")
    found: list[tuple[FloatArray, FloatArray]] = []
    clean_maps: list[FloatArray] = []
    for clean, degraded, mask in degraded_pictures(pool, sprites, 1.0):
        truth = np.asarray(cv2.erode(mask, np.ones((3, 3))), dtype=np.float32)
        found.append((_probability(network, degraded), truth))
        clean_maps.append(_probability(network, clean))
    rows = [
        "| threshold | precision | recall | F1 | false area on clean |",
        "|---|---|---|---|---|",
    ]
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97):
        true, claimed, hit, wanted = 0, 0, 0, 0
        for probability, truth in found:
            guess = (probability >= threshold).astype(np.uint8)
            real = (truth > 0).astype(np.uint8)
            true += int(cv2.dilate(real, _TOLERANCE)[guess > 0].sum())
            claimed += int(guess.sum())
            hit += int(cv2.dilate(guess, _TOLERANCE)[real > 0].sum())
            wanted += int(real.sum())
        precision, recall = true / max(claimed, 1), hit / max(wanted, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        false_area = float(np.mean([(p >= threshold).mean() for p in clean_maps]))
        rows.append(
            f"| {threshold} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {false_area:.2%} |"
        )
    return rows


def _probability(network: torch.nn.Module, image: FloatArray) -> FloatArray:
    gray = as_tensor(np.asarray(image @ LUMINANCE, dtype=np.float32))[None] * 2 - 1
    return np.asarray(torch.sigmoid(network(gray))[0, 0].numpy(), dtype=np.float32)


@torch.inference_mode()
def face_rows(weights: WeightSet, pool: PicturePool) -> list[str]:
    """PSNR of degraded and enhanced aligned faces, and of clean faces after enhancement."""
    network = weights.load("face_256")
    scores = []
    for number, picture in enumerate(pool.pictures):
        rng = np.random.default_rng([78, number])
        clean = develop(from_bgr(picture), rng)
        degraded = degrade(clean, rng, FACE_SEVERITY)
        outputs = [_enhance(network, face) for face in (degraded, clean)]
        pairs = ((clean, degraded), (clean, outputs[0]), (clean, outputs[1]))
        scores.append([ratio(a, b) for a, b in pairs])
    mean = np.mean(scores, axis=0)
    return [
        "| degraded face | enhanced | clean face after enhancement |",
        "|---|---|---|",
        f"| {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.2f} |",
    ]


def _enhance(network: torch.nn.Module, face: FloatArray) -> FloatArray:
    x = as_tensor(face)[None] * 2 - 1
    output = ((x + network(x) + 1) / 2).clamp(0, 1)
    return np.asarray(output[0].permute(1, 2, 0).numpy(), dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=_PROJECT.parent / "shared" / "data")
    parser.add_argument("--faces", type=Path, help="folder of aligned faces of 256 x 256 pixels")
    parser.add_argument("--weights", default="bundled", help="bundled, official or a folder")
    chosen = parser.parse_args()
    weights = resolve_weights(chosen.weights)
    pool = PicturePool([chosen.data / "val" / "photos"], 512)
    sprites = load_sprites(chosen.data / "train" / "damage")
    ours = restore(weights)
    methods = (("input", unchanged), ("classical", classical), ("ours", ours))
    for title, damage in (("grain, blur, JPEG", 0.0), ("with damage, mask known", 1.0)):
        print(f"\n| {title} | PSNR | SSIM | PSNR inside |\n|---|---|---|---|")
        for name, repair in methods:
            print(restoration_row(name, repair, pool, sprites, damage), flush=True)
    print("\n| clean pictures | PSNR | mean CIEDE2000 |\n|---|---|---|")
    for name, repair in methods[1:]:
        print(no_harm_row(name, repair, pool), flush=True)
    print("\n" + "\n".join(detection_table(weights, pool, sprites)))
    if chosen.faces:
        print("\n" + "\n".join(face_rows(weights, PicturePool([chosen.faces], 256))))


if __name__ == "__main__":
    main()
