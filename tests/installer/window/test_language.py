"""Who reads which language."""

from __future__ import annotations

import pytest

from installer.window.language import accepted_languages, choose_language, system_languages

OFFERED = ["de", "en", "es", "fr", "ja", "zh-CN"]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["de"], "de"),
        (["de-AT", "fr"], "de"),
        (["FR-ca"], "fr"),
        (["zh"], "zh-CN"),
        (["zh-cn"], "zh-CN"),
        (["zh-Hans-SG"], "zh-CN"),
        # Readers of traditional characters are not shown simplified ones.
        (["zh-TW", "ja"], "ja"),
        (["zh-Hant-HK"], "en"),
        (["pt", "es-MX"], "es"),
        (["tlh", "", "../../x"], "en"),
        ([], "en"),
    ],
)
def test_the_first_language_that_there_is_is_taken(wanted: list[str], chosen: str) -> None:
    assert choose_language(wanted, OFFERED) == chosen


def test_a_browser_names_its_languages_in_order() -> None:
    assert accepted_languages("de-AT,de;q=0.9, en;q=0.8") == ["de-AT", "de", "en"]
    assert choose_language(accepted_languages(""), OFFERED) == "en"


@pytest.mark.parametrize(
    ("variables", "tags"),
    [
        ({"LANG": "de_DE.UTF-8"}, ["de-de"]),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"}, ["fr-fr"]),
        ({"LANG": "de_DE", "LC_MESSAGES": "fr_FR", "LC_ALL": "ja_JP.eucJP"}, ["ja-jp"]),
        ({"LANG": "ca_ES@valencia", "LANGUAGE": "ca:es"}, ["ca", "es", "ca-es"]),
        ({"LANG": "C.UTF-8", "LANGUAGE": "de"}, []),
        ({"LANG": "POSIX"}, []),
        ({}, []),
    ],
)
def test_the_system_names_its_languages_in_variables(
    variables: dict[str, str], tags: list[str]
) -> None:
    assert system_languages(variables) == tags
