"""Downloads go on where they were cut: a real pip, and an index on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.environment import Environment
from installer.errors import InstallationError
from installer.messages import Message, message
from installer.pip import Pip
from installer.prefetch import prefetch
from installer.report import Report, StoppedError, Transfer
from tests.installer.conftest import write_wheel
from tests.installer.index_site import IndexSite, serve_index
from tests.installer.mounts import needs_mounts, small_disk

pytestmark = pytest.mark.slow

SIZE = 3_000_000
NAME = "torch-2.13.0-py3-none-any.whl"
TASK = message("task.install", packages="torch")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexSite]:
    for name in [name for name in os.environ if name.startswith("PIP_") or "PROXY" in name.upper()]:
        monkeypatch.delenv(name)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "torch", "2.13.0", size_bytes=SIZE)
    with serve_index(wheels) as site:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", site.url)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        yield site


class Listening(Report):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.transfers: list[Transfer] = []

    def detail(self, line: Message) -> None:
        self.lines.append(str(line))

    def transfer(self, transfer: Transfer) -> None:
        self.transfers.append(transfer)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without packages, whose pip is new enough to say what it would install."""
    folder = tmp_path_factory.mktemp("environment")
    environment = Environment(folder / "environment", folder / "log", Report())
    environment.create()
    if not environment.has_bar:
        pytest.skip("there is no newer pip to be had")
    return environment.python


def fetch(python: Path, folder: Path, report: Report | None = None) -> list[Path]:
    pip = Pip(python, folder / "log", report or Report(), folder / "temporary")
    wanted = ["torch==2.13.0"]
    return prefetch(pip, wanted, TASK, folder / "downloads", report or Report())


def test_a_wheel_is_fetched_whole_with_its_progress(
    python: Path, site: IndexSite, tmp_path: Path
) -> None:
    report = Listening()
    (wheel,) = fetch(python, tmp_path, report)
    assert wheel.read_bytes() == (site.wheels / NAME).read_bytes()
    last = report.transfers[-1]
    assert last == Transfer(NAME, wheel.stat().st_size, wheel.stat().st_size)
    # The second time it is there.
    assert fetch(python, tmp_path) == [wheel]
    assert site.ranges == [None]


def test_a_cut_download_goes_on_where_it_was_cut(
    python: Path, site: IndexSite, tmp_path: Path
) -> None:
    site.cut_after_bytes = 1_000_000
    (wheel,) = fetch(python, tmp_path)
    assert wheel.read_bytes() == (site.wheels / NAME).read_bytes()
    assert site.ranges == [None, "bytes=1000000-"]


def test_a_stopped_download_goes_on_in_the_next_run(
    python: Path, site: IndexSite, tmp_path: Path
) -> None:
    class Stopping(Report):
        def transfer(self, transfer: Transfer) -> None:
            if transfer.done_bytes > 500_000:
                self.stop.request()

    with pytest.raises(StoppedError):
        fetch(python, tmp_path, Stopping())
    part = tmp_path / "downloads" / f"{NAME}.part"
    have = part.stat().st_size
    assert 0 < have < SIZE
    report = Listening()
    (wheel,) = fetch(python, tmp_path, report)
    assert wheel.read_bytes() == (site.wheels / NAME).read_bytes()
    assert site.ranges == [None, f"bytes={have}-"]
    assert any("are here already" in line for line in report.lines)


def test_a_download_with_other_bytes_than_announced_is_not_used(
    python: Path, site: IndexSite, tmp_path: Path
) -> None:
    site.is_damaging = True
    report = Listening()
    assert fetch(python, tmp_path, report) == []
    assert any("arrived damaged" in line for line in report.lines)
    assert not list((tmp_path / "downloads").glob("*.whl*"))


def test_an_index_that_does_not_describe_its_files_is_left_to_pip(
    python: Path, site: IndexSite, tmp_path: Path
) -> None:
    site.has_descriptions = False
    write_wheel(site.wheels, "markupsafe", "3.0")
    assert fetch(python, tmp_path) == []
    # Only the small one, by which it was found out.
    assert site.ranges == [None]


def test_no_network_is_one_sentence(
    python: Path, site: IndexSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "1")
    # Nothing listens at the port of a server that is gone.
    site.server_close()
    with pytest.raises(InstallationError, match=r"index cannot be reached; check the network"):
        fetch(python, tmp_path)


def test_a_proxy_that_is_not_there_is_named_as_the_reason(
    python: Path, site: IndexSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:9")
    with pytest.raises(InstallationError, match=r"through the proxy 127\.0\.0\.1,"):
        fetch(python, tmp_path)
    assert site.ranges == []


@needs_mounts
def test_a_disk_that_fills_up_is_one_sentence_and_keeps_what_has_arrived(
    python: Path, site: IndexSite, tmp_path: Path
) -> None:
    del site
    with (
        small_disk(tmp_path / "disk", size_bytes=1_500_000) as disk,
        pytest.raises(
            InstallationError, match=r"cannot be stored in .*\(no space left on the disk\): free"
        ),
    ):
        fetch(python, disk)
    assert not list(tmp_path.glob("disk/*"))
