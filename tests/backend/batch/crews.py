"""Archives and crews for tests: workers that copy photos, and some that come to grief."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from backend.batch.archive import Recipe, open_archive
from backend.batch.dispatch import Dispatch
from backend.batch.inputs import find_inputs
from backend.batch.progress import BatchProgress
from backend.batch.work import Loss, Report, Task
from backend.errors import RestorationError, WeightsError
from backend.files import save_picture
from backend.images import Picture
from backend.options import Options
from tests.backend.photos import noise

RECIPE = Recipe({"strength": 1.0}, {"detection": "0" * 64})


def write_photo(path: Path, seed: int = 0, side: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(Picture(noise(side, side, 3, seed=seed)), path)
    return path


class Copier:
    """Restores nothing: the result is the photo, and its note says which process made it."""

    def restore(self, source: Path, target: Path, memory_bytes: int | None = None) -> Report:
        del memory_bytes
        if source.stem.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        if source.stem.startswith("huge"):
            return Report(0.1, error="The memory is too small.", error_code="out-of-memory")
        if source.stem.startswith("bad"):
            return Report(0.1, error=f"{source.name} is damaged.", error_code="file-damaged")
        shutil.copyfile(source, target)
        return Report(0.1, "no face", (f"made by {os.getpid()}",), b"before", b"after")


def start_copier(options: Options, threads: int) -> Copier:
    del options, threads
    return Copier()


def refuse_to_start(options: Options, threads: int) -> Copier:
    del options, threads
    raise WeightsError("The weights are missing: choose other weights.")


def die_at_start(options: Options, threads: int) -> Copier:
    del options, threads
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


def start_one_only(options: Options, threads: int) -> Copier:
    """The first worker starts, and leaves a mark where the options say; the others die."""
    try:
        Path(options.weights, "started").touch(exist_ok=False)
    except FileExistsError:
        os.kill(os.getpid(), signal.SIGKILL)
    return start_copier(options, threads)


class HereCrew:
    """One worker, in this process; photos called "lost" cost it its life, "lost-once" only once.

    Attributes:
        given: names of the photos, as they came.
        is_closed: whether all is over.
    """

    shares_memory = True

    def __init__(self) -> None:
        self._running: list[Task] = []
        self.given: list[str] = []
        self.is_closed = False

    def takes(self, task: Task) -> bool:
        del task
        return not self._running

    def give(self, task: Task) -> None:
        self.given.append(task.photo.name)
        self._running.append(task)

    def wait(self) -> Sequence[tuple[Task, Report | Loss]]:
        task = self._running.pop()
        name = task.photo.name
        if name == "lost.png" or (name == "lost-once.png" and self.given.count(name) == 1):
            return [(task, Loss("somebody killed it"))]
        if name == "stop.png":
            raise RestorationError("Nothing can be restored.")
        return [(task, Copier().restore(task.photo.path, task.target))]

    def close(self) -> None:
        self.is_closed = True


def run_here(
    scans: Path, out: Path, recipe: Recipe = RECIPE, crew: HereCrew | None = None
) -> tuple[HereCrew, BatchProgress]:
    """A batch whose worker is in this process."""
    crew = crew or HereCrew()
    photos, _ = find_inputs(scans, out)
    with open_archive(out, scans, recipe) as archive:
        progress = BatchProgress(len(photos))
        with suppress(RestorationError):
            Dispatch(archive, progress).run(photos, lambda: crew)
    return crew, progress
