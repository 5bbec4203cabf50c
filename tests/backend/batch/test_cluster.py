"""`batch --ray` on a cluster with room for two actors, all of it on this computer.

The cluster belongs to a process of its own, as one that users start does.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from backend.batch.cluster import RayCrew, import_ray
from backend.errors import OptionsError, RestorationError
from backend.files import load_picture
from backend.options import Options
from tests.backend.batch.crews import write_photo
from tests.backend.batch.test_batch import (
    PATIENCE_SECONDS,
    SIDE,
    batch,
    records,
    started,
    write_scans,
)
from tests.backend.running import wait_until

CHECKOUT = Path(__file__).parents[3]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason='ray is not installed: "pip install ray"'
)

CLUSTER = """
import sys, ray
for attempt in reversed(range(5)):
    try:
        ray.init("local", num_cpus=2, _memory=4 * 10**9, object_store_memory=10**8,
                 include_dashboard=False)
        break
    except Exception:  # ray waits 30 seconds for itself, which a busy computer exceeds
        ray.shutdown()
        if not attempt:
            raise
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@dataclass
class RunningCluster:
    address: str
    process: subprocess.Popen[str]

    def actors(self, doing: str = "") -> list[psutil.Process]:
        """The processes of the actors, all of them or those that are doing one thing."""
        found = []
        for each in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if f"PhotoActor{doing}" in " ".join(each.cmdline()):
                    found.append(each)
            except psutil.NoSuchProcess:
                continue
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with pytest.MonkeyPatch.context() as patch:
        # Newer Rays protect clusters like this one with a token, but do not expect it of others.
        patch.setenv("RAY_AUTH_MODE", "token")
        yield from _running_cluster(tmp_path_factory)


def _running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        cwd=CHECKOUT,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(tmp_path_factory.mktemp("cluster") / "log").open("w"),
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, "the cluster did not start"
    yield RunningCluster(address, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(60)
    process.kill()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # a busy computer takes a minute to start an actor
def test_the_cluster_restores_and_a_killed_actor_costs_nothing(
    tmp_path: Path, cluster: RunningCluster
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    names = write_scans(scans, 6)
    (scans / "bad é.png").write_text("no picture")
    with started(scans, out, "--ray", cluster.address) as process:
        wait_until(lambda: len(records(out)) >= 1, PATIENCE_SECONDS)
        actors = cluster.actors()
        assert len(actors) == 2
        actors[0].kill()
        printed, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert printed.splitlines()[-1].startswith("6 restored, 1 failed, in ")
    assert "bad é.png is no PNG" in errors
    assert sorted(str(record["input"]) for record in records(out)) == [*names, "bad é.png"]
    for name in names:
        assert load_picture(out / name).pixels.shape == (SIDE, SIDE, 3)
    wait_until(lambda: not cluster.actors())
    # What one computer or a cluster has done, the other need not do again.
    (scans / "bad é.png").unlink()
    assert batch(scans, out)[1].startswith("0 restored, 6 done before")


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # a busy computer takes a minute to start an actor
def test_a_photo_that_loses_its_actor_twice_is_reported(
    tmp_path: Path, cluster: RunningCluster
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    # One actor, and a photo that keeps it long enough to be killed.
    write_photo(scans / "a.png", side=3000)
    with started(scans, out, "--ray", cluster.address, "--workers", "1") as process:
        for _ in range(2):
            wait_until(lambda: len(cluster.actors(".restore")) == 1, PATIENCE_SECONDS)
            (actor,) = cluster.actors(".restore")
            actor.kill()
            actor.wait()
        printed, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert printed.splitlines()[-1].startswith("0 restored, 1 failed, in ")
    assert "a.png: Two workers were lost while they restored it" in errors


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # a busy computer takes a minute to start an actor
def test_other_weights_on_the_cluster_are_refused(cluster: RunningCluster) -> None:
    crew = RayCrew(cluster.address, Options(device="cpu"), {"detection": "other"}, 10**8, 1)
    try:
        with pytest.raises(RestorationError, match="has other weights than this one"):
            list(iter(crew.wait, None))
    finally:
        crew.close()


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # a busy computer takes a minute to start an actor
def test_a_cluster_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_photo(tmp_path / "scans" / "a.png")
    status, _, errors = batch(tmp_path / "scans", tmp_path / "out", "--ray", "127.0.0.1:9")
    assert status == 1
    assert "restore-old-photo: No Ray cluster can be used at 127.0.0.1:9" in errors
    assert "Traceback" not in errors


def test_without_ray_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(OptionsError, match=r'-m pip install "ray>=2\.9"$'):
        import_ray()
