"""profiles.json: what is written, and what older installers wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from plugin.layout import install_plugin
from plugin.profiles import Profile
from plugin.remembered import remember_profiles, remembered_profiles


def test_profiles_are_remembered_with_their_versions_and_the_last_word_counts(
    tmp_path: Path,
) -> None:
    # Its name is no UTF-8.
    first = Path(os.fsdecode(b"/portable/j\xf6rg"))
    remember_profiles(tmp_path, [Profile(first, "3"), Profile(Path("/a/3.2"), "3.2")])
    remember_profiles(tmp_path, [Profile(first, "2.10")])
    assert remembered_profiles(tmp_path) == [
        Profile(first, "2.10"),
        Profile(Path("/a/3.2"), "3.2"),
    ]


@pytest.mark.parametrize("generation", [2, 3])
def test_of_a_folder_alone_its_name_or_the_plug_in_in_it_tells_the_version(
    tmp_path: Path, generation: int
) -> None:
    # As older installers wrote it.
    folders = [tmp_path / "portable", tmp_path / "2.10", tmp_path / "gone"]
    install_plugin(folders[0] / "plug-ins", {}, generation)
    (tmp_path / "profiles.json").write_text(json.dumps([str(folder) for folder in folders]))
    versions = [profile.version for profile in remembered_profiles(tmp_path)]
    assert versions == ["2.10" if generation == 2 else "3", "2.10", "3"]


def test_what_is_no_profile_is_passed_over(tmp_path: Path) -> None:
    assert remembered_profiles(tmp_path) == []
    entries = [7, None, {}, {"folder": 7, "version": "3"}, {"folder": "/a", "version": "new"}]
    (tmp_path / "profiles.json").write_text(json.dumps(entries))
    assert remembered_profiles(tmp_path) == [Profile(Path("/a"), "3")]
    (tmp_path / "profiles.json").write_text('{"folder": "/a"}')
    assert remembered_profiles(tmp_path) == []
