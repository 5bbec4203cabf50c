"""Whole runs of `python3 -m installer` for a user of a made-up home folder."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from tests.installer.conftest import User

pytestmark = pytest.mark.slow


def program_of(user: User) -> Path:
    return user.environment / "bin" / "restore-old-photo"


def test_one_command_sets_up_everything_and_shows_an_example(user: User) -> None:
    user.profile.mkdir(parents=True)
    status, output = user.install()
    assert status == 0, output
    assert f"program called with demo -o {user.checkout / 'restored'}" in output
    assert os.access(program_of(user), os.X_OK)
    assert (user.home / ".local/bin/restore-old-photo").resolve() == program_of(user).resolve()
    installation = json.loads((user.data / "installation.json").read_text())
    assert installation == {
        "python": str(user.environment / "bin" / "python"),
        "home": str(user.data),
        "version": "0.1.0",
    }
    plugin = user.profile / "plug-ins" / "restore-old-photo"
    assert json.loads((plugin / "installation.json").read_text()) == installation
    assert (plugin / "restore-old-photo.py").stat().st_mode & stat.S_IXUSR
    assert not (user.data / "installation.incomplete").exists()


def test_the_users_photo_is_restored_instead_of_the_example(user: User, tmp_path: Path) -> None:
    photo = tmp_path / "grand mother.png"
    photo.touch()
    # As it is typed in a folder beside.
    status, output = user.install(os.path.relpath(photo, user.checkout))
    assert status == 0, output
    assert f"program called with restore {photo}\n" in output
    assert "demo" not in output


def test_a_photo_that_cannot_be_restored_fails_the_command(user: User, tmp_path: Path) -> None:
    photo = tmp_path / "unreadable.png"
    photo.touch()
    status, output = user.install(str(photo))
    assert status == 1
    assert "the photo was not restored" in output


def test_a_second_run_changes_nothing_but_repairs_and_updates(user: User) -> None:
    user.profile.mkdir(parents=True)
    user.install("--no-demo")
    script = user.profile / "plug-ins/restore-old-photo/restore-old-photo.py"
    before = script.stat().st_mtime_ns
    status, output = user.install("--no-demo")
    assert status == 0
    assert "is set up already" in output
    assert "[" not in output
    assert script.stat().st_mtime_ns == before

    # A damaged plug-in is mended without touching the rest.
    whole = script.read_bytes()
    script.write_bytes(whole[:100])
    status, output = user.install("--no-demo")
    assert output.count(": already there") == 4, output
    assert script.read_bytes() == whole

    # Killed after the last step, before the marker went.
    (user.data / "installation.incomplete").write_text("record\n")
    assert user.install("--no-demo")[0] == 0
    assert not (user.data / "installation.incomplete").exists()
    assert (user.data / "installation.json").exists()

    cli = user.checkout / "backend" / "cli.py"
    cli.write_text(cli.read_text().replace("program called", "newer program called"))
    names = user.checkout / "plugin" / "shared" / "names.py"
    names.write_text(names.read_text() + "# newer\n")
    status, output = user.install()
    assert status == 0, output
    assert "Plug-in for GIMP 3.0 (older)" in output
    assert "newer program called with demo -o" in output


def test_killed_at_any_moment_the_next_run_finishes_the_installation(user: User) -> None:
    user.profile.mkdir(parents=True)
    # On a fast machine the third step and all after it would be done before the kill.
    user.variables["BUILD_SECONDS"] = "3"
    # The step, the seconds into it, and whether the programs it runs are killed as well.
    for step, seconds, is_all in (
        ("[1/6]", 0.0, True),
        ("[1/6]", 0.5, False),
        ("[2/6]", 0.3, False),
        ("[3/6]", 0.3, True),
        ("[3/6]", 0.6, False),
    ):
        process = user.start("--no-demo")
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(step):
                break
        time.sleep(seconds)
        if is_all:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()
        assert (user.data / "installation.incomplete").exists(), step
        assert not (user.data / "installation.json").exists(), step
    status, output = user.install()
    assert status == 0, output
    assert "finishes an installation that was cut short" in output
    assert "program called with demo -o" in output
    assert not (user.data / "installation.incomplete").exists()
    assert user.install("--repair", "--dry-run")[1].count("is set up already") == 1


def test_what_was_damaged_is_noticed_and_mended(user: User) -> None:
    user.profile.mkdir(parents=True)
    user.install("--no-demo")
    (packages,) = user.environment.glob("lib/python3*/site-packages")
    module = packages / "torch" / "__init__.py"
    module.write_text("damaged")
    cli = packages / "backend" / "cli.py"
    whole = cli.read_bytes()
    cli.unlink()
    status, output = user.install("--no-demo")
    assert status == 0, output
    assert "repairs:" in output
    assert "which runs the networks, for your processor (damaged)" in output
    assert module.read_text() == ""
    assert cli.read_bytes() == whole

    # The size is right, the bytes are not: only a thorough look sees that.
    cli.write_bytes(whole[::-1])
    assert "is set up already" in user.install("--dry-run")[1]
    status, output = user.install("--repair", "--no-demo")
    assert status == 0, output
    assert cli.read_bytes() == whole

    # A Python that does not start any more, as after an update of the system.
    user.environment.joinpath("bin", "python").unlink()
    assert user.install("--no-demo")[0] == 0
    assert os.access(program_of(user), os.X_OK)


def test_an_installation_that_was_moved_is_mended(user: User) -> None:
    user.install("--no-demo")
    moved = user.home / "another disk"
    user.data.rename(moved)
    user.variables["RESTORE_OLD_PHOTO_HOME"] = str(moved)
    status, output = user.install("--no-demo")
    assert status == 0, output
    assert "repairs:" in output
    program = moved / "environment" / "bin" / "restore-old-photo"
    assert str(moved) in program.read_text()
    assert "is set up already" in user.install("--dry-run")[1]


def test_an_update_takes_little_of_the_disk(user: User) -> None:
    user.install("--no-demo")
    cli = user.checkout / "backend" / "cli.py"
    cli.write_text(cli.read_text() + "\n")
    output = user.install("--dry-run")[1]
    assert "updates:" in output
    assert "On disk: about 60 MB" in output


def test_a_checkout_that_nobody_may_write_to_is_updated_as_well(user: User) -> None:
    cli = user.checkout / "backend" / "cli.py"
    for number in range(2):
        cli.write_text(cli.read_text() + f"# {number}\n")
        for path in (user.checkout / "backend").rglob("*"):
            path.chmod(path.stat().st_mode & ~0o222)
        status, output = user.install("--no-demo")
        assert status == 0, output
        cli.chmod(0o644)


def test_removal_leaves_other_plug_ins_and_the_users_weights(user: User) -> None:
    other = user.profile / "plug-ins" / "another" / "another.py"
    weights = user.data / "weights" / "official" / "mine.pth"
    for path in (other, weights):
        path.parent.mkdir(parents=True)
        path.touch()
    user.install("--no-demo")
    status, output = user.install("--remove", "--yes")
    assert status == 0, output
    files = {path for path in user.home.rglob("*") if not path.is_dir()}
    assert files == {other, weights}
    assert str(user.data) in output


def test_nothing_is_removed_where_nobody_can_be_asked(user: User) -> None:
    user.install("--no-demo")
    before = {path for path in user.home.rglob("*") if not path.is_dir()}
    status, output = user.install("--remove")
    assert status == 1
    assert "add --yes" in output
    assert {path for path in user.home.rglob("*") if not path.is_dir()} == before


@pytest.mark.parametrize(
    "options",
    [
        ("--window", "--remove"),
        ("--offline", "a", "--fill-offline", "b"),
        ("--offline", "a", "--torch-index", "b"),
        ("--remove", "--gimp-profile", "a"),
    ],
)
def test_options_that_exclude_each_other_are_refused(user: User, options: tuple[str, ...]) -> None:
    status, output = user.install(*options)
    assert status == 2
    assert "exclude each other" in output
    assert list(user.home.iterdir()) == []


def test_an_incomplete_folder_is_not_installed_from(user: User) -> None:
    weights = user.checkout / "models" / "weights" / "tone.safetensors"
    away = weights.rename(user.home.parent / "tone")
    try:
        status, output = user.install()
        assert status == 1
        assert "tone.safetensors is missing: copy or unpack it again" in output
        assert list(user.home.iterdir()) == []
    finally:
        away.rename(weights)


def test_where_commands_cannot_be_put_the_rest_is_installed(user: User) -> None:
    (user.home / ".local").mkdir()
    (user.home / ".local" / "bin").touch()
    status, output = user.install("--no-demo")
    assert status == 0, output
    assert f"Restore a photo:  {program_of(user)} restore PHOTO" in output.replace('"', "")
    assert (user.home / ".local" / "bin").is_file()


def test_removal_where_nothing_is_installed_is_no_error(user: User) -> None:
    status, output = user.install("--remove", "--yes")
    assert status == 0, output


def test_a_dry_run_writes_nothing(user: User) -> None:
    status, output = user.install("--dry-run")
    assert status == 0
    assert "nothing was changed" in output
    assert list(user.home.iterdir()) == []


def test_an_unwritable_data_folder_is_said_in_one_sentence(user: User, tmp_path: Path) -> None:
    in_the_way = tmp_path / "a file"
    in_the_way.touch()
    user.variables["RESTORE_OLD_PHOTO_HOME"] = str(in_the_way / "data")
    status, output = user.install("--no-demo")
    assert status == 1
    assert output.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in output


def test_a_window_without_a_screen_is_refused_with_the_command_that_needs_none(user: User) -> None:
    status, output = user.install("--window")
    assert status == 1
    assert output.count("\n") == 1
    assert 'run "python3 -m installer" instead' in output
    assert list(user.home.iterdir()) == []


def test_a_missing_photo_is_said_before_anything_is_done(user: User) -> None:
    status, output = user.install("no such photo.png")
    assert status == 1
    assert "no such photo.png" in output
    assert list(user.home.iterdir()) == []
