"""Hand the photos of a batch to a crew, and keep what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from backend.batch.archive import Archive
from backend.batch.inputs import Input, unreadable
from backend.batch.progress import BatchProgress
from backend.batch.sizing import picture_bytes_of
from backend.batch.work import Crew, Loss, Report, Task
from backend.errors import InputError
from models.stored import sha256_of


class Dispatch:
    """The way of a batch's photos through a crew.

    Args:
        archive: receives the results.
        progress: hears of each photo.
    """

    def __init__(self, archive: Archive, progress: BatchProgress) -> None:
        self._archive, self._progress = archive, progress

    def run(self, photos: Iterable[Input], hire: Callable[[], Crew]) -> None:
        """Restore what has no result yet; each failure is noted, and the rest goes on.

        Args:
            photos: all of the batch.
            hire: gives the crew; not called when nothing is left to do.

        Raises:
            RestorationError: no worker can work, or the manifest cannot be written.
        """
        tasks = self._tasks(photos)
        first = next(tasks, None)
        if first is None:
            return
        crew = hire()
        try:
            again = self._pass(crew, chain([first], tasks))
            # They may have been too much for the memory together.
            groups = [[each] for each in again] if crew.shares_memory else [again]
            for group in groups:
                tasks = iter([task for task, _ in group])
                for task, outcome in self._pass(crew, tasks):
                    self._end(task, outcome)
        finally:
            crew.close()

    def _tasks(self, photos: Iterable[Input]) -> Iterator[Task]:
        """What is left to do; a photo is looked at when it is its turn."""
        for photo in photos:
            sha256 = None
            try:
                changed, sha256 = _content_of(photo)
                if self._archive.has_result(photo, sha256):
                    self._progress.skip()
                    continue
                self._archive.check_place(photo, sha256)
                place, size = self._archive.new_place(photo), picture_bytes_of(photo)
            except InputError as error:
                self._fail(photo, sha256, Report(0.0, error=str(error), error_code=error.code))
                continue
            yield Task(photo, sha256, changed, place, size)

    def _pass(self, crew: Crew, tasks: Iterator[Task]) -> list[tuple[Task, Report | Loss]]:
        """Restore photos; gives those that may succeed when tried again."""
        again: list[tuple[Task, Report | Loss]] = []
        running, waiting = 0, next(tasks, None)
        while True:
            while waiting is not None and crew.takes(waiting):
                running += self._begin(crew, waiting)
                waiting = next(tasks, None)
            if waiting is None and not running:
                return again
            for task, outcome in crew.wait():
                running -= 1
                if isinstance(outcome, Loss) or outcome.error_code == "out-of-memory":
                    again.append((task, outcome))
                else:
                    self._end(task, outcome)

    def _begin(self, crew: Crew, task: Task) -> bool:
        try:
            crew.give(task)
        except InputError as error:
            self._end(task, Report(0.0, error=str(error), error_code=error.code))
            return False
        return True

    def _end(self, task: Task, outcome: Report | Loss) -> None:
        report = _as_report(outcome)
        if report.error is None:
            try:
                self._archive.keep(task, report)
                self._progress.restore(task.photo, report.found, report.seconds)
            except InputError as error:
                report = Report(report.seconds, error=str(error), error_code=error.code)
        if report.error is not None:
            self._fail(task.photo, task.sha256, report)
        self._archive.clear(task.target)

    def _fail(self, photo: Input, sha256: str | None, report: Report) -> None:
        self._archive.note_failure(photo, sha256, report)
        self._progress.fail(photo, report.error or "")


def _as_report(outcome: Report | Loss) -> Report:
    if isinstance(outcome, Report):
        return outcome
    return Report(
        0.0,
        error=f"Two workers were lost while they restored it, the last one because {outcome.cause}:"
        " restore it alone, or on a computer with more memory.",
        error_code="worker-lost",
    )


def _content_of(photo: Input) -> tuple[int, str]:
    """When a photo was changed, and the SHA-256 of its content."""
    try:
        return photo.path.stat().st_mtime_ns, sha256_of(photo.path)
    except OSError as error:
        raise unreadable(photo, error) from error
