"""The manifest's figures have the right form, and agree with the networks they describe."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest
import torch
from torch import nn

from models.loading import build
from models.registry import OfficialFile, official_files, read_manifest, stage_of

FILES = official_files()
named = pytest.mark.parametrize("file", FILES, ids=[file.spec.network for file in FILES])


@named
def test_sizes_and_sums_have_their_form(file: OfficialFile) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.size_bytes is None or 3_000_000 < file.size_bytes < 500_000_000
    path = PurePosixPath(file.path)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.suffix in (".pt", ".pth")


@named
def test_each_file_has_several_safe_sources(file: OfficialFile) -> None:
    assert len({urlsplit(source.url).hostname for source in file.sources}) >= 2
    for source in file.sources:
        assert urlsplit(source.url).scheme == "https"
        if source.member is None:
            assert source.url.endswith("/" + file.path)
        else:
            assert source.url.endswith(".zip")
            # The archive is unpacked in the path's first folder.
            assert file.path.split("/", 1)[1] == source.member


@named
def test_the_number_of_parameters_is_the_networks_own(file: OfficialFile) -> None:
    with torch.device("meta"):
        network: nn.Module = build(file.spec)
    assert sum(value.numel() for value in network.parameters()) == file.parameters
    # What else a published file holds is names and running statistics, or an optimiser's state.
    if file.size_bytes is not None:
        assert 4 * file.parameters < file.size_bytes < 13 * file.parameters


def test_no_two_files_share_their_place_or_sum() -> None:
    assert len({file.path for file in FILES}) == len(FILES)
    assert len({file.sha256 for file in FILES}) == len(FILES)
    assert len({file.spec.network for file in FILES}) == len(FILES)


def test_every_stage_of_the_method_has_its_networks() -> None:
    assert {stage_of(file.spec.network) for file in FILES} == {
        "detection",
        "restoration",
        "faces",
    }


def test_every_part_says_its_licence() -> None:
    manifest = read_manifest()
    assert manifest["official"]["licence"]
    assert manifest["bundled"]["licence"]
    assert "commercial" in manifest["landmarks"]["licence"]
