"""A crew on a Ray cluster: one actor for each graphics card, or for a share of a computer.

Photos and results travel as bytes through Ray's object store, so that the computers need no common
disk. Each needs this program in the same version, and the same weights in the same place. An actor
gets its next photo when it has given back the last one: what is on its way never exceeds one photo
and one result for each actor.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from backend.batch.inputs import unreadable
from backend.batch.places import Place, places_of
from backend.batch.sizing import sums_of, usual_bytes, weight_files
from backend.batch.work import MOST_FAILED_STARTS, Loss, Report, Task
from backend.batch.worker import PhotoWorker
from backend.errors import OptionsError, RestorationError
from backend.options import Options
from backend.runtime import version

SAID_SECONDS = 30.0
"""How long to wait for an actor before saying so; Ray may be starting a computer for it."""


ANSWER_SECONDS = 10.0
"""How long to wait for the cluster's address to answer at all."""


class PhotoActor:
    """What runs on the cluster: restores photos that come as bytes.

    Args:
        options: for all photos.
        threads: to compute with.
        memory_bytes: most memory for a picture's intermediate results; None asks the computer.
    """

    def __init__(self, options: Options, threads: int, memory_bytes: int | None) -> None:
        self._worker = PhotoWorker(options, threads)
        self._options, self._memory_bytes = options, memory_bytes

    def describe(self) -> tuple[str, dict[str, str]]:
        """The version of this program here, and the SHA-256 of each weight file."""
        return version(), sums_of(weight_files(self._options))

    def restore(self, name: str, result_name: str, content: bytes) -> tuple[Report, bytes]:
        """Restore the photo with this content; gives the file of the result, too."""
        with tempfile.TemporaryDirectory(prefix="restore-old-photo-") as folder:
            source, target = Path(folder) / "photo" / name, Path(folder) / "result" / result_name
            source.parent.mkdir()
            target.parent.mkdir()
            source.write_bytes(content)
            report = self._worker.restore(source, target, self._memory_bytes)
            return report, b"" if report.error is not None else target.read_bytes()


@dataclass
class _Actor:
    handle: Any
    place: Place
    task: Task | None = None
    is_ready: bool = False


class RayCrew:
    """A crew of actors on a Ray cluster.

    Args:
        address: of the cluster, as Ray takes it.
        options: for all photos.
        weights: SHA-256 of the weight files here.
        worker_bytes: memory of a worker without a picture.
        most: how many actors at most; None leaves it to the cluster.

    Raises:
        RestorationError: Ray is missing, or the cluster cannot be used.
    """

    shares_memory = False

    def __init__(
        self,
        address: str,
        options: Options,
        weights: dict[str, str],
        worker_bytes: int,
        most: int | None,
    ) -> None:
        self._ray = import_ray()
        self._options, self._weights = options, weights
        # By the computer.
        self._failed_starts: Counter[str] = Counter()
        # By the reference of what each is doing.
        self._actors: dict[Any, _Actor] = {}
        self._idle: list[_Actor] = []
        connect(self._ray, address)
        needed = worker_bytes + usual_bytes(options)
        takes_cards = options.device in ("auto", "cuda")
        places = places_of(self._ray.nodes(), worker_bytes, needed, takes_cards=takes_cards)
        if not places:
            raise RestorationError(
                f"No computer of the Ray cluster has a processor and {needed / 1e9:.1f} GB of "
                "memory to give: add one, or leave --ray away."
            )
        for place in places[:most]:
            self._hire(place)

    def takes(self, task: Task) -> bool:
        del task
        return bool(self._idle)

    def give(self, task: Task) -> None:
        try:
            content = task.photo.path.read_bytes()
        except OSError as error:
            raise unreadable(task.photo, error) from error
        actor = self._idle.pop()
        names = task.photo.path.name, task.target.name
        actor.task = task
        self._actors[actor.handle.restore.remote(*names, content)] = actor

    def wait(self) -> Sequence[tuple[Task, Report | Loss]]:
        ended: list[tuple[Task, Report | Loss]] = []
        ready, _ = self._ray.wait(list(self._actors), timeout=SAID_SECONDS)
        if not ready and not any(actor.is_ready for actor in self._actors.values()):
            print("Waiting for the Ray cluster to start a worker.", file=sys.stderr, flush=True)
        for reference in ready:
            actor = self._actors.pop(reference)
            task, actor.task = actor.task, None
            outcome = self._receive(reference, actor, task)
            if task is not None and outcome is not None:
                ended.append((task, outcome))
        return ended

    def close(self) -> None:
        for actor in [*self._actors.values(), *self._idle]:
            self._ray.kill(actor.handle)
        self._ray.shutdown()

    def _receive(self, reference: Any, actor: _Actor, task: Task | None) -> Report | Loss | None:
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            # The actor lives: its temporary files could not be written, for example.
            if task is None:
                raise _no_start(actor, error) from error
            self._idle.append(actor)
            return Report(0.0, error=f"The Ray worker failed ({_line(error)}).", error_code="ray")
        except self._ray.exceptions.RayError as error:
            return self._replace(actor, error)
        self._idle.append(actor)
        if task is None:
            self._welcome(actor, answer)
            return None
        report, content = answer
        return report if report.error is not None else _stored(report, content, task)

    def _welcome(self, actor: _Actor, answer: tuple[str, dict[str, str]]) -> None:
        if answer != (version(), self._weights):
            what = "program files" if answer[0] != version() else "weights"
            raise RestorationError(
                f"The computer {actor.place.name} of the Ray cluster has other {what} than this "
                "one: install the same on all."
            )
        actor.is_ready = True

    def _replace(self, actor: _Actor, error: Exception) -> Loss:
        # It may only be out of reach, and must not come back beside its successor.
        self._ray.kill(actor.handle)
        node = actor.place.node
        self._failed_starts[node] += not actor.is_ready
        if self._failed_starts[node] < MOST_FAILED_STARTS:
            self._hire(actor.place)
        elif not self._actors and not self._idle:
            raise _no_start(actor, error) from error
        return Loss(f"its actor on {actor.place.name} ended ({_line(error)})")

    def _hire(self, place: Place) -> None:
        options = self._options
        if not place.graphics_cards:
            # The computer may have a card that is not ours.
            options = replace(options, device="cpu")
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        remote = self._ray.remote(PhotoActor).options(
            num_cpus=place.threads,
            num_gpus=place.graphics_cards,
            memory=place.memory_bytes,
            # Soft, so that another computer can stand in for one that is gone.
            scheduling_strategy=affinity(place.node, soft=True),
        )
        handle = remote.remote(options, place.threads, place.picture_bytes)
        self._actors[handle.describe.remote()] = _Actor(handle, place)


def import_ray() -> ModuleType:
    """The package ray.

    Raises:
        OptionsError: it is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise OptionsError(
            "--ray needs the Python package ray, which is not installed: run: "
            f'"{sys.executable}" -m pip install "ray>=2.9"'
        )
    # It would otherwise tell its makers of its use.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    importlib.import_module("ray.util.scheduling_strategies")
    return importlib.import_module("ray")


def connect(ray: ModuleType, address: str) -> None:
    """Make this process a driver of the cluster at `address`.

    Raises:
        RestorationError: there is none, or it runs another Ray or Python.
    """
    try:
        _check_answers(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise RestorationError(
            f"No Ray cluster can be used at {address} ({_line(error)}): start one with 'ray start "
            "--head', or check the address, and RAY_AUTH_MODE if the cluster wants a token."
        ) from error


def _check_answers(address: str) -> None:
    """Knock first, because Ray tries an address for minutes; raises OSError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()


def _stored(report: Report, content: bytes, task: Task) -> Report:
    try:
        task.target.write_bytes(content)
        with task.target.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        text = f"{task.target} cannot be written ({error.strerror}): see to the disk."
        return Report(report.seconds, error=text, error_code="file-not-written")
    return report


def _no_start(actor: _Actor, error: Exception) -> RestorationError:
    return RestorationError(
        f"No worker can start on the computer {actor.place.name} of the Ray cluster "
        f"({_line(error)}): install the same version of this program there."
    )


def _line(error: Exception) -> str:
    """The last line of what Ray says, which is the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
