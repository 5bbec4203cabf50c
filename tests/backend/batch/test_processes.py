"""Worker processes: how many at a time, and what becomes of the rest when one is lost."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from backend.batch.archive import open_archive
from backend.batch.dispatch import Dispatch
from backend.batch.inputs import Input, find_inputs
from backend.batch.places import places_of
from backend.batch.processes import LocalCrew, Start
from backend.batch.progress import BatchProgress
from backend.batch.sizing import PIXEL_BYTES, USUAL_PIXELS, Shares, share_out
from backend.batch.work import Report, Task
from backend.errors import RestorationError
from backend.options import Options
from tests.backend.batch.crews import (
    RECIPE,
    die_at_start,
    refuse_to_start,
    start_copier,
    start_one_only,
    write_photo,
)

PLAIN = Options()
SHARES = Shares(workers=2, threads=1, picture_bytes=100)


def run(scans: Path, out: Path, start: Start, options: Options = PLAIN) -> BatchProgress:
    photos, _ = find_inputs(scans, out)
    progress = BatchProgress(len(photos))
    with open_archive(out, scans, RECIPE) as archive:
        Dispatch(archive, progress).run(photos, lambda: LocalCrew(options, SHARES, start))
    return progress


def test_a_photo_that_kills_its_workers_is_reported_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate(["a", "b", "bad", "deadly", "e", "f"]):
        write_photo(tmp_path / "scans" / f"{name}.png", seed=seed)
    progress = run(tmp_path / "scans", tmp_path / "out", start_copier)
    assert (progress.restored, progress.failed) == (4, 2)
    done = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert done == ["a.png", "b.png", "e.png", "f.png"]
    said = capsys.readouterr().err
    assert "deadly.png: Two workers were lost" in said
    assert "most likely because the memory ran out" in said
    assert not multiprocessing.active_children()


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    write_photo(tmp_path / "scans" / "a.png")
    with pytest.raises(RestorationError, match="The weights are missing"):
        run(tmp_path / "scans", tmp_path / "out", refuse_to_start)


def test_workers_that_are_lost_at_their_start_end_the_batch(tmp_path: Path) -> None:
    for seed in range(4):
        write_photo(tmp_path / "scans" / f"{seed}.png", seed=seed)
    with pytest.raises(RestorationError, match="each worker is lost when it starts"):
        run(tmp_path / "scans", tmp_path / "out", die_at_start)


def test_one_worker_too_many_is_done_without(tmp_path: Path) -> None:
    for seed in range(6):
        write_photo(tmp_path / "scans" / f"{seed}.png", seed=seed)
    options = Options(weights=str(tmp_path))
    progress = run(tmp_path / "scans", tmp_path / "out", start_one_only, options)
    assert (progress.restored, progress.failed) == (6, 0)


def task_of(folder: Path, name: str, picture_bytes: int) -> Task:
    photo = Input(f"{name}.png", write_photo(folder / f"{name}.png"), f"{name}.png")
    return Task(photo, "", 0, folder / f"{name}-result.png", picture_bytes)


def test_the_memory_of_all_pictures_together_is_bounded(tmp_path: Path) -> None:
    crew = LocalCrew(PLAIN, Shares(3, 1, 90), start_copier)
    small, large = task_of(tmp_path, "small", 10), task_of(tmp_path, "large", 50)
    giant = task_of(tmp_path, "giant", 1000)
    try:
        assert crew.takes(giant), "it has to be tried, alone"
        crew.give(small)
        assert not crew.takes(giant)
        assert crew.takes(large)
        crew.give(large)
        assert not crew.takes(small), "30 and 50 of 90 are taken, and each has 30 at least"
        ended: list[str] = []
        while len(ended) < 2:
            for task, outcome in crew.wait():
                assert isinstance(outcome, Report)
                ended.append(task.photo.name)
        assert sorted(ended) == ["large.png", "small.png"]
        assert crew.takes(small)
        crew.give(small)
        assert len(multiprocessing.active_children()) == 2, "a free worker comes before a new one"
    finally:
        crew.close()


def test_a_worker_lost_while_it_is_idle_costs_nothing(tmp_path: Path) -> None:
    crew = LocalCrew(PLAIN, SHARES, start_copier)
    try:
        for name in ("a", "b"):
            crew.give(task_of(tmp_path, name, 1))
            ended: list[object] = []
            while not ended:
                ended += crew.wait()
            worker = crew._processes[0].process
            worker.kill()
            worker.join()
            assert len(crew.wait()) == 0
            assert not crew._processes
    finally:
        crew.close()


@pytest.mark.parametrize(
    ("free_gigabytes", "wanted", "workers", "threads"),
    [(100, None, 8, 1), (8, None, 4, 2), (0.1, None, 1, 8), (8, 3, 3, 2), (100, 20, 20, 1)],
)
def test_a_computer_is_divided_by_threads_and_memory(
    monkeypatch: pytest.MonkeyPatch,
    free_gigabytes: float,
    wanted: int | None,
    workers: int,
    threads: int,
) -> None:
    free = int(free_gigabytes * 1e9)
    monkeypatch.setattr("backend.batch.sizing.free_bytes", lambda _: free)
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    shares = share_out(Options(device="cpu"), 650_000_000, wanted)
    assert (shares.workers, shares.threads, shares.graphics_cards) == (workers, threads, 0)
    assert shares.picture_bytes == max(0, int(0.7 * free) - workers * 650_000_000)


def node(name: str, *, alive: bool = True, **resources: float) -> dict[str, object]:
    return {
        "NodeID": name,
        "Alive": alive,
        "NodeManagerHostname": f"host-{name}",
        "NodeManagerAddress": "10.0.0.1",
        "Resources": resources,
    }


NEEDED = 650_000_000 + PIXEL_BYTES * USUAL_PIXELS


def test_a_cluster_has_as_many_places_as_its_computers_bear() -> None:
    nodes = [
        node("many-cores", CPU=16, memory=4 * NEEDED + 5),
        node("much-memory", CPU=2, memory=100 * NEEDED),
        node("small", CPU=8, memory=NEEDED / 2),
        node("gone", alive=False, CPU=8, memory=100 * NEEDED),
        node("head", memory=100 * NEEDED),
    ]
    places = places_of(nodes, 650_000_000, NEEDED, takes_cards=True)
    assert [(place.node, place.threads) for place in places] == [
        *[("many-cores", 4)] * 4,
        *[("much-memory", 1)] * 2,
    ]
    assert {place.graphics_cards for place in places} == {0}
    assert places[0].name == "host-many-cores"
    assert places[0].memory_bytes == NEEDED + 1
    assert places[0].picture_bytes == places[0].memory_bytes - 650_000_000


def test_where_there_are_graphics_cards_each_is_a_place() -> None:
    nodes = [
        node("plain", CPU=16, memory=100 * NEEDED),
        node("cards", CPU=16, GPU=2, memory=100 * NEEDED),
    ]
    places = places_of(nodes, 650_000_000, NEEDED, takes_cards=True)
    assert [(p.node, p.threads, p.graphics_cards) for p in places] == [("cards", 8, 1)] * 2
    assert places[0].picture_bytes is None
    places = places_of(nodes, 650_000_000, NEEDED, takes_cards=False)
    assert {(p.node, p.graphics_cards) for p in places} == {("plain", 0), ("cards", 0)}


@pytest.mark.parametrize(
    ("weights", "memory", "workers"),
    [("bundled", 1, 4), ("bundled", 4 * 10**9, 4), ("official", 1, 4), ("official", 4 * 10**9, 1)],
)
def test_memory_that_is_granted_to_a_photo_counts_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch, weights: str, memory: int, workers: int
) -> None:
    monkeypatch.setattr("backend.batch.sizing.free_bytes", lambda _: 8 * 10**9)
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    options = Options(device="cpu", weights=weights, memory_bytes=memory)
    assert share_out(options, 650_000_000, None).workers == workers
