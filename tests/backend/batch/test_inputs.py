"""Which photos of a folder are taken, and where their results go."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest

from backend.batch.inputs import check_folders, find_inputs
from backend.errors import OptionsError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def results(folder: Path, out: Path) -> dict[str, str]:
    return {photo.name: photo.result for photo in find_inputs(folder, out)[0]}


def test_photos_keep_their_folders_and_names(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a.jpg", "1920/祖母.tif", "1920/deep er/c.webp")
    found, problems = find_inputs(tmp_path, tmp_path / "out")
    assert not problems
    names = ["1920/deep er/c.webp", "1920/祖母.tif", "a.jpg", "b.PNG"]
    assert [photo.name for photo in found] == names
    assert [photo.result for photo in found] == names
    assert all(photo.path == tmp_path / photo.name for photo in found)


def test_results_hidden_files_and_other_files_are_no_photos(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.jpg", ".b.jpg", ".trash/c.jpg", "d-restored.jpg", "e.txt", "x/f-scratches.png"
    )
    touch(tmp_path, "out/a.jpg", "out/deeper/g.jpg", "other/out/h.jpg")
    assert sorted(results(tmp_path, tmp_path / "out")) == ["a.jpg", "other/out/h.jpg"]


def test_results_of_an_earlier_batch_are_no_photos(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "done/a.jpg", "done/1920/b.jpg", "done/manifest.jsonl", "other/c.jpg")
    (tmp_path / "done" / ".batch").mkdir()
    assert sorted(results(tmp_path, tmp_path / "out")) == ["a.jpg", "other/c.jpg"]


def test_links_that_lead_round_are_borne(tmp_path: Path) -> None:
    touch(tmp_path, "scans/a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    check_folders(tmp_path / "scans", tmp_path / "loop")
    assert list(results(tmp_path / "scans", tmp_path / "loop")) == ["a.jpg"]


def test_the_folder_of_results_is_known_under_each_of_its_names(tmp_path: Path) -> None:
    touch(tmp_path, "scans/a.jpg", "scans/out/b.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "scans" / "out")
    (tmp_path / "scans" / "round").symlink_to(tmp_path / "scans")
    assert list(results(tmp_path / "scans", tmp_path / "link")) == ["a.jpg"]


def test_photos_that_differ_in_their_ending_have_results_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png", "a.tif", "a.jpeg")
    assert results(tmp_path, tmp_path / "out") == {
        n: n for n in ("a.jpeg", "a.jpg", "a.png", "a.tif")
    }


def test_names_that_some_disks_take_for_one_are_told_apart(tmp_path: Path) -> None:
    composed, parted = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    touch(tmp_path, "a.jpg", "A.jpg", "a-2.jpg", composed, parted)
    if len(list(tmp_path.iterdir())) < 5:
        pytest.skip("this disk takes them for one, too")
    found = results(tmp_path, tmp_path / "out")
    assert len(found) == 5
    assert len({unicodedata.normalize("NFC", name).casefold() for name in found.values()}) == 5
    assert found == results(tmp_path, tmp_path / "out")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    photos, problems = find_inputs(tmp_path, tmp_path / "out")
    assert not photos
    assert "holds no PNG" in str(problems[0])


@pytest.mark.parametrize(
    ("folder", "out", "said"),
    [
        ("gone", "out", "is no folder"),
        ("scans/a.jpg", "out", "is no folder"),
        ("scans", "scans/a.jpg", "is a file"),
        ("scans", "scans", "among the photos"),
        ("scans", "scans/../scans", "among the photos"),
        ("scans", ".", "among the photos"),
    ],
)
def test_folders_that_cannot_be_are_refused(
    tmp_path: Path, folder: str, out: str, said: str
) -> None:
    touch(tmp_path, "scans/a.jpg")
    with pytest.raises(OptionsError, match=said):
        check_folders(tmp_path / folder, tmp_path / out)


def test_results_may_lie_in_a_folder_of_the_archive(tmp_path: Path) -> None:
    check_folders(tmp_path, tmp_path / "out")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become nobody"
)
def test_a_folder_that_may_be_listed_but_not_entered_is_told_photo_by_photo() -> None:
    """In a process of nobody's, since root may enter everything."""
    with tempfile.TemporaryDirectory() as place:
        scans = Path(place)
        touch(scans, "good/a.jpg")
        touch(scans, "shut/b.jpg")
        scans.chmod(0o755)
        (scans / "shut").chmod(0o644)
        script = (
            "import os, sys; from pathlib import Path;"
            "from backend.batch.dispatch import _content_of;"
            "from backend.batch.inputs import find_inputs;"
            "from backend.errors import InputError;"
            "os.setuid(65534);"
            "photos, problems = find_inputs(Path(sys.argv[1]), Path('/tmp/out'));"
            "assert not problems, problems;"
            "print([photo.name for photo in photos]);"
            "_content_of(photos[1])"
        )
        command = [sys.executable, "-c", script, place]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "['good/a.jpg', 'shut/b.jpg']", answer.stderr
    assert "InputError" in answer.stderr
    assert "Permission denied" in answer.stderr
