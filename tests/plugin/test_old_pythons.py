"""plugin/shared runs in GIMP 2.10's Python 2.7 and in every Python 3 that GIMP 3 comes with."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.running import ROOT, RunningServer, running_server

SHARED = ROOT / "plugin" / "shared"
FILES = sorted(SHARED.glob("*.py"))
# Everything that runs in GIMP 2.10, or plays it.
PYTHON_2_FILES = [
    *FILES,
    *sorted((ROOT / "plugin" / "gimp2").rglob("*.py")),
    *sorted((ROOT / "plugin" / "stubs").rglob("*.py")),
]
# It says which Python is needed.
MAIN_OF_INSTALLER = ROOT / "installer" / "__main__.py"
NEWER_SYNTAX = (
    ast.JoinedStr,
    ast.AnnAssign,
    ast.NamedExpr,
    ast.AsyncFunctionDef,
    ast.Await,
    ast.Nonlocal,
    ast.YieldFrom,
    ast.MatMult,
)
# What a user does, from the first byte to the last.
JOB = """
from __future__ import print_function, unicode_literals
import importlib, sys
from plugin.shared import protocol
from plugin.shared.client import Client
from plugin.shared.compat import text_path
from plugin.shared.errors import ConnectionLostError, RefusedError

for module in sys.argv[3:]:
    importlib.import_module("plugin.shared." + module)
client = Client(int(sys.argv[1]), text_path(sys.argv[2]))
assert client.health().status == "ready"
header = protocol.RequestHeader(900, 700, 3, 16, True)
pixels = bytearray(range(256)) * (header.pixel_bytes // 256 + 1)
pixels, mask = bytes(pixels[: header.pixel_bytes]), bytes(bytearray(header.mask_bytes))
job = client.submit(header, memoryview(pixels), mask)
events = [event for event in client.events(job) if event is not None]
assert isinstance(events[-1], protocol.Done), events
layer = [event for event in events if isinstance(event, protocol.Layer)][0]
got, got_mask = protocol.split_pixels(layer, client.layer(job, layer.index))
assert got.tobytes() == pixels and got_mask.tobytes() == mask
client.cancel(job)

slow = client.submit(
    protocol.RequestHeader(1, 1, 1, 8, options=protocol.JobOptions(weights="slow")), b"x"
)
stream = client.events(slow)
assert isinstance(next(stream), protocol.Progress)
assert next(stream) is None
client.cancel(slow)
assert [type(event) for event in stream if event is not None] == [protocol.Cancelled]

try:
    Client(client.port, "wrong").health()
except RefusedError as error:
    assert error.code == "token", error
else:
    raise AssertionError("a wrong token was taken")
try:
    protocol.decode_event(b"{}")
except protocol.ProtocolError:
    pass
else:
    raise AssertionError("an empty event was taken")
print("all is well")
"""
START = """
from __future__ import print_function, unicode_literals
import sys
from plugin.shared.launcher import connect
print(connect(sys.argv[1], int(sys.argv[2])).health().pid)
"""


def interpreters() -> list[str]:
    """Other Pythons on this machine: in the search path, and where pyenv keeps them."""
    names = [f"python{version}" for version in ("2.7", "3.8", "3.13")]
    found = [path for name in names if (path := shutil.which(name)) and runs(path)]
    versions = Path.home() / ".pyenv" / "versions"
    patterns = ["2.7.*/bin/python", "3.8.*/bin/python", "3.13.*/bin/python"]
    return found + [str(path) for pattern in patterns for path in versions.glob(pattern)]


def runs(path: str) -> bool:
    # pyenv's stand-ins are found even for versions that are not chosen.
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("home")) as running:
        yield running


def run(python: str, program: str, *arguments: str, **environment: str) -> str:
    result = subprocess.run(
        # Compiled files of Python 2 would lie beside the sources.
        [python, "-B", "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.skipif(not interpreters(), reason="there is no other Python on this machine")
@pytest.mark.parametrize("python", interpreters())
def test_a_job_runs_from_an_old_python(server: RunningServer, python: str) -> None:
    modules = [file.stem for file in FILES if file.stem != "__init__"]
    answer = run(python, JOB, str(server.runtime.port), server.runtime.token, *modules)
    assert answer == "all is well"


@pytest.mark.skipif(not interpreters(), reason="there is no other Python on this machine")
@pytest.mark.parametrize("python", interpreters()[:2])
def test_an_old_python_is_told_that_the_installer_needs_a_newer_one(python: str) -> None:
    answer = subprocess.run(
        [python, "-B", "-m", "installer"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "but Restore Old Photo needs 3.10 or newer: run it with such a Python" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.skipif(not interpreters(), reason="there is no other Python on this machine")
@pytest.mark.parametrize("python", interpreters()[:1])
def test_an_old_python_starts_the_backend(tmp_path: Path, python: str) -> None:
    stand_in = tmp_path / "python für Ömer"
    stand_in.write_text(
        f'#!/bin/sh\nshift 2\nPYTHONPATH="{ROOT}" '
        f'exec "{sys.executable}" -m tests.backend.serving "$@"\n'
    )
    stand_in.chmod(0o755)
    facts = f'{{"python": "{stand_in}", "home": "{tmp_path}"}}'
    (tmp_path / "installation.json").write_text(facts, encoding="utf-8")
    pid = int(run(python, START, str(tmp_path), str(os.getpid())))
    os.kill(pid, 15)


@pytest.mark.parametrize("file", [*PYTHON_2_FILES, MAIN_OF_INSTALLER], ids=lambda file: file.name)
def test_no_syntax_is_newer_than_python_2(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        where = f"{file.name}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, NEWER_SYNTAX), f"{where}: {type(node).__name__}"
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            notes = [a.annotation for a in [*arguments.args, *arguments.kwonlyargs]]
            assert not any(notes), f"{where}: annotation"
            assert node.returns is None, f"{where}: annotation"
            assert not arguments.kwonlyargs, f"{where}: keyword-only argument"
            assert not arguments.posonlyargs, f"{where}: positional-only argument"
        if isinstance(node, ast.Raise):
            assert node.cause is None, f"{where}: raise from"
        if isinstance(node, ast.ClassDef):
            assert node.bases, f"{where}: Python 2 needs (object)"
            assert not node.keywords, f"{where}: class keyword"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_the_standard_library_and_neighbours_are_imported(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "httplib", f"{file.name}: {name}"


@pytest.mark.parametrize("file", PYTHON_2_FILES, ids=lambda file: file.name)
def test_text_beyond_ascii_declares_its_encoding(file: Path) -> None:
    data = file.read_bytes()
    assert data.isascii() or data.startswith(b"# -*- coding: utf-8 -*-"), file.name
