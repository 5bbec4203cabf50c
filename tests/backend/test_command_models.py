"""`models list | download | import | verify | remove`, as a user types them."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from backend.cli import main
from backend.files import load_picture, save_picture
from backend.images import Picture
from models.loading import official_weights
from models.registry import OfficialFile, WeightSource, bundled_files, data_folder, official_folder
from models.spandrel_import import import_spandrel
from models.stored import ImportedModel, official_state, stored_path, write_record
from tests.backend.download_site import Page, Site, running_site
from tests.backend.official import SPECS, checkpoint, describe, path_of
from tests.backend.photos import noise

USERS = ("backend.command_models", "backend.model_list", "backend.model_import")
READERS = ("models.recognition", "models.loading")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "*")
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    return {path: checkpoint(path) for path in SPECS}


@pytest.fixture(autouse=True)
def files(
    tmp_path: Path, bodies: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, site: Site
) -> list[OfficialFile]:
    """A manifest of tiny checkpoints on the site, and a data folder of our own."""
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path / "home"))
    described = []
    for path, body in bodies.items():
        site.pages["/" + path] = Page(body)
        described.append(describe(path, body, WeightSource(f"{site.url}/{path}")))
    for module in (*USERS, *READERS):
        monkeypatch.setattr(f"{module}.official_files", lambda: described)
    monkeypatch.setattr("backend.downloads.transfer.time.sleep", lambda _: None)
    return described


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert main(["models", "list", "--json"]) == 0
    return {model["name"]: model for model in json.loads(capsys.readouterr().out)}


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command prints, on whichever stream."""
    assert main(["models", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_the_list_says_what_is_here_and_what_it_serves(capsys: pytest.CaptureFixture[str]) -> None:
    table = said(capsys, "list")
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert "bundled" in lines["bundled-restoration"]
    assert "present" in lines["bundled-restoration"]
    assert "not downloaded" in lines["face_256"]
    models = listed(capsys)
    assert models["detection"]["stages"] == ["detection"]
    assert models["vae_a"]["stages"] == ["restoration"]
    assert models["face_256"]["licence"] == "MIT"
    assert models["bundled-face"]["state"] == "present"


def test_download_all_then_nothing_is_missing(
    capsys: pytest.CaptureFixture[str], site: Site
) -> None:
    text = said(capsys, "download", "official", "--yes")
    assert "under this licence: MIT" in text
    assert "detection: ready" in text
    assert "detection from 127.0.0.1" in text
    assert all(listed(capsys)[SPECS[path].network]["state"] == "present" for path in SPECS)
    asked = len(site.asked)
    assert "Nothing is missing" in said(capsys, "download", "official", "--yes")
    assert len(site.asked) == asked
    assert official_weights(official_folder()).load("face_256") is not None


def test_download_one_stage_or_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "download", "restoration", "--yes")
    states = {name: model["state"] for name, model in listed(capsys).items()}
    assert states["vae_a"] == states["vae_b_quality"] == "present"
    assert states["face_256"] == states["detection"] == "not downloaded"
    said(capsys, "download", "face_256", "detection", "--yes")
    assert listed(capsys)["face_256"]["state"] == "present"


def test_download_from_a_server_of_ones_own(capsys: pytest.CaptureFixture[str], site: Site) -> None:
    path = path_of("vae_a")
    site.pages["/mine/" + path] = site.pages.pop("/" + path)
    said(capsys, "download", "vae_a", "--yes", "--from", site.url + "/mine/")
    assert listed(capsys)["vae_a"]["state"] == "present"


def test_nobody_to_ask_means_no_download(capsys: pytest.CaptureFixture[str], site: Site) -> None:
    assert "add --yes" in said(capsys, "download", "official", code=2)
    assert site.asked == []


@pytest.mark.parametrize(("answer", "code"), [("n", 130), ("", 130), ("y", 0)])
def test_the_user_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    said(capsys, "download", "vae_a", code=code)
    assert (listed(capsys)["vae_a"]["state"] == "present") == (code == 0)


def test_who_hangs_up_has_not_agreed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    def hang_up(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", hang_up)
    said(capsys, "download", "vae_a", code=130)
    assert site.asked == []


def test_a_failed_download_is_one_sentence(capsys: pytest.CaptureFixture[str], site: Site) -> None:
    site.pages["/" + path_of("vae_a")].status = 404
    text = said(capsys, "download", "vae_a", "--yes", code=1)
    assert "vae_a could not be downloaded" in text.splitlines()[-1]
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["download", "everything"], 2, "choose official, detection"),
        (["import", "gone.pth"], 1, "does not exist"),
        (["import", __file__], 1, "no weight file"),
        (["remove", "nothing"], 1, "no model called nothing"),
        (["remove", "bundled-face"], 1, "stays"),
        (["verify", "nothing"], 1, "no model called nothing"),
        (["download", "vae_a", "--yes", "--from", "here"], 1, "no address of a server"),
        (["download", "vae_a", "--yes", "--from", "http://[::1"], 1, "no address of a server"),
    ],
)
def test_bad_input_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    text = said(capsys, *arguments, code=code).splitlines()
    assert words in text[-1]
    assert not any("Traceback" in line for line in text)


def test_models_alone_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert "download" in said(capsys)


def test_verify_reads_everything_and_finds_one_changed_bit(
    capsys: pytest.CaptureFixture[str], files: list[OfficialFile]
) -> None:
    said(capsys, "download", "official", "--yes")
    text = said(capsys, "verify")
    assert "bundled-detection: ok" in text
    assert text.count(": ok") == len(bundled_files()) + len(files)
    path = stored_path(official_folder() / path_of("vae_a"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    # The size is right, so only reading it shows the damage.
    assert listed(capsys)["vae_a"]["state"] == "present"
    text = said(capsys, "verify", "vae_a", "face_256", code=1)
    assert "vae_a: damaged, its sum" in text
    assert "face_256: ok" in text
    path.write_bytes(data[:-9])
    assert listed(capsys)["vae_a"]["state"] == "damaged"
    assert "size" in said(capsys, "verify", "vae_a", code=1)
    said(capsys, "remove", "vae_a")
    said(capsys, "download", "vae_a", "--yes")
    assert "vae_a: ok" in said(capsys, "verify", "vae_a")


def test_remove_takes_all_of_it_away_parts_included(
    capsys: pytest.CaptureFixture[str], site: Site
) -> None:
    said(capsys, "download", "face_256", "--yes")
    site.pages["/" + path_of("vae_a")].cuts = [3000, *[0] * 9]
    said(capsys, "download", "vae_a", "--yes", code=1)
    text = said(capsys, "remove", "official")
    assert "face_256: removed" in text
    assert "vae_a: removed" in text
    assert "detection: was not here" in text
    left = [path.name for path in data_folder().rglob("*") if path.is_file()]
    assert set(left) <= {".lock"}


@pytest.mark.usefixtures("site")
def test_remove_takes_whole_archives_with_the_last_official_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(capsys, "download", "face_256", "vae_a", "--yes")
    archive = official_folder() / "archive-0123.part"
    archive.write_bytes(b"x")
    said(capsys, "remove", "face_256")
    assert archive.exists()
    said(capsys, "remove", "official")
    assert not archive.exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(errno.EIO, "Input/output error"), "some.pth cannot be read (Input/output error)"),
        (OSError(errno.EACCES, "denied", "/other/x"), "/other/x cannot be written (denied)"),
        (OSError(errno.ENOSPC, "full"), "is full: free some space"),
    ],
)
def test_a_fault_of_an_import_names_the_file_at_fault(
    fault: OSError,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> str:
        raise fault

    monkeypatch.setattr("backend.model_import._import_file", fail)
    file = save(tmp_path / "some.pth", b"x")
    assert words in said(capsys, "import", str(file), code=1)


def save(path: Path, body: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_a_published_file_is_known_by_its_sum_whatever_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bodies: dict[str, bytes]
) -> None:
    mine = save(tmp_path / "some name.pth", bodies[path_of("vae_b_quality")])
    text = said(capsys, "import", str(mine), "--stage", "restoration")
    assert "vae_b_quality: imported for restoration (the published file)" in text
    assert mine.is_file()
    assert "is there already" in said(capsys, "import", str(mine))
    assert "vae_b_quality: ok" in said(capsys, "verify", "vae_b_quality")


def test_a_retrained_file_is_known_by_its_keys_and_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bodies: dict[str, bytes]
) -> None:
    content = torch.load(save(tmp_path / "x.pt", bodies[path_of("detection")]), weights_only=True)
    torch.save(
        {"model_state": {k: v + 1 for k, v in content["model_state"].items()}}, tmp_path / "d.pt"
    )
    text = said(capsys, "import", str(tmp_path / "d.pt"), "--stage", "detection")
    assert "detection: imported for detection (not the published file" in text
    assert "not the published file" in str(listed(capsys)["detection"]["kind"])
    assert "There is another detection already" in said(
        capsys, "import", str(tmp_path / "x.pt"), code=1
    )
    # The two VAEs have the same shapes: only the folder tells them apart.
    state = torch.load(save(tmp_path / "a.pth", bodies[path_of("vae_a")]), weights_only=True)
    state = {key: value + 1 if value.is_floating_point() else value for key, value in state.items()}
    torch.save(state, tmp_path / "mine.pth")
    text = said(capsys, "import", str(tmp_path / "mine.pth"), code=1)
    assert "folder called VAE_A_quality or VAE_B_quality" in text
    (tmp_path / "VAE_B_quality").mkdir()
    torch.save(state, tmp_path / "VAE_B_quality" / "mine.pth")
    assert "vae_b_quality: imported" in said(
        capsys, "import", str(tmp_path / "VAE_B_quality" / "mine.pth")
    )


@pytest.mark.parametrize("top", ["", "Global", "Global/checkpoints"])
def test_a_folder_of_checkpoints_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bodies: dict[str, bytes], top: str
) -> None:
    for path, body in bodies.items():
        save(tmp_path / "original" / path, body)
    text = said(capsys, "import", str(tmp_path / "original" / top))
    assert text.count("imported for") == (4 if not top else 3)
    assert "is there already" in said(capsys, "import", str(tmp_path / "original" / top))
    (tmp_path / "empty").mkdir()
    assert "does not hold" in said(capsys, "import", str(tmp_path / "empty"), code=1)


def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bodies: dict[str, bytes]
) -> None:
    mine = save(tmp_path / "d.pt", bodies[path_of("detection")])
    text = said(capsys, "import", str(mine), "--stage", "faces", code=1)
    assert "serves detection, not faces" in text
    assert "keeps its own name" in said(capsys, "import", str(mine), "--name", "x", code=2)
    half = save(tmp_path / "half.pt", bodies[path_of("detection")][:5000])
    assert "incomplete" in said(capsys, "import", str(half), code=1)
    torch.save(torch.ones(3), tmp_path / "one.pt")
    said(capsys, "import", str(tmp_path / "one.pt"), code=1)
    assert not list(data_folder().rglob("*.safetensors"))


def test_without_spandrel_the_message_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.spandrel_import.importlib.util.find_spec", lambda _: None)
    torch.save({"conv.weight": torch.ones(3, 3, 1, 1)}, tmp_path / "other.pth")
    text = said(capsys, "import", str(tmp_path / "other.pth"), "--stage", "denoising", code=1)
    assert f'"{sys.executable}" -m pip install --no-deps spandrel einops' in text


@pytest.mark.skipif(
    importlib.util.find_spec("spandrel") is None,
    reason='spandrel is not installed: "pip install --no-deps spandrel einops"',
)
def test_a_network_of_somebody_else_is_imported_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the file that its author published to a larger photo."""
    import_spandrel()
    package = importlib.import_module("spandrel.architectures.ESRGAN")
    state = package.ESRGAN(num_filters=8, num_blocks=1, scale=2).state_dict()
    published = tmp_path / "Real ESRGAN_x2.pth"
    torch.save({"params_ema": state}, published)
    text = said(capsys, "import", str(published), "--stage", "inpainting", code=1)
    assert "serves enlargement, not inpainting: say --stage enlargement" in text
    text = said(capsys, "import", str(published), "--licence", "BSD-3-Clause")
    assert text == "Real-ESRGAN_x2: imported for enlargement (ESRGAN)\n"
    model = listed(capsys)["Real-ESRGAN_x2"]
    assert (model["licence"], model["kind"], model["state"]) == (
        "BSD-3-Clause",
        "ESRGAN 2x",
        "present",
    )
    assert "already" in said(capsys, "import", str(published), code=2)
    assert "cannot be called" in said(capsys, "import", str(published), "--name", "a/b", code=2)
    for group in ("imported", "All", "Bundled-face"):
        text = said(capsys, "import", str(published), "--name", group, code=2)
        assert "meaning of its own" in text
    assert "Real-ESRGAN_x2: ok" in said(capsys, "verify", "Real-ESRGAN_x2")
    save_picture(Picture(noise(30, 40, 3)), tmp_path / "a.png")
    arguments = ["--no-faces", "--enlarge", "Real-ESRGAN_x2"]
    assert main(["restore", str(tmp_path / "a.png"), *arguments]) == 0
    assert load_picture(tmp_path / "a-restored.png").pixels.shape == (60, 80, 3)


def write_imported(name: str, stage: str) -> ImportedModel:
    """What an import leaves, with bytes of no network."""
    path = data_folder() / "weights" / "imported" / f"{name}.safetensors"
    save(path, b"12345")
    sha256 = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    model = ImportedModel(name, stage, "SCUNet", 1, "", "x.pth", sha256, 5)  # type: ignore[arg-type]
    write_record(path, model)
    return model


def test_imported_models_are_listed_verified_and_removed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = write_imported("clean", "denoising")
    write_imported("cut", "faces").path.write_bytes(b"123")
    save(model.path.with_name("orphan.safetensors"), b"1")
    save(model.path.with_name("broken.json"), b"{")
    models = listed(capsys)
    assert models["clean"]["state"] == "present"
    assert models["clean"]["stages"] == ["denoising"]
    assert models["clean"]["licence"] == "not noted"
    assert models["cut"]["state"] == models["orphan"]["state"] == "damaged"
    assert "clean: ok" in said(capsys, "verify", "clean")
    model.path.write_bytes(b"12346")
    assert "clean: damaged" in said(capsys, "verify", "clean", code=1)
    for name in ("clean", "cut", "orphan"):
        assert f"{name}: removed" in said(capsys, "remove", name)
    assert not list(model.path.parent.glob("*.safetensors"))


def test_a_model_called_like_a_group_is_removed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    write_imported("imported", "denoising")
    other = write_imported("other", "faces")
    assert said(capsys, "remove", "imported") == "imported: removed\n"
    assert other.path.is_file()


def test_a_record_with_values_of_another_kind_counts_as_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = write_imported("odd", "denoising")
    record = model.path.with_suffix(".json")
    facts = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**facts, "scale": None}), encoding="utf-8")
    assert listed(capsys)["odd"]["state"] == "damaged"
    assert "odd: removed" in said(capsys, "remove", "odd")


def test_the_choices_of_restore_name_imported_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_imported("clean", "denoising")
    photo = str(tmp_path / "a.png")
    assert main(["restore", photo, "--denoising", "unknown"]) == 1
    assert "'unknown' was not imported: import it" in capsys.readouterr().err
    assert main(["restore", photo, "--faces", "clean"]) == 1
    assert "serves denoising, not faces: choose another" in capsys.readouterr().err
    for arguments in (
        ["--denoising", "clean", "--no-whole-picture"],
        ["--faces", "x", "--no-faces"],
        ["--inpainting", "x", "--scratches", "none"],
        ["--reference", "--denoising", "clean"],
    ):
        assert main(["restore", photo, *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_size_speed_and_time_left() -> None:
    import fcntl
    import pty
    import struct
    import termios

    code = (
        "import time; from backend.command_progress import DownloadMeter\n"
        "meter = DownloadMeter('vae_a', 'example'); meter.begin(2_000_000, 500_000)\n"
        "time.sleep(0.3); meter.advance(500_000); time.sleep(0.3); meter.advance(500_000)\n"
        "meter._bar.refresh(); meter.end()"
    )
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    os.set_blocking(parent, False)
    subprocess.run([sys.executable, "-c", code], stderr=child, check=True, timeout=60)
    shown = os.read(parent, 100_000).decode()
    os.close(child)
    os.close(parent)
    assert "vae_a from example" in shown
    assert "1.50M/2.00M" in shown
    assert "B/s" in shown


def test_the_state_of_a_published_file_in_place_is_judged_by_its_size(
    bodies: dict[str, bytes], files: list[OfficialFile]
) -> None:
    (vae,) = [file for file in files if file.spec.network == "vae_a"]
    folder = official_folder()
    assert official_state(vae, folder) == "not downloaded"
    path = save(folder / vae.path, bodies[vae.path])
    assert official_state(vae, folder) == "present"
    path.write_bytes(b"half")
    assert official_state(vae, folder) == "damaged"
