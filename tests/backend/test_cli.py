"""The command line, from arguments to files and exit codes."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend import command_restore
from backend.cli import main
from backend.command_files import Output, find_photos, output_path, resolve_output
from backend.demo import age, load_portrait
from backend.errors import OptionsError, WeightsError
from backend.files import load_picture, save_picture
from backend.images import Metadata, Picture, Pixels
from backend.networks import Networks
from backend.options import Options
from tests.backend.networks import random_networks
from tests.backend.photos import noise, portrait, scratched

PROJECT = Path(__file__).parents[2]
FAST = ["--no-faces"]


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Replace the weights by tiny random ones; gives the options they were asked for with."""
    asked: list[Options] = []

    def for_options(options: Options) -> Networks:
        asked.append(options)
        if options.weights == "missing":
            raise WeightsError("The weights are missing: choose other weights.")
        return random_networks("official" if options.weights == "official" else "bundled")

    monkeypatch.setattr(Networks, "for_options", for_options)
    return asked


def write(path: Path, pixels: Pixels | None = None) -> Path:
    save_picture(Picture(noise(40, 50, 3) if pixels is None else pixels), path)
    return path


def test_the_copy_lies_beside_the_photo_in_its_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = write(tmp_path / "my photo.tif", noise(40, 50, 4, 16))
    before = photo.read_bytes()
    assert main(["restore", str(photo), *FAST]) == 0
    restored = load_picture(tmp_path / "my photo-restored.tif").pixels
    assert restored.shape == (40, 50, 4)
    assert restored.dtype == np.uint16
    assert photo.read_bytes() == before
    captured = capsys.readouterr()
    assert f"{photo} -> {tmp_path / 'my photo-restored.tif'}" in captured.out
    assert captured.err.splitlines() == [
        "my photo.tif: looking for scratches",
        "my photo.tif: restoring",
    ]


def test_one_bad_file_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [write(tmp_path / f"{name}.png") for name in "ac"]
    bad = tmp_path / "b.png"
    bad.write_text("not a picture")
    arguments = [str(good[0]), str(bad), str(tmp_path / "gone.jpg"), str(good[1])]
    assert main(["restore", *arguments, *FAST]) == 1
    assert (tmp_path / "a-restored.png").is_file()
    assert (tmp_path / "c-restored.png").is_file()
    errors = [line for line in capsys.readouterr().err.splitlines() if line.endswith(".")]
    assert len(errors) == 2
    assert "b.png" in errors[0]
    assert "gone.jpg does not exist" in errors[1]


def test_a_fault_in_the_program_is_told_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.png")
    monkeypatch.setattr(command_restore, "restore_photo", lambda *_: 1 / 0)
    assert main(["restore", str(tmp_path / "a.png")]) == 1
    captured = capsys.readouterr().err
    assert "ZeroDivisionError" in captured
    assert captured.splitlines()[-1].startswith(f"{tmp_path / 'a.png'}: This is an error in")


def test_a_folder_gives_its_photos_to_a_folder(tmp_path: Path) -> None:
    album = tmp_path / "album"
    (album / "deeper").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "b.webp", "old-restored.png", "deeper/c.png"):
        write(album / name)
    (album / "notes.txt").touch()
    assert main(["restore", str(album), "-o", str(tmp_path / "out" / "new"), *FAST]) == 0
    names = sorted(path.name for path in (tmp_path / "out" / "new").iterdir())
    assert names == ["a-restored.jpg", "a-restored.png", "b-restored.webp"]


def test_names_never_collide(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "a.png")
    photos = [str(tmp_path / folder / "a.png") for folder in ("x", "y")]
    for _ in range(2):
        assert main(["restore", *photos, "-o", str(tmp_path / "out"), *FAST]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"a-restored{number}.png" for number in ("-2", "-3", "-4", "")]


def test_a_named_file_is_replaced_but_never_the_photo_or_the_mask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = write(tmp_path / "a.png"), write(tmp_path / "out.png")
    mask = write(tmp_path / "mask.png", np.zeros((40, 50, 1), dtype=np.uint8))
    assert main(["restore", str(photo), "-o", str(out), *FAST]) == 0
    assert (load_picture(out).pixels != noise(40, 50, 3)).any()
    for precious in (photo, mask):
        before = precious.read_bytes()
        arguments = ["restore", str(photo), "--mask", str(mask), "-o", str(precious)]
        assert main(arguments) == 1
        assert "would be replaced" in capsys.readouterr().err
        assert precious.read_bytes() == before


def test_a_mask_alone_repairs_only_what_it_shows(tmp_path: Path) -> None:
    pixels = noise(40, 50, 3)
    mask = np.zeros((40, 50, 1), dtype=np.uint8)
    mask[10:20, 10:20] = 255
    write(tmp_path / "a.png", pixels)
    write(tmp_path / "m.png", mask)
    arguments = ["--mask", str(tmp_path / "m.png"), "--scratches", "mask", "--no-whole-picture"]
    assert main(["restore", str(tmp_path / "a.png"), *arguments, *FAST]) == 0
    restored = load_picture(tmp_path / "a-restored.png").pixels
    changed = (restored != pixels).any(axis=2)
    assert changed[10:20, 10:20].mean() > 0.9
    assert not changed[mask[..., 0] == 0].any()


def test_a_mask_of_another_size_fails_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "m.png", noise(4, 5, 1))
    assert main(["restore", str(tmp_path / "a.png"), "--mask", str(tmp_path / "m.png")]) == 1
    assert "5 x 4 pixels and the photo 50 x 40" in capsys.readouterr().err


def test_transparent_parts_of_a_mask_are_kept(tmp_path: Path) -> None:
    pixels = np.full((2, 2, 4), 255, dtype=np.uint8)
    pixels[0, 0, 3], pixels[1, 1, :3] = 0, 0
    save_picture(Picture(pixels), tmp_path / "m.png")
    assert command_restore.load_mask(tmp_path / "m.png").tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_mask_may_be_painted_in_any_pure_colour(tmp_path: Path, depth: int) -> None:
    colors = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255)]
    pixels = np.array([[*colors, (128, 0, 0), (90, 90, 90)]], dtype=np.uint8)
    levels = pixels.astype(np.uint16) * 257 if depth == 16 else pixels
    save_picture(Picture(levels), tmp_path / "m.png")
    mask = command_restore.load_mask(tmp_path / "m.png")
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 255, 255, 255, 255, 255, 128, 90]]


def test_the_stages_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels, _ = scratched(portrait())
    photo = write(tmp_path / "a.jpg", pixels)
    assert main(["restore", str(photo), "--stages", str(tmp_path / "s")]) == 0
    pictures = {path.name: load_picture(path).pixels for path in (tmp_path / "s").glob("*.png")}
    assert sorted(pictures) == ["face-1.png", "final.png", "mask.png", "restored.png"]
    assert pictures["mask.png"].shape == (240, 240, 1)
    assert pictures["final.png"].shape == pictures["restored.png"].shape == (240, 240, 3)
    assert "1 face" in capsys.readouterr().out


def test_the_stages_of_several_photos_have_folders(tmp_path: Path) -> None:
    photos = [str(write(tmp_path / name)) for name in ("a.png", "b.png")]
    assert main(["restore", *photos, "--stages", str(tmp_path / "s"), *FAST]) == 0
    assert (tmp_path / "s" / "b.png" / "final.png").is_file()


def test_metadata_goes_from_the_photo_to_the_copy(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270], exif[274] = "Grandmother", 6
    Image.fromarray(noise(40, 50, 3)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
    assert main(["restore", str(tmp_path / "a.jpg"), *FAST]) == 0
    with Image.open(tmp_path / "a-restored.jpg") as image:
        assert image.size == (40, 50)
        assert image.getexif()[270] == "Grandmother"
        assert 274 not in image.getexif()
        assert image.info["dpi"] == (300, 300)


def test_detect_writes_a_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels, drawn = scratched(noise(40, 60, 3))
    photo = write(tmp_path / "a.jpg", pixels)
    assert main(["detect", str(photo), "-o", str(tmp_path / "m.png")]) == 0
    assert main(["detect", str(photo)]) == 0
    mask = load_picture(tmp_path / "m.png").pixels
    assert mask.shape == (40, 60, 1)
    assert (mask[drawn > 0] > 200).mean() > 0.8
    assert (tmp_path / "a-scratches.png").read_bytes() == (tmp_path / "m.png").read_bytes()
    assert "scratches on" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore"],
        ["restore", ""],
        ["restore", "a.png", "-o", ""],
        ["restore", "a.png", "--scratches", "some"],
        ["restore", "a.png", "--threshold", "2"],
        ["restore", "a.png", "--scratches", "mask"],
        ["restore", "a.png", "--scratches", "none", "--mask", "m.png"],
        ["restore", "a.png", "b.png", "--mask", "m.png"],
        ["restore", "a.png", "b.png", "-o", "c.png"],
        ["restore", "a.png", "-o", "c.bmp"],
        ["restore", "a.png", "--high-resolution"],
        ["restore", "a.png", "--reference", "--no-whole-picture"],
        ["restore", "a.png", "--reference", "--threshold", "0.5"],
        ["restore", "a.png", "--no-faces", "--no-whole-picture", "--scratches", "none"],
        ["restore", "a.png", "--no-faces", "--scratches", "none", "--no-cleaning", "--no-tone"],
        ["restore", "a.png", "-o", "v1.2"],
        ["restore", "a.png", "--no-such-option"],
        ["models", "list", "more"],
        ["mend", "a.png"],
    ],
)
def test_wrong_usage_is_told_and_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    assert code == 2
    assert capsys.readouterr().err


def test_missing_weights_exit_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.png")
    assert main(["restore", str(tmp_path / "a.png"), "--weights", "missing"]) == 1
    assert "choose other weights" in capsys.readouterr().err


def test_without_a_command_the_help_comes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "restore-old-photo restore grandmother.jpg" in capsys.readouterr().out


def test_choices_reach_the_pipeline(tmp_path: Path, tiny_networks: list[Options]) -> None:
    write(tmp_path / "a.png")
    arguments = ["--threshold", "0.3", "--no-faces", "--device", "cpu", "--weights", "official"]
    assert main(["restore", str(tmp_path / "a.png"), *arguments]) == 0
    assert tiny_networks == [
        Options(threshold=0.3, enhance_faces=False, device="cpu", weights="official")
    ]


def test_the_reference_run_takes_official_weights_and_rounds_the_size(
    tmp_path: Path, tiny_networks: list[Options]
) -> None:
    write(tmp_path / "a.png", noise(70, 90, 3))
    arguments = ["--reference", "--no-faces", "--stages", str(tmp_path / "s")]
    assert main(["restore", str(tmp_path / "a.png"), *arguments]) == 0
    assert tiny_networks[0].weights == "official"
    assert load_picture(tmp_path / "a-restored.png").pixels.shape == (64, 96, 3)
    names = sorted(path.name for path in (tmp_path / "s").glob("*.png"))
    assert names == ["final.png", "mask.png", "restored.png"]


def test_ctrl_c_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_restore, "restore_photo", interrupted)
    photo = write(tmp_path / "a.png")
    assert main(["restore", str(photo)]) == 130
    assert "stopped" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_photos_given_twice_are_restored_once(tmp_path: Path) -> None:
    photo = write(tmp_path / "a.png")
    assert find_photos([photo, tmp_path, photo]) == ([photo], [])
    (tmp_path / "empty").mkdir()
    photos, problems = find_photos([tmp_path / "empty"])
    assert not photos
    assert "holds no" in str(problems[0])


def test_a_photo_without_an_ending_gets_the_one_of_its_format(tmp_path: Path) -> None:
    assert output_path(tmp_path / "scan", ".tif", Output(), "-restored").name == "scan-restored.tif"
    assert output_path(tmp_path / "A.JPG", ".jpg", Output(), "-restored").name == "A-restored.JPG"


def test_an_output_is_a_folder_when_it_looks_like_one(tmp_path: Path) -> None:
    photo = [tmp_path / "a.png"]
    assert resolve_output(tmp_path, photo) == Output(folder=tmp_path)
    assert resolve_output(tmp_path / "new", photo) == Output(folder=tmp_path / "new")
    assert resolve_output(tmp_path / "b.jpg", photo) == Output(path=tmp_path / "b.jpg")
    assert resolve_output(tmp_path / "v1.2", photo * 2) == Output(folder=tmp_path / "v1.2")
    with pytest.raises(OptionsError, match="several photos"):
        resolve_output(tmp_path / "b.jpg", photo * 2)


def test_folders_of_results_are_made(tmp_path: Path) -> None:
    photo = write(tmp_path / "a.png")
    for command in (["restore", *FAST], ["detect"]):
        target = tmp_path / command[0] / "deeper" / "out.png"
        assert main([command[0], str(photo), "-o", str(target), *command[1:]]) == 0
        assert target.is_file()


def test_a_place_that_takes_no_files_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_restore, "restore_photo", lambda *_: pytest.fail("worked first"))
    photo = write(tmp_path / "a.png")
    (tmp_path / "file").touch()
    below = str(tmp_path / "file" / "out.png")
    for arguments in (["-o", below], ["--stages", below], ["-o", str(tmp_path / "file")]):
        assert main(["restore", str(photo), *arguments]) == 1
        assert "cannot be made" in capsys.readouterr().err
    assert main(["demo", "-o", str(tmp_path / "file")]) == 1
    assert "cannot be made" in capsys.readouterr().err
    read_only = Path("/proc")
    if read_only.is_dir():  # takes no files, not even those of root
        assert main(["restore", str(photo), "-o", str(read_only)]) == 1
        assert "takes no files" in capsys.readouterr().err


def test_names_that_the_system_refuses_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name in ("x" * 300 + ".png", "loop.png"):
        assert main(["restore", str(tmp_path / name)]) == 1
        assert "cannot be read (" in capsys.readouterr().err
        assert main(["detect", str(tmp_path / name)]) == 1
        assert "cannot be read (" in capsys.readouterr().err


def test_what_was_not_looked_for_is_not_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(write(tmp_path / "a.png"))
    for arguments, said in (
        (["--no-faces"], "(scratches on "),
        (["--scratches", "none"], "(no face, "),
        (["--no-faces", "--scratches", "none"], "(nothing looked for, "),
    ):
        assert main(["restore", photo, *arguments]) == 0
        out = capsys.readouterr().out
        assert said in out
        assert ("face" in out) == ("--no-faces" not in arguments)


def test_a_black_mask_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = write(tmp_path / "a.png")
    mask = np.zeros((40, 50, 1), dtype=np.uint8)
    for value, is_told in ((0, True), (1, True), (255, False)):
        mask[5, 5] = value
        name = str(write(tmp_path / f"m{value}.png", mask))
        assert main(["restore", str(photo), "--mask", name, *FAST]) == 0
        assert ("black everywhere" in capsys.readouterr().err) == is_told


def test_of_two_runs_at_once_each_keeps_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = write(tmp_path / "a.png")
    restore_photo = command_restore.restore_photo

    def restore_slowly(*arguments: Any) -> Any:
        (tmp_path / "a-restored.png").write_text("of the other run")
        return restore_photo(*arguments)

    monkeypatch.setattr(command_restore, "restore_photo", restore_slowly)
    assert main(["restore", str(photo), *FAST]) == 0
    assert "a-restored-2.png" in capsys.readouterr().out
    assert load_picture(tmp_path / "a-restored-2.png").pixels.shape == (40, 50, 3)
    assert (tmp_path / "a-restored.png").read_text() == "of the other run"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_borne(tmp_path: Path, closed: str) -> None:
    photo = write(tmp_path / "a.png", portrait()[:64, :64])
    command = f'"{sys.executable}" -m backend restore "{photo}" --no-faces {closed}'
    assert subprocess.run(command, shell=True, cwd=PROJECT).returncode == 0
    assert load_picture(tmp_path / "a-restored.png").pixels.shape == (64, 64, 3)


def test_a_link_to_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nothing")
    assert main(["restore", str(tmp_path), *FAST]) == 1
    assert "b.png does not exist" in capsys.readouterr().err
    assert (tmp_path / "a-restored.png").exists()


@pytest.mark.parametrize(
    ("option", "text", "kind"),
    [
        ("--watch-pid", "-1", "whole number"),
        ("--watch-pid", "abc", "whole number"),
        ("--watch-pid", "1.5", "whole number"),
        ("--idle-minutes", "nan", "number"),
        ("--idle-minutes", "0", "number"),
        ("--idle-minutes", "soon", "number"),
    ],
)
def test_nonsense_for_the_backend_is_refused(
    option: str, text: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["serve", option, text])
    assert exited.value.code == 2
    said = f"argument {option}: {text} is no {kind} above 0: give one, like 15\n"
    assert capsys.readouterr().err.endswith(said)


def test_whoever_has_no_home_folder_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", "~nobody-of-this-name/photos")
    for command in (["models", "list"], ["serve"], ["doctor"]):
        assert main(command) == 1
        assert "home folder" in capsys.readouterr().err


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["--version"])
    assert exited.value.code == 0
    assert re.fullmatch(r"restore-old-photo \S+\n", capsys.readouterr().out)


def test_a_refusal_of_the_system_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> int:
        raise OSError(errno.EIO, "Input/output error", "a.png")

    monkeypatch.setattr(command_restore, "run_restore", refuse)
    assert main(["restore", "a.png"]) == 1
    assert "Input/output error" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "backend", "models", "list"],
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


def test_ageing_is_always_the_same_and_shows() -> None:
    portrait_pixels = load_portrait()
    first, second = age(portrait_pixels), age(portrait_pixels)
    np.testing.assert_array_equal(first, second)
    assert first.shape == portrait_pixels.shape
    assert (age(portrait_pixels, seed=1) != first).any()
    assert np.abs(first.astype(int) - portrait_pixels).mean() > 20


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def test_help_comes_without_torch() -> None:
    code = (
        "import sys; from backend.cli import main\n"
        "try: main(['restore', '--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'cv2', 'dlib', 'PIL', 'skimage'} & set(sys.modules)\n"
        "sys.exit(str(slow) if slow else 0)"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--no-whole-picture" in done.stdout
    # Far above the 0.1 s that it takes, far below the seconds of torch.
    assert time.monotonic() - started < 2


def test_the_module_is_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backend", "restore", str(tmp_path / "gone.png"), "--mask"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "expected one argument" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_a_bar() -> None:
    import fcntl
    import pty
    import struct
    import termios

    code = (
        "from backend.command_progress import PhotoProgress\n"
        "with PhotoProgress('a.png', ['scratches', 'restoration']) as progress:\n"
        "    progress.advance('restoration', 1.0)\n"
        "    progress._bar.refresh()"
    )
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    os.set_blocking(parent, False)
    subprocess.run(
        [sys.executable, "-c", code], env=environment(), stderr=child, check=True, timeout=60
    )
    shown = os.read(parent, 100_000).decode()
    os.close(child)
    os.close(parent)
    assert "a.png: restoring 100% |" in shown


def test_a_mask_made_by_detect_keeps_the_resolution(tmp_path: Path) -> None:
    save_picture(Picture(noise(40, 50, 3), Metadata(dpi=(600, 600))), tmp_path / "a.png")
    assert main(["detect", str(tmp_path / "a.png")]) == 0
    dpi = load_picture(tmp_path / "a-scratches.png").metadata.dpi
    assert dpi == pytest.approx((600, 600), abs=0.1)
