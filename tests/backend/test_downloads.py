"""The original's checkpoints arrive whole or not at all, whatever the server does."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from backend.downloads import official, transfer
from backend.downloads.official import Downloader
from backend.downloads.transfer import Patience, SourceError, download
from backend.errors import DownloadError, WeightsError
from models.loading import official_weights
from models.registry import OfficialFile, WeightSource
from models.stored import is_sound, official_state, stored_path
from tests.backend.download_site import Page, Site, running_site
from tests.backend.official import ARCHIVE, checkpoint, describe, path_of, zipped

HASTE = Patience(timeout_seconds=1.0, attempts=3, pause_seconds=0.01)
DETECTION = path_of("detection")
VAE_A = path_of("vae_a")


class Silent:
    """A meter that remembers what it heard."""

    def __init__(self, *_: str) -> None:
        self.begun: list[tuple[int | None, int]] = []
        self.bytes = 0

    def begin(self, total_bytes: int | None, done_bytes: int) -> None:
        self.begun.append((total_bytes, done_bytes))

    def advance(self, count: int) -> None:
        self.bytes += count

    def end(self) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    return {path: checkpoint(path) for path in (DETECTION, VAE_A)}


def loose(site: Site, path: str, body: bytes, **how: object) -> OfficialFile:
    """A checkpoint that the site serves as a file of its own."""
    site.pages["/" + path] = Page(body, **how)  # type: ignore[arg-type]
    return describe(path, body, WeightSource(f"{site.url}/{path}"))


def archived(site: Site, bodies: dict[str, bytes], **how: object) -> list[OfficialFile]:
    """Checkpoints that the site serves in a zip archive."""
    method = how.pop("method", zipfile.ZIP_DEFLATED)
    members = {path.split("/", 1)[1]: body for path, body in bodies.items()}
    site.pages[ARCHIVE] = Page(zipped(members, method), **how)  # type: ignore[arg-type]
    url = site.url + ARCHIVE
    return [
        describe(path, body, WeightSource(url, path.split("/", 1)[1]))
        for path, body in bodies.items()
    ]


def get(folder: Path, *files: OfficialFile) -> list[str]:
    said: list[str] = []
    Downloader(folder, Silent, said.append, HASTE).get(files)
    return said


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def assert_ready(folder: Path, file: OfficialFile) -> None:
    """Converted, recorded, sound, and nothing besides."""
    assert official_state(file, folder) == "present"
    assert is_sound(file, folder)
    stem = Path(file.path).stem
    assert names_in((folder / file.path).parent) == {stem + ".safetensors", stem + ".json"}


def test_a_file_is_fetched_verified_and_converted(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = loose(site, DETECTION, bodies[DETECTION])
    assert get(tmp_path, file) == ["detection: ready"]
    assert_ready(tmp_path, file)
    # The optimiser's numbers are gone, the weights are what they were.
    converted = stored_path(tmp_path / DETECTION)
    assert converted.stat().st_size < len(bodies[DETECTION]) - 150_000
    monkeypatch.setattr("models.loading.official_files", lambda: [file])
    network = official_weights(tmp_path).load("detection")
    (tmp_path / "published.pt").write_bytes(bodies[DETECTION])
    published = torch.load(tmp_path / "published.pt", weights_only=True)["model_state"]
    assert all(torch.equal(value, published[key]) for key, value in network.state_dict().items())


def test_what_is_here_is_not_fetched_again(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A])
    get(tmp_path, file)
    site.asked.clear()
    assert get(tmp_path, file) == []
    assert site.asked == []


def test_a_cut_connection_is_taken_up_where_it_broke(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    body = bodies[DETECTION]
    file = loose(site, DETECTION, body, cuts=[70_000, 0, 60_000])
    get(tmp_path, file)
    assert_ready(tmp_path, file)
    assert [wanted for _, wanted in site.asked] == [
        "",
        "bytes=70000-",
        "bytes=70000-",
        "bytes=130000-",
    ]
    assert site.sent_bytes == len(body)


@pytest.mark.parametrize("cut", [0, 1, 5000])
def test_after_a_failure_the_next_run_goes_on(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], cut: int
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A], cuts=[cut, 0, 0, 0, 0, 0])
    with pytest.raises(DownloadError, match=r"vae_a could not be downloaded .*cut.*is kept"):
        get(tmp_path, file)
    assert official_state(file, tmp_path) == "not downloaded"
    site.pages["/" + VAE_A].cuts.clear()
    site.asked.clear()
    get(tmp_path, file)
    assert_ready(tmp_path, file)
    assert site.asked[0][1] == (f"bytes={cut}-" if cut else "")


def test_without_ranges_it_begins_anew(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A], cuts=[6000], has_ranges=False)
    get(tmp_path, file)
    assert_ready(tmp_path, file)
    assert site.sent_bytes == len(bodies[VAE_A]) + 6000


def test_wrong_bytes_are_never_used_and_the_next_source_is_asked(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    body = bodies[VAE_A]
    site.pages["/bad"] = Page(body[:-1] + b"?")
    site.pages["/long"] = Page(body + b"?")
    site.pages["/good"] = Page(body)
    sources = [WeightSource(site.url + path) for path in ("/gone", "/bad", "/long", "/good")]
    get(tmp_path, describe(VAE_A, body, *sources))
    assert_ready(tmp_path, describe(VAE_A, body))
    with pytest.raises(DownloadError) as raised:
        get(tmp_path / "other", describe(VAE_A, body, *sources[:3]))
    sentence = str(raised.value)
    assert "answered 404" in sentence
    assert "sum differs" in sentence
    assert f"has {len(body) + 1} bytes instead of the published {len(body)}" in sentence
    assert names_in(tmp_path / "other") == set()


def test_where_no_size_is_recorded_the_sum_alone_decides(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    body = bodies[VAE_A]
    site.pages["/long"], site.pages["/good"] = Page(body + b"?"), Page(body, says_length=False)
    sources = [WeightSource(site.url + path) for path in ("/long", "/good")]
    file = describe(VAE_A, body, *sources, sized=False)
    get(tmp_path, file)
    assert_ready(tmp_path, file)
    with pytest.raises(DownloadError, match="sum differs"):
        get(tmp_path / "other", describe(VAE_A, body, sources[0], sized=False))


def test_a_part_of_another_file_is_thrown_away(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    """The file on the server changed after the first bytes had come."""
    file = loose(site, VAE_A, b"x" * len(bodies[VAE_A]), cuts=[4000, 0, 0, 0])
    file = describe(VAE_A, bodies[VAE_A], *file.sources)
    with pytest.raises(DownloadError):
        get(tmp_path, file)
    assert any(name.endswith(".part") for name in names_in(tmp_path))
    site.pages["/" + VAE_A] = Page(bodies[VAE_A])
    get(tmp_path, file)
    assert_ready(tmp_path, file)


@pytest.mark.parametrize("excess", [0, 10])
def test_a_part_that_has_all_bytes_or_more_needs_no_luck(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], excess: int
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A])
    part = official._part_of(tmp_path / VAE_A, file.sources[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(bodies[VAE_A] + b"?" * excess)
    get(tmp_path, file)
    assert_ready(tmp_path, file)


def test_a_slow_server_is_borne_and_a_silent_one_is_left(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    body = bodies[VAE_A]
    steps = len(body) / 2000
    slow = {"pause_seconds": 2.0 / steps, "pause_bytes": 2000}  # twice the time-out in all
    get(tmp_path, loose(site, VAE_A, body, **slow))
    # One that falls silent twice, then sends all.
    get(tmp_path / "two", loose(site, VAE_A, body, stalls=2))
    assert_ready(tmp_path / "two", describe(VAE_A, body))
    patience = Patience(0.2, 2, 0.01)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and says nothing
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(SourceError, match="did not answer in time"):
            download(url, tmp_path / "part", Silent(), patience)


def test_busy_servers_are_asked_again_and_refusals_are_not(site: Site, tmp_path: Path) -> None:
    for status, count in ((503, 3), (429, 3), (403, 1), (404, 1)):
        site.pages["/x"], site.asked = Page(status=status), []
        with pytest.raises(SourceError, match=str(status)):
            download(site.url + "/x", tmp_path / "part", Silent(), HASTE)
        assert len(site.asked) == count


def test_redirects_are_followed_with_the_range(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A], cuts=[3000])
    site.pages["/moved"] = Page(redirect=f"{site.url}/{VAE_A}")
    file = describe(VAE_A, bodies[VAE_A], WeightSource(site.url + "/moved"))
    get(tmp_path, file)
    assert_ready(tmp_path, file)
    assert site.asked[-2:] == [("/moved", "bytes=3000-"), ("/" + VAE_A, "bytes=3000-")]
    site.pages["/loop"] = Page(redirect=site.url + "/loop")
    with pytest.raises(SourceError, match="302"):
        download(site.url + "/loop", tmp_path / "part", Silent(), HASTE)


def test_the_proxy_of_the_environment_is_used(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/" + VAE_A] = Page(bodies[VAE_A])
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    source = WeightSource(f"http://models.example/{VAE_A}")
    get(tmp_path, describe(VAE_A, bodies[VAE_A], source))
    assert site.asked == [(f"http://models.example/{VAE_A}", "")]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_one_member_is_fetched_out_of_a_zip_archive(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], method: int
) -> None:
    files = archived(site, bodies, method=method)
    vae = next(file for file in files if file.spec.network == "vae_a")
    get(tmp_path, vae)
    assert_ready(tmp_path, vae)
    # The end of the archive, the member's own header, the member: not the detector before it.
    assert site.sent_bytes < len(bodies[VAE_A]) + 70_000
    assert site.sent_bytes < len(site.pages[ARCHIVE].body)


def test_a_member_is_taken_up_where_it_broke(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    files = archived(site, bodies, method=zipfile.ZIP_STORED)
    site.pages[ARCHIVE].cuts = [10**9, 10**9, 50_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        get(tmp_path, files[0])
    site.sent_bytes = 0
    get(tmp_path, files[0])
    assert_ready(tmp_path, files[0])
    assert site.sent_bytes < len(bodies[DETECTION]) - 50_000 + 70_000


def test_without_ranges_the_whole_archive_is_fetched_once(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    files = archived(site, bodies, has_ranges=False)
    get(tmp_path, *files)
    for file in files:
        assert_ready(tmp_path, file)
    whole = len(site.pages[ARCHIVE].body)
    assert site.sent_bytes < 2.5 * whole  # the first answer shows that there are no ranges
    assert not any(name.endswith((".zip", ".part")) for name in names_in(tmp_path))


@pytest.mark.parametrize("body", [b"no archive", b"", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_is_told(site: Site, tmp_path: Path, body: bytes) -> None:
    site.pages[ARCHIVE] = Page(body)
    source = WeightSource(site.url + ARCHIVE, "checkpoints/x.pth")
    with pytest.raises(DownloadError, match=r"archive|416|cut|refused"):
        get(tmp_path, describe(VAE_A, b"-", source))


def test_a_damaged_member_is_told_and_fetched_anew_next_time(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    files = archived(site, bodies)
    vae = next(file for file in files if file.spec.network == "vae_a")
    sound = site.pages[ARCHIVE].body
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        info = archive.getinfo(vae.path.split("/", 1)[1])
    place = info.header_offset + 200
    site.pages[ARCHIVE].body = sound[:place] + b"\xff" * 300 + sound[place + 300 :]
    with pytest.raises(DownloadError, match=r"damaged|sum differs"):
        get(tmp_path, vae)
    site.pages[ARCHIVE].body = sound
    get(tmp_path, vae)
    assert_ready(tmp_path, vae)


def test_a_full_disk_is_told_before_the_first_byte(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A])
    usage = type("Usage", (), {"free": official.SPARE_BYTES + 1000})
    monkeypatch.setattr(official.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match="are needed: free some"):
        get(tmp_path, file)
    assert site.asked == []


def test_a_disk_that_fills_up_is_told_and_what_came_is_kept(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    site.pages["/x"] = Page(bodies[VAE_A])
    part = tmp_path / "part"
    part.symlink_to(full)
    with pytest.raises(DownloadError, match="is full: free some space"):
        download(site.url + "/x", part, Silent(), HASTE)


def test_a_server_that_never_ends_is_left(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MAX_FILE_BYTES", 1000)
    site.pages["/x"] = Page(b"1" * 5000)
    with pytest.raises(SourceError, match="more than any file here has"):
        download(site.url + "/x", tmp_path / "part", Silent(), HASTE)
    site.pages["/x"].says_length = False
    download(site.url + "/x", tmp_path / "part", Silent(), HASTE)
    assert (tmp_path / "part").stat().st_size == 1000


def test_a_foreign_file_in_the_place_is_not_lost(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A])
    (tmp_path / VAE_A).parent.mkdir(parents=True)
    (tmp_path / VAE_A).write_bytes(b"mine")
    with pytest.raises(WeightsError, match="move it away"):
        get(tmp_path, file)
    assert (tmp_path / VAE_A).read_bytes() == b"mine"


def test_a_published_file_that_lies_there_is_only_converted(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    file = loose(site, VAE_A, bodies[VAE_A])
    (tmp_path / VAE_A).parent.mkdir(parents=True)
    (tmp_path / VAE_A).write_bytes(bodies[VAE_A])
    get(tmp_path, file)
    assert site.asked == []
    assert_ready(tmp_path, file)


@pytest.mark.parametrize("left", ["converted", "record", "unpacked"])
def test_an_end_between_two_steps_is_finished_by_the_next_run(
    site: Site, tmp_path: Path, bodies: dict[str, bytes], left: str
) -> None:
    """After the fetch come conversion, record and the deletion of the published file."""
    (file,) = [f for f in archived(site, bodies) if f.spec.network == "vae_a"]
    get(tmp_path, file)
    target = tmp_path / VAE_A
    if left == "converted":
        target.with_suffix(".json").unlink()
        target.write_bytes(bodies[VAE_A])
    elif left == "record":
        target.write_bytes(bodies[VAE_A])
    else:
        target.with_suffix(".safetensors").unlink()
        part = official._part_of(target, file.sources[0])
        part.with_suffix(".unpacked").write_bytes(b"half")
    assert (official_state(file, tmp_path) == "present") == (left == "record")
    get(tmp_path, file)
    assert official_state(file, tmp_path) == "present"
    assert is_sound(file, tmp_path)


def test_two_commands_do_not_work_on_the_same_files(tmp_path: Path) -> None:
    with official.only_one(tmp_path):
        held = subprocess.run(
            [sys.executable, "-c", HOLD.format(folder=str(tmp_path))],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert "Another command is changing the models" in held.stderr


HOLD = """
from pathlib import Path
from backend.downloads.official import only_one
with only_one(Path({folder!r})):
    pass
"""
KILLED = """
import sys
from pathlib import Path
from backend.downloads.official import Downloader
from models.registry import WeightSource
from tests.backend.official import checkpoint, describe, path_of
class Meter:
    def begin(self, total, done): print("begun", done, flush=True)
    def advance(self, count): pass
    def end(self): pass
path = path_of("vae_a")
file = describe(path, checkpoint(path), WeightSource(sys.argv[2]))
Downloader(Path(sys.argv[1]), lambda *_: Meter(), print).get([file])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no kill -9")
def test_a_killed_download_is_taken_up_where_it_stood(
    site: Site, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    body = bodies[VAE_A]
    site.pages["/slow"] = Page(body, pause_seconds=0.05, pause_bytes=1000)
    command = [sys.executable, "-c", KILLED, str(tmp_path), site.url + "/slow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun 0\n"
    part = official._part_of(tmp_path / VAE_A, WeightSource(site.url + "/slow"))
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size >= 3000):
        assert time.monotonic() < deadline, "nothing arrived"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    arrived = part.stat().st_size
    assert body.startswith(part.read_bytes())
    site.pages["/slow"].pause_seconds = 0
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert again.stdout.splitlines() == [f"begun {arrived}", "vae_a: ready"]
    assert site.asked[-1] == ("/slow", f"bytes={arrived}-")
    assert_ready(tmp_path, describe(VAE_A, body))
