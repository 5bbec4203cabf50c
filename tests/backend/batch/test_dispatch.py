"""What is restored, skipped, copied, tried again and reported; the workers here only copy."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.batch.archive import Recipe, open_archive
from backend.batch.dispatch import Dispatch
from backend.batch.inputs import find_inputs
from backend.batch.manifest import Manifest
from backend.batch.progress import BatchProgress
from backend.errors import OptionsError
from tests.backend.batch.crews import RECIPE, HereCrew, run_here, write_photo

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    write_photo(tmp_path / "scans" / "a.png", seed=1)
    write_photo(tmp_path / "scans" / "1920" / "ü.png", seed=2)
    return tmp_path / "scans"


def lines_of(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_bytes().splitlines()]


def test_each_photo_gets_its_result_and_its_line(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    crew, progress = run_here(scans, out)
    assert (progress.restored, progress.skipped, progress.failed) == (2, 0, 0)
    for name in ("a.png", "1920/ü.png"):
        assert (out / name).read_bytes() == (scans / name).read_bytes()
    assert [line["result"] for line in lines_of(out)] == ["1920/ü.png", "a.png"]
    assert crew.is_closed
    assert not (out / ".batch" / "work").exists()


def test_a_second_batch_restores_only_what_is_new_or_changed(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    write_photo(scans / "b.png", seed=3)
    (scans / "a.png").unlink()
    write_photo(scans / "a.png", seed=4)
    crew, progress = run_here(scans, out)
    assert crew.given == ["a.png", "b.png"]
    assert progress.skipped == 1
    assert (out / "a.png").read_bytes() == (scans / "a.png").read_bytes()


def test_a_result_that_is_gone_is_made_again(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    (out / "1920" / "ü.png").unlink()
    crew, _ = run_here(scans, out)
    assert crew.given == ["1920/ü.png"]


def test_a_result_that_somebody_worked_on_is_neither_replaced_nor_copied(
    scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    (out / "a.png").write_text("touched up")
    (scans / "copy.png").write_bytes((scans / "a.png").read_bytes())
    crew, progress = run_here(scans, out)
    assert crew.given == ["copy.png"]
    assert (progress.skipped, progress.failed) == (2, 0)
    _, progress = run_here(scans, out, Recipe({"strength": 0.5}, RECIPE.weights))
    assert (progress.restored, progress.failed) == (2, 1)
    assert (out / "a.png").read_text() == "touched up"
    errors = [str(line["error"]) for line in lines_of(out) if line["error"]]
    assert "a.png was changed since the batch made it" in errors[0]


@pytest.mark.parametrize(
    "changed", [Recipe({"strength": 0.5}, RECIPE.weights), Recipe(RECIPE.options, {"other": "1"})]
)
def test_other_options_or_weights_make_all_of_it_again(
    scans: Path, tmp_path: Path, changed: Recipe
) -> None:
    run_here(scans, tmp_path / "out")
    crew, _ = run_here(scans, tmp_path / "out", changed)
    assert len(crew.given) == 2
    crew, _ = run_here(scans, tmp_path / "out", changed)
    assert not crew.given


def test_an_equal_photo_gets_a_copy_of_the_result(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    (scans / "renamed.png").write_bytes((scans / "a.png").read_bytes())
    # Its result would be of another format.
    (scans / "wrong ending.jpg").write_bytes((scans / "a.png").read_bytes())
    crew, progress = run_here(scans, out)
    assert crew.given == ["wrong ending.jpg"]
    assert progress.skipped == 3
    assert (out / "renamed.png").read_bytes() == (out / "a.png").read_bytes()
    crew, progress = run_here(scans, out)
    assert progress.skipped == 4


def test_a_failure_is_noted_and_tried_again_next_time(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photo(scans / "bad.png")
    crew, progress = run_here(scans, tmp_path / "out")
    assert (progress.restored, progress.failed) == (2, 1)
    assert "bad.png is damaged." in capsys.readouterr().err
    failed = next(line for line in lines_of(tmp_path / "out") if line["error"])
    assert failed["error_code"] == "file-damaged"
    assert failed["result"] is None
    crew, _ = run_here(scans, tmp_path / "out")
    assert crew.given == ["bad.png"]


def test_a_photo_whose_worker_was_lost_is_tried_once_more_at_the_end(
    scans: Path, tmp_path: Path
) -> None:
    write_photo(scans / "1920" / "huge.png", seed=5)
    write_photo(scans / "lost.png", seed=6)
    write_photo(scans / "lost-once.png", seed=7)
    crew, progress = run_here(scans, tmp_path / "out")
    order = ["1920/huge.png", "1920/ü.png", "a.png", "lost-once.png", "lost.png"]
    assert crew.given == [*order, "1920/huge.png", "lost-once.png", "lost.png"]
    assert (progress.restored, progress.failed) == (3, 2)
    errors = {line["input"]: line["error"] for line in lines_of(tmp_path / "out") if line["error"]}
    assert errors["1920/huge.png"] == "The memory is too small."
    assert "because somebody killed it" in str(errors["lost.png"])


def test_a_crew_that_cannot_work_ends_the_batch_and_keeps_the_rest(
    scans: Path, tmp_path: Path
) -> None:
    write_photo(scans / "stop.png", seed=3)
    crew, progress = run_here(scans, tmp_path / "out")
    assert crew.is_closed
    assert progress.restored == 2
    assert not (tmp_path / "out" / ".batch" / "work").exists()


def test_files_of_others_are_not_replaced(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("precious")
    crew, progress = run_here(scans, out)
    assert progress.failed == 1
    assert crew.given == ["1920/ü.png"]
    assert (out / "a.png").read_text() == "precious"
    assert "is no result of this batch" in str([line["error"] for line in lines_of(out)])


def test_results_of_another_folder_are_not_replaced(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    before = (out / "a.png").read_bytes()
    write_photo(tmp_path / "other" / "a.png", seed=9)
    _, progress = run_here(tmp_path / "other", out)
    assert progress.failed == 1
    assert (out / "a.png").read_bytes() == before
    assert f"from {scans}" in str(lines_of(out)[-1]["error"])


def test_an_archive_that_moved_is_known_again(scans: Path, tmp_path: Path) -> None:
    run_here(scans, tmp_path / "out")
    scans.rename(tmp_path / "moved")
    crew, _ = run_here(tmp_path / "moved", tmp_path / "out")
    assert not crew.given


def test_a_photo_that_changes_meanwhile_fails(scans: Path, tmp_path: Path) -> None:
    class Scanner(HereCrew):
        def give(self, task):  # type: ignore[no-untyped-def]
            super().give(task)
            if task.photo.name == "a.png":
                os.utime(task.photo.path, ns=(1, 1))

    _, progress = run_here(scans, tmp_path / "out", crew=Scanner())
    assert progress.failed == 1
    assert not (tmp_path / "out" / "a.png").exists()
    assert "was changed while" in str(lines_of(tmp_path / "out")[-1]["error"])


def test_a_photo_that_disappears_fails(scans: Path, tmp_path: Path) -> None:
    photos, _ = find_inputs(scans, tmp_path / "out")
    (scans / "1920" / "ü.png").unlink()
    with open_archive(tmp_path / "out", scans, RECIPE) as archive:
        progress = BatchProgress(2)
        Dispatch(archive, progress).run(photos, HereCrew)
    assert (progress.restored, progress.failed) == (1, 1)


def test_a_batch_killed_between_line_and_result_goes_on(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    # So it looks when the line is written, and the result not yet in its place.
    (out / ".batch" / "work" / "7").mkdir(parents=True)
    (out / "a.png").rename(out / ".batch" / "work" / "7" / "a.png")
    crew, _ = run_here(scans, out)
    assert crew.given == ["a.png"]
    assert (out / "a.png").is_file()
    assert not (out / ".batch" / "work").exists()


def test_an_old_result_stays_where_the_new_one_cannot_be_recorded(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    old = (out / "1920" / "ü.png").read_bytes()
    (scans / "1920" / "ü.png").unlink()
    write_photo(scans / "1920" / "ü.png", seed=5)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Manifest, "_write", refuse)
        run_here(scans, out)
    assert (out / "1920" / "ü.png").read_bytes() == old
    crew, _ = run_here(scans, out)
    assert crew.given == ["1920/ü.png"]
    assert (out / "1920" / "ü.png").read_bytes() != old


@pytest.mark.parametrize("lost_bytes", [1, 20, 900])
def test_a_torn_line_makes_its_photo_again(scans: Path, tmp_path: Path, lost_bytes: int) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    manifest = out / "manifest.jsonl"
    # Long enough to be torn everywhere behind the name.
    content = manifest.read_bytes().replace(b'"no face"', b'"' + b"no face, " * 100 + b'"')
    manifest.write_bytes(content[:-lost_bytes])
    crew, progress = run_here(scans, out)
    # Without its end of line, the line is whole.
    assert crew.given == ([] if lost_bytes == 1 else ["a.png"])
    assert progress.failed == 0


def test_another_batch_on_the_same_folder_is_refused(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with open_archive(out, scans, RECIPE):
        done = subprocess.run(
            [sys.executable, "-m", "backend", "batch", str(scans), "-o", str(out)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("restore-old-photo: Another batch is writing")
    assert not (out / "manifest.jsonl").exists()


def test_a_folder_that_cannot_be_made_is_told(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    refused = pytest.raises(OptionsError, match="name another folder after -o")
    with refused, open_archive(out, scans, RECIPE):
        pass
