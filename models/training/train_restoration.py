"""Train the restoration network end to end: `python -m models.training.train_restoration`.

Encoder, latent mapping with the partial non-local block, and decoder are trained together on pairs
of clean and degraded crops. The decoder's output is added to the input, so that an untrained or
unsure network leaves the picture as it is, and detail need not pass through the latent.

Source: networks after Wan et al., CVPR 2020, sections 3.2 and 3.3; the residual over the input
after Zhang et al., "Beyond a Gaussian denoiser", IEEE TIP 26(7), 2017.
"""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.latent_mapping import ScratchMapping
from models.loading import save_bundled
from models.registry import ModelSpec
from models.restoration_vae import RestorationVAE
from models.training import losses
from models.training.damage import FloatArray, Sprites, add_damage, load_sprites
from models.training.datasets import PicturePool, Sample, as_tensor, batches
from models.training.degradations import LUMINANCE, Severity, degrade, develop, to_gray
from models.training.loop import LoopConfig, train
from models.training.settings import Settings, parse_settings

VAE = {"width": 32, "latent_channels": 64, "residual_blocks": 1, "normalization": "none"}
MAPPING = {
    "latent_channels": 64,
    "width": 96,
    "residual_blocks": 3,
    "non_local_blocks": 1,
    "normalization": "none",
}
HYPER_PARAMETERS = {"vae": VAE, "mapping": MAPPING}
INFERENCE = {"residual": True, "hole": "inpainted", "multiple": 4}
LOOP = LoopConfig(steps=620, batch_size=8, crop=128, learning_rate=3e-4)

# Share of the trained change that is applied. After a short training the network takes hair and
# wrinkles for grain; at this share the grain is less and they stay.
STRENGTH = 0.35

# Radius of Telea's method in pixels, as in the restoration stage.
INPAINT_RADIUS = 3
# Share of the way from the picture to its blurred self that the untrained network goes. A useful
# start: a random change is only ever for the worse, and training would silence its features.
FIRST_CHANGE = 0.4
# Pixels under the mask are few, and the only ones where more than cleaning is asked for.
MASK_WEIGHT = 3.0


class Restorer(nn.Module):
    """Encoder, mapping and decoder as one network over [-1, 1] pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = RestorationVAE(**VAE)  # type: ignore[arg-type]
        self.mapping = ScratchMapping(**MAPPING)  # type: ignore[arg-type]
        _initialise(self)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        latent = self.mapping(self.vae.encode(image), mask)
        return image + self.vae.decode(latent).float()


def _initialise(module: Restorer) -> None:
    """Keep the signal's size through the layers, and start near the identity.

    Without normalisation layers the default initialisation lets the signal shrink, the gradients
    drown in their noise, and Adam drives the last ReLU into its dead half.
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            continue
        inputs = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
        if isinstance(layer, nn.ConvTranspose2d):
            # Only one in stride² of the kernel's values meets a given output pixel.
            inputs //= layer.stride[0] * layer.stride[1]
        # The second convolution of each residual block starts small: the block, near the identity.
        gain = 0.03 if name.endswith("conv_block.5") else 1.0
        nn.init.normal_(layer.weight, std=gain * (2 / inputs) ** 0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    _carry_luminance(module)


def _convolutions(part: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    """The convolutions of a part in order, without those in residual and non-local blocks."""
    return [
        layer
        for name, layer in part.named_modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        and "conv_block" not in name
        and not name.startswith("NL.")
    ]


@torch.no_grad()
def _carry_luminance(module: Restorer) -> None:
    """Let some channels carry the luminance through the latent and back from the first step.

    A random network first has to learn to tell neighbouring pixels apart after two halvings, which
    takes thousands of steps. Here the positive and the negative part of the luminance (ReLU passes
    both) are dealt out to 2, 8 and 32 channels at full, half and quarter size; what is left to
    learn is how to change them.
    """
    first, *halvings = _convolutions(module.vae.encoder)
    first.weight[:2] = 0
    first.weight[0, :, 3, 3] = torch.from_numpy(LUMINANCE)
    first.weight[1, :, 3, 3] = -torch.from_numpy(LUMINANCE)
    *doublings, last = _convolutions(module.vae.decoder)
    for halving, doubling, carried in zip(halvings, doublings[::-1], (2, 8), strict=True):
        halving.weight[: 4 * carried] = 0
        doubling.weight[:, :carried] = 0
        for channel in range(4 * carried):
            source, row, column = channel // 4, channel // 2 % 2, channel % 2
            # The middle 2 x 2 of the 4 x 4 kernels meets the four pixels of a cell.
            halving.weight[channel, source, 1 + row, 1 + column] = 1
            doubling.weight[channel, source, 1 + row, 1 + column] = 1
    # What is carried is put to use at once: the picture is moved a little towards its blurred self.
    last.weight.zero_()
    blur = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
    blur[1, 1] -= 1
    last.weight[:, 0, 2:5, 2:5] = FIRST_CHANGE * blur
    last.weight[:, 1, 2:5, 2:5] = -FIRST_CHANGE * blur
    for layer in _convolutions(module.mapping):
        layer.weight[:32] = 0
        for channel in range(32):
            layer.weight[channel, channel, 1, 1] = 1


def make_sample(
    rng: np.random.Generator, photos: PicturePool, sprites: Sprites, crop: int
) -> Sample:
    """A clean crop, its degraded copy with the holes inpainted, and the mask of the holes."""
    clean = photos.crop(rng, crop, (0.3, 1.0))
    clean = clean if rng.random() < 0.3 else develop(clean, rng)
    if rng.random() < 0.2:
        clean = to_gray(clean)
    # A tenth stays as it is: what is not broken must not be mended.
    degraded = clean if rng.random() < 0.1 else degrade(clean, rng, Severity())
    mask: FloatArray = np.zeros(clean.shape[:2], dtype=np.float32)
    if rng.random() < 0.6:
        damaged = add_damage(degraded, rng, sprites, amount=rng.uniform(0.5, 2.0))
        size = int(rng.choice([1, 3, 5]))
        mask = np.asarray(cv2.dilate(damaged.mask, np.ones((size, size))), dtype=np.float32)
        degraded = inpaint(damaged.image, mask)
    return {
        "clean": as_tensor(clean) * 2 - 1,
        "degraded": as_tensor(degraded) * 2 - 1,
        "mask": as_tensor(mask),
    }


def inpaint(image: FloatArray, mask: FloatArray) -> FloatArray:
    """Fill the masked pixels with OpenCV's Telea method, as the restoration stage does."""
    levels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    hole = (mask > 0).astype(np.uint8)
    filled = cv2.inpaint(levels, hole, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    chosen = np.where(hole[..., None] > 0, filled.astype(np.float32) / 255, image)
    return np.asarray(chosen, dtype=np.float32)


def compute_loss(
    module: nn.Module, batch: Sample, perceptual: losses.PerceptualLoss
) -> dict[str, Tensor]:
    output = module(batch["degraded"], batch["mask"])
    weight = 1 + (MASK_WEIGHT - 1) * batch["mask"]
    return {
        "pixels": losses.charbonnier(output, batch["clean"], weight),
        "perceptual": 0.02 * perceptual(output, batch["clean"]),
    }


def export(module: nn.Module, step: int, path: Path) -> None:
    """Write the networks, with their change to the picture reduced to STRENGTH.

    The last convolution's output is small against the tanh behind it, so scaling it scales the
    change.
    """
    inference = {**INFERENCE, "steps": step}
    reduced = copy.deepcopy(module)
    last = _convolutions(reduced.get_submodule("vae.decoder"))[-1]
    last.weight.data.mul_(STRENGTH)
    if last.bias is not None:
        last.bias.data.mul_(STRENGTH)
    save_bundled(reduced, ModelSpec("restoration", "restorer", HYPER_PARAMETERS, inference), path)


def main() -> None:
    settings: Settings = parse_settings(__doc__, "restoration", LOOP)
    torch.manual_seed(settings.loop.seed)
    train_folder = settings.data / "train"
    make = partial(
        make_sample,
        photos=PicturePool([train_folder / "photos", train_folder / "faces"], 1024),
        sprites=load_sprites(train_folder / "damage"),
        crop=settings.loop.crop,
    )
    perceptual = losses.PerceptualLoss(settings.data / "perceptual" / "squeezenet11_notop.npz").to(
        "cuda" if torch.cuda.is_available() else "cpu"
    )
    train(
        Restorer(),
        settings.loop,
        lambda start: batches(
            make, batch_size=settings.loop.batch_size, seed=settings.loop.seed, start=start
        ),
        partial(compute_loss, perceptual=perceptual),
        settings.checkpoint,
        lambda module, step: export(module, step, settings.output),
    )


if __name__ == "__main__":
    main()
