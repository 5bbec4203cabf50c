"""The commands `restore` and `detect`: from photo files to restored files."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from backend.command_choices import read_choices
from backend.command_files import (
    Output,
    check_replaces_nothing_precious,
    find_photos,
    is_folder,
    output_path,
    prepare_folder,
    resolve_output,
)
from backend.command_progress import PhotoProgress
from backend.command_stages import claim_stages, stage_folders, write_pictures, write_stages
from backend.device import memory_errors_explained
from backend.errors import InputError, OptionsError, RestorationError, refused
from backend.files import load_picture, save_picture
from backend.images import Mask, Metadata, Picture, to_eight_bit
from backend.networks import Networks
from backend.options import Options
from backend.photo import check_result_fits, faces_in_words, found_in_words, restore_photo
from backend.pipeline import restore
from backend.reference import reference_restore
from backend.results import Stage

HARDLY_VISIBLE = 8
"""Levels of a mask below which it says nothing: labels of 0 and 1, perhaps."""

UNEXPECTED = RestorationError(
    "This is an error in Restore Old Photo: please report it with the lines above."
)


def run_restore(chosen: argparse.Namespace) -> int:
    """Restore all photos; one that fails does not stop the others.

    Returns:
        0, or 1 when a photo failed.

    Raises:
        OptionsError: the choices exclude each other.
        WeightsError, DeviceError: nothing can be restored at all.
    """
    options = _options(chosen)
    output = resolve_output(chosen.output, chosen.photos)
    photos, problems = find_photos(chosen.photos)
    networks = Networks.for_options(options)
    for stage in options.models:
        networks.model(stage)  # one that cannot be loaded fails once, not for every photo
    for problem in problems:
        _complain(problem)
    failures = len(problems)
    for photo, stages in zip(photos, stage_folders(chosen.stages, photos), strict=True):
        try:
            work = _restore_as_original if chosen.reference else _restore_photo
            with memory_errors_explained():
                work(photo, chosen, options, networks, output, stages)
        except RestorationError as error:
            failures += 1
            _complain(error, photo)
        except BrokenPipeError:
            raise
        except OSError as error:
            failures += 1
            _complain(refused(error), photo)
        except Exception:  # the others shall still be restored
            failures += 1
            traceback.print_exc()
            _complain(UNEXPECTED, photo)
    return 1 if failures else 0


def run_detect(chosen: argparse.Namespace) -> int:
    """Write the mask of one photo; returns 0.

    Raises:
        RestorationError: it cannot be done.
    """
    options = Options(
        threshold=chosen.threshold,
        repair_scratches=False,
        whole_picture=False,
        enhance_faces=False,
        weights="bundled" if chosen.weights is None else chosen.weights,
        device=chosen.device,
    )
    output = resolve_output(chosen.output, [chosen.photo])
    with memory_errors_explained():
        picture = load_picture(chosen.photo)
    target = output_path(chosen.photo, ".png", output, "-scratches")
    check_replaces_nothing_precious(target, [chosen.photo])
    prepare_folder(target.parent)
    with PhotoProgress(chosen.photo.name, ["scratches"]) as progress:
        networks = Networks.for_options(options)
        result = restore(picture, None, options, networks, progress.show, lambda: False)
    mask = result.layers[0].pixels
    mask_picture = Picture(mask, Metadata(dpi=picture.metadata.dpi))
    target = _save(mask_picture, target, output, chosen.photo, "-scratches")
    share = np.count_nonzero(mask >= 128) / mask.size
    print(f"{chosen.photo} -> {target} (scratches on {share:.1%} of the picture)")
    return 0


def _options(chosen: argparse.Namespace) -> Options:
    default_weights = "official" if chosen.reference else "bundled"
    options = read_choices(chosen, default_weights)
    if chosen.scratches == "mask" and chosen.mask is None:
        raise OptionsError("--scratches mask needs a mask: name one after --mask.")
    if chosen.scratches == "none" and chosen.mask is not None:
        raise OptionsError("--scratches none uses no mask: leave one of the two away.")
    if chosen.mask is not None and (len(chosen.photos) > 1 or is_folder(chosen.photos[0])):
        raise OptionsError("--mask belongs to one photo: name one photo only.")
    if chosen.high_resolution and not chosen.reference:
        raise OptionsError("--high-resolution is a choice of the original: add --reference.")
    if chosen.reference and options.models:
        raise OptionsError("--reference knows the original's networks only: name no other models.")
    is_partial = not (options.whole_picture and options.cleaning and options.tone)
    if chosen.reference and (is_partial or options.strength < 1 or options.threshold is not None):
        raise OptionsError(
            "--reference has its own threshold and always restores the whole picture fully: leave "
            "--threshold, --strength, --no-whole-picture, --no-cleaning and --no-tone away."
        )
    return options


def _restore_photo(
    photo: Path,
    chosen: argparse.Namespace,
    options: Options,
    networks: Networks,
    output: Output,
    stages: Path | None,
) -> None:
    started = time.perf_counter()
    picture = load_picture(photo)
    mask = None if chosen.mask is None else load_mask(chosen.mask)
    if mask is not None and mask.max() < HARDLY_VISIBLE:
        _say_no_mask(chosen.mask)
    target = output_path(photo, picture.metadata.suffix, output, "-restored")
    # Before the work, not after it.
    _check_places(target, photo, chosen.mask, stages)
    check_result_fits(picture, networks, options, target)
    with PhotoProgress(photo.name, _planned(options)) as progress:
        final, result = restore_photo(picture, mask, options, networks, progress.show)
    target = _save(final, target, output, photo)
    if stages is not None:
        write_stages(stages, picture, result)
    _report(photo, target, started, found_in_words(result))
    for note in result.notes:
        print(f"{photo}: {note.message}")


def _restore_as_original(
    photo: Path,
    chosen: argparse.Namespace,
    options: Options,
    networks: Networks,
    output: Output,
    stages: Path | None,
) -> None:
    started = time.perf_counter()
    stored = load_picture(photo, upright=False)
    target = output_path(photo, stored.metadata.suffix, output, "-restored")
    _check_places(target, photo, chosen.mask, stages)
    color = to_eight_bit(stored.color)
    with PhotoProgress(photo.name, _planned(options)) as progress:
        result = reference_restore(
            np.ascontiguousarray(np.broadcast_to(color, (*color.shape[:2], 3))),
            networks,
            scratches=options.scratches != "none",
            mask=None if chosen.mask is None else load_mask(chosen.mask, upright=False),
            high_resolution=chosen.high_resolution,
            faces=options.enhance_faces,
            on_progress=progress.advance,
        )
    target = _save(Picture(result.final), target, output, photo)
    pictures = {"restored": result.restored, "final": result.final}
    if result.mask is not None:
        pictures["mask"] = result.mask[..., None]
    for number, face in enumerate(result.faces, start=1):
        pictures[f"face-{number}"] = face.enhanced
    if stages is not None:
        write_pictures(stages, {name: Picture(pixels) for name, pixels in pictures.items()})
    found = faces_in_words(len(result.faces)) if options.enhance_faces else "faces left alone"
    _report(photo, target, started, found)


def _say_no_mask(mask: Path) -> None:
    text = "it is black everywhere, so nothing is added: paint white (255) what shall be repaired."
    print(f"{mask}: {text}", file=sys.stderr, flush=True)


def _check_places(target: Path, photo: Path, mask: Path | None, stages: Path | None) -> None:
    precious = [photo, *([mask] if mask else [])]
    check_replaces_nothing_precious(target, precious)
    prepare_folder(target.parent)
    if stages is not None:
        claim_stages(stages, [target, *precious])


def load_mask(path: Path, *, upright: bool = True) -> Mask:
    """Read a picture as a mask: (H, W), white or a pure colour, and opaque = repair.

    Raises:
        InputError: see `load_picture`.
    """
    picture = load_picture(path, upright=upright)
    # The brightest channel: many paint in red, whose mean is a third of white.
    mask = to_eight_bit(picture.color).max(axis=2)
    if picture.alpha is not None:
        mask = mask * (to_eight_bit(picture.alpha) / 255)
    return np.asarray(np.round(mask), dtype=np.uint8)


def _planned(options: Options) -> list[Stage]:
    stages: list[Stage] = ["scratches"] if options.scratches == "automatic" else []
    stages += ["restoration"]
    if options.enhance_faces:
        stages += ["faces", "enhancement", "blending"]
    return stages if options.enlargement is None else [*stages, "enlargement"]


def _save(
    picture: Picture, target: Path, output: Output, photo: Path, ending: str = "-restored"
) -> Path:
    """Save under the target's name, or the next free one; returns the name."""
    if output.path is not None:
        # The user chose it.
        save_picture(picture, target, overwrite=True)
        return target
    while True:
        try:
            save_picture(picture, target)
            return target
        except InputError as error:
            if error.code != "file-exists":
                raise
        # Another run took it in the meantime.
        target = output_path(photo, target.suffix, output, ending)


def _report(photo: Path, target: Path, started: float, found: str) -> None:
    seconds = time.perf_counter() - started
    print(f"{photo} -> {target} ({found}, {seconds:.1f} s)", flush=True)


def _complain(error: RestorationError, photo: Path | None = None) -> None:
    prefix = "" if photo is None or str(photo) in str(error) else f"{photo}: "
    print(f"{prefix}{error}", file=sys.stderr, flush=True)
