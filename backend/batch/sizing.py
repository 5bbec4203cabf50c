"""How many workers a computer bears, with how many threads and how much memory each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from backend.batch.inputs import Input, unreadable
from backend.device import choose_device
from backend.files import count_pixels
from backend.memory import SHARE, free_bytes
from backend.networks import Networks
from backend.options import Options
from models.stored import sha256_of

WORKER_BYTES = 650_000_000
"""A process with torch, dlib's models and the bundled networks, as the benchmarks show it."""

PIXEL_BYTES = 55
"""What each pixel adds with the bundled networks: from 0.25 to 50 megapixels in the benchmarks."""

USUAL_PIXELS = 12_000_000
"""Workers are counted for photos of this size; larger ones run with fewer at a time."""

BUNDLED_BYTES = 20_000_000
"""Weight files of this size are counted in WORKER_BYTES."""


@dataclass(frozen=True)
class Shares:
    """How a computer is divided.

    Attributes:
        workers: processes at most.
        threads: of each.
        picture_bytes: memory for all pictures that are restored at a time.
        graphics_cards: how many the workers take in turn; 0 without CUDA.
    """

    workers: int
    threads: int
    picture_bytes: int
    graphics_cards: int = 0


def share_out(options: Options, worker_bytes: int, wanted_workers: int | None) -> Shares:
    """Divide this computer: as many workers as threads, as far as the memory suffices.

    Args:
        options: their device, weights, and the memory for a picture where the user bounds it.
        worker_bytes: of one without a picture.
        wanted_workers: how many the user wants; None leaves it to the computer.

    Raises:
        DeviceError: the device is absent.
    """
    device = choose_device(options.device)
    cards = torch.cuda.device_count() if device.type == "cuda" else 0
    # An accelerator does one thing at a time, and its memory is not divided.
    most = torch.get_num_threads() if device.type == "cpu" else max(1, cards)
    room = int(SHARE * free_bytes(torch.device("cpu")))
    fitting = room // (worker_bytes + usual_bytes(options))
    workers = wanted_workers or max(1, min(most, fitting))
    threads = max(1, torch.get_num_threads() // workers)
    return Shares(workers, threads, max(0, room - workers * worker_bytes), cards)


def usual_bytes(options: Options) -> int:
    """Memory that a photo of the usual size takes, with what the user grants to other weights."""
    usual = PIXEL_BYTES * USUAL_PIXELS
    return usual if options.weights == "bundled" else max(usual, options.memory_bytes or 0)


def worker_bytes_for(weights_bytes: int) -> int:
    """Memory of a worker without a picture, for weight files of a size."""
    # They are kept as they are, and prepared in the type that they run in.
    return WORKER_BYTES + 2 * max(0, weights_bytes - BUNDLED_BYTES)


def picture_bytes_of(photo: Input) -> int:
    """Memory that the restoration of a photo takes, roughly.

    Raises:
        InputError: its file cannot be looked at.
    """
    try:
        # Where the header says nothing: as if each byte of the file were a pixel.
        return PIXEL_BYTES * (count_pixels(photo.path) or photo.path.stat().st_size)
    except OSError as error:
        raise unreadable(photo, error) from error


def weight_files(options: Options) -> dict[str, Path]:
    """The weight files that these options use, by what they are for.

    Raises:
        WeightsError: the weights or an imported model are not there.
        DeviceError: the device is absent.
    """
    return Networks.for_options(options).files()


def sums_of(files: dict[str, Path]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {name: sha256_of(path) for name, path in sorted(files.items())}
