"""A whole batch: from a folder of photos to results, manifest and contact sheet."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from backend.batch.archive import Archive, Recipe, open_archive
from backend.batch.contact_sheet import check_place, write_contact_sheet
from backend.batch.dispatch import Dispatch
from backend.batch.inputs import Input, check_folders, find_inputs
from backend.batch.processes import LocalCrew
from backend.batch.progress import BatchProgress, printable
from backend.batch.sizing import share_out, sums_of, weight_files, worker_bytes_for
from backend.batch.work import Crew
from backend.batch.worker import PhotoWorker
from backend.command_choices import read_choices
from backend.errors import InputError
from backend.options import Options

# Where it is computed does not change what is asked for, and the weights are known by their sums.
NOT_IN_RECIPE = ("device", "memory_bytes", "weights")


def run_batch(chosen: argparse.Namespace) -> int:
    """Restore all photos of a folder that have no result yet.

    Returns:
        0, or 1 when a photo failed.

    Raises:
        OptionsError: the choices or the folders cannot be.
        RestorationError: nothing can be restored at all.
        KeyboardInterrupt: the user stopped it; everything that was finished is kept.
    """
    options = read_choices(chosen)
    check_folders(chosen.folder, chosen.output)
    photos, problems = find_inputs(chosen.folder, chosen.output)
    files = weight_files(options)
    recipe = Recipe(_asked(options), sums_of(files), options.weights)
    for problem in problems:
        print(printable(str(problem)), file=sys.stderr)
    if not photos:
        return 1
    with open_archive(chosen.output, chosen.folder, recipe) as archive:
        check_place(chosen.output)
        progress = BatchProgress(len(photos))
        try:
            dispatch = Dispatch(archive, progress)
            dispatch.run(photos, partial(_hire, chosen, options, files, recipe))
        finally:
            progress.close()
            has_sheet = _tell(archive, photos, progress)
    return 1 if problems or progress.failed or not has_sheet else 0


def _tell(archive: Archive, photos: list[Input], progress: BatchProgress) -> bool:
    """The last words, also of a batch that was stopped; returns whether there is a sheet."""
    try:
        sheet = write_contact_sheet(archive, photos)
    except OSError as error:
        print(f"{progress.summary()}; the contact sheet cannot be written ({error.strerror}).")
        return False
    except InputError as error:
        print(f"{progress.summary()}. {error}")
        return False
    print(f"{progress.summary()}: see {printable(str(sheet))}", flush=True)
    return True


def _asked(options: Options) -> dict[str, object]:
    return {name: value for name, value in asdict(options).items() if name not in NOT_IN_RECIPE}


def _hire(
    chosen: argparse.Namespace, options: Options, files: dict[str, Path], recipe: Recipe
) -> Crew:
    worker_bytes = worker_bytes_for(sum(path.stat().st_size for path in files.values()))
    if chosen.ray is None:
        shares = share_out(options, worker_bytes, chosen.workers)
        return LocalCrew(options, shares, PhotoWorker)
    from backend.batch.cluster import RayCrew

    return RayCrew(chosen.ray, options, recipe.weights, worker_bytes, chosen.workers)
