"""The backend's codes and the plug-in's sentences for them belong together."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from backend.jobs import BusyError
from plugin.shared.errors import JobError, RefusedError
from plugin.shared.languages import ENGLISH, Language
from plugin.shared.messages import Note
from plugin.shared.sentences import SENTENCES, from_backend, note_sentence
from tests.plugin.stub_runs import ROOT

# Codes that no user of the plug-in meets, and why.
ELSEWHERE = {
    "mask-missing": "the plug-in itself asks for a mask",
    "mask-size": "the wire has one size for picture and mask",
    "pixel-shape": "the wire has no other",
    "pixel-type": "the wire has no other",
    "run-folder": "said where the program is started",
    "no-home": "said where the program is started",
    "system-refused": "for photos and folders that the command line names",
    "http": "a path that the plug-in does not ask for",
    "length": "for who has no token",
    "origin": "for web pages",
    "host": "for web pages",
    "token": "the plug-in reads it anew for each run",
}
CALLED = ("Error", "note", "Note", "error_answer", "Failed")
# What works for the command line, or for the review page, alone.
COMMAND_LINE = (
    "backend/batch/", "backend/cli.py", "backend/command_", "backend/demo.py", "backend/doctor.py",
    "backend/files", "backend/downloads/", "backend/model_", "backend/reference/",
    "backend/review/",
    "models/training/", "models/parity",
)  # fmt: skip


@lru_cache
def sources() -> list[ast.Module]:
    """Backend and models, as far as they serve the plug-in."""
    paths: list[Path] = [*(ROOT / "backend").rglob("*.py"), *(ROOT / "models").rglob("*.py")]
    return [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
        if not path.relative_to(ROOT).as_posix().startswith(COMMAND_LINE)
    ]


@lru_cache
def constants() -> dict[str, str]:
    """The texts that have a name; read from the source, because importing takes seconds."""
    return {
        target.id: node.value.value
        for tree in sources()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def raised() -> Iterator[tuple[str, str]]:
    """(code, template) of each message with a code."""
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node).endswith(CALLED):
                yield from message_of(node)


def called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def message_of(node: ast.Call) -> Iterator[tuple[str, str]]:
    named = {word.arg: word.value for word in node.keywords}
    if "code" in named:
        code, template = named["code"], node.args[0]
    else:
        texts = node.args[1:] if called(node) == "error_answer" else node.args
        if len(texts) < 2:
            return
        code, template = texts[:2]
    if isinstance(code, ast.Constant) and isinstance(code.value, str):
        yield code.value, value_of(template)


def value_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return constants()[node.id]
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def test_every_sentence_is_that_of_the_backend_word_for_word() -> None:
    said: dict[str, set[str]] = {}
    for code, template in raised():
        said.setdefault(code, set()).add(template)
    for count in (1, 4):
        error = BusyError(count)
        assert str(error) == ENGLISH.say(SENTENCES[error.code], **error.parameters)
    for code, template in SENTENCES.items():
        if code not in ("busy", "unknown-job"):
            assert said.get(code) == {template}, code


def test_every_code_has_a_sentence_or_a_reason_why_not() -> None:
    codes = {code for code, _ in raised()}
    assert "face-skipped" in codes
    assert "official-weights-missing" in codes
    assert codes - set(SENTENCES) == set(ELSEWHERE)


GERMAN = Language(lambda text: f"<{text}>", lambda one, many, n: f"<{one if n == 1 else many}>")


def test_a_known_code_is_said_in_the_users_language() -> None:
    error = from_backend(JobError, "weights-lack-network", "x", {"weights": "w", "network": "n"})
    assert error.message == "The weights 'w' have no network for n: choose other weights."
    assert error.sentence(GERMAN) == f"<{error.message}>"
    busy = from_backend(RefusedError, "busy", "x", {"count": 1})
    assert busy.sentence(GERMAN).startswith("<1 photo is")


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("from-tomorrow", {}),
        ("face-skipped", {"x": 3}),
        ("face-skipped", {}),
        ("busy", {"count": "many"}),
    ],
)
def test_what_is_not_known_is_said_as_the_backend_says_it(code: str, parameters: Any) -> None:
    words = "The backend's own {words}."
    error = from_backend(JobError, code, words, parameters)
    assert (error.message, error.code) == (words, code)
    assert note_sentence(Note(code, words, parameters), ENGLISH) == words


def test_a_parameter_too_many_does_no_harm() -> None:
    parameters = {"x": 1, "y": 2, "template": "?", "code": "?"}
    error = from_backend(JobError, "face-skipped", "x", parameters)
    assert error.message.startswith("A face at (1, 2) was left")
