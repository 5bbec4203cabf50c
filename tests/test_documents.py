"""What the documents say is true: commands exist, links lead somewhere, paths are nobody's own."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.project import CHECKOUT, project_version

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")),
)
# What users read: there an option without a command belongs to the program or its installer.
FOR_USERS = [name for name in DOCUMENTS if name == "README.md" or name.startswith("docs/")]
COMMANDS = ("restore", "batch", "detect", "demo", "review", "models", "doctor")
MODEL_ACTIONS = ("list", "download", "import", "remove", "verify")
TROUBLE = "docs/troubleshooting.md"
VALUE = re.compile(r"\{[^}]*\}")
# Folders of one machine, as opposed to those every user has; "/home/data" in a test is nobody's.
MACHINE_PATHS = re.compile(r"(?<![\w~.])/(?:root|work|mnt|home/\w+|Users/\w+)/\w+")


def text_of(document: str) -> str:
    return (CHECKOUT / document).read_text(encoding="utf-8")


def code_of(document: str) -> list[str]:
    """Lines in fenced blocks and spans between backticks."""
    text = text_of(document)
    blocks = re.findall(r"^```\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + re.findall(
        r"`([^`]+)`", rest
    )


@functools.cache
def help_of(*command: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, f"{command} is no command: {answer.stderr}"
    return answer.stdout


def options_in(words: list[str]) -> set[str]:
    return {word.rstrip(",:;.)") for word in words if re.match(r"--?[a-z]", word)}


def options_of(*command: str) -> set[str]:
    return {"-m", *re.findall(r"(?<![\w-])--?[a-z][\w-]*", help_of(*command))}


def anchors_of(document: Path) -> set[str]:
    """The names that headings get on a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_begins_with_the_two_commands() -> None:
    blocks = re.findall(r"^```\n(.*?)^```", text_of("README.md"), flags=re.MULTILINE | re.DOTALL)
    assert blocks[0].strip() == "python3 -m installer"
    assert blocks[1].strip() == "python3 -m tests"


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    assert "\npython3 -m tests " in (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_modules_that_are_called_exist(document: str) -> None:
    for code in code_of(document):
        for module in re.findall(r"python3? -m ([\w.]+)", code):
            assert importlib.util.find_spec(module) is not None, f"{document}: {code}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_installers_options_exist(document: str) -> None:
    for code in code_of(document):
        if "-m installer" in code:
            assert options_in(code.split()) <= options_of("installer"), f"{document}: {code}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_programs_commands_and_options_exist(document: str) -> None:
    for code in code_of(document):
        words = code.split()
        if words[:1] != ["restore-old-photo"] or len(words) < 2:
            continue
        named = [] if words[1].startswith("-") or words[1] == "COMMAND" else [words[1]]
        if named == ["models"] and len(words) > 2:
            named.append(words[2])
        assert options_in(words) - {"--help"} <= options_of("backend", *named), code


@pytest.mark.parametrize("document", FOR_USERS)
def test_options_that_are_named_alone_exist(document: str) -> None:
    known = options_of("installer").union(
        options_of("backend"),
        *(options_of("backend", command) for command in COMMANDS),
        *(options_of("backend", "models", action) for action in MODEL_ACTIONS),
    )
    for code in code_of(document):
        if " -m " not in code:
            assert options_in(code.split()) <= known, f"{document}: {code}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text_of(document)):
        if "://" in target:
            continue
        path = CHECKOUT / document
        path = path.parent / target if target else path
        assert path.exists(), f"{document} links to {target}"
        assert not anchor or anchor in anchors_of(path), f"{document} links to #{anchor}"


def test_every_document_and_picture_is_shown() -> None:
    linked = {
        (CHECKOUT / document).parent.joinpath(target).resolve()
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#]+)", text_of(document))
    }
    for path in (CHECKOUT / "docs").iterdir():
        assert path.resolve() in linked, f"no document links to {path.name}"


def test_messages_that_are_quoted_are_said() -> None:
    """Whole pieces between the values, which the document writes as an ellipsis."""
    quotes = re.findall(r"^> (.*)$", text_of(TROUBLE), flags=re.MULTILINE)
    assert len(quotes) > 20
    said = "\0".join(sentences_of_the_program())
    for quote in quotes:
        for piece in quote.split("…"):
            assert piece in said, f"{TROUBLE}: nothing says {piece!r}"


def sentences_of_the_program() -> Iterator[str]:
    """Every constant text in the code that users run, with a mark in the place of values."""
    catalogue = (CHECKOUT / "installer" / "catalogue" / "en.json").read_text(encoding="utf-8")
    for words in json.loads(catalogue).values():
        yield re.sub(VALUE, "\0", words)
    for folder in ("backend", "installer", "models", "plugin"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield re.sub(VALUE, "\0", node.value)


def test_files_that_are_named_exist() -> None:
    names = re.findall(
        r"(?<![\w/.])((?:plugin|backend|models|tests|installer|\.ci)/[\w./-]*\w)",
        text_of("CONTRIBUTING.md"),
    )
    assert names
    for name in names:
        exists = (CHECKOUT / name).exists() or (CHECKOUT / f"{name}.py").exists()
        assert exists, f"CONTRIBUTING.md names {name}"


def test_the_changes_begin_with_this_version() -> None:
    found = re.search(r"^## (\S+)", text_of("CHANGELOG.md"), flags=re.MULTILINE)
    assert found is not None
    assert found.group(1) == project_version()


def tracked_texts() -> list[Path]:
    answer = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True)
    if answer.returncode != 0:
        pytest.skip("this is no git checkout")
    suffixes = {".py", ".md", ".toml", ".json", ".txt", ".sh", ""}
    paths = [CHECKOUT / name for name in answer.stdout.split("\0") if name]
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


def test_no_file_names_a_folder_of_one_machine() -> None:
    for path in tracked_texts():
        if path == Path(__file__):
            continue
        found = MACHINE_PATHS.search(path.read_text(encoding="utf-8", errors="ignore"))
        assert found is None, f"{path.relative_to(CHECKOUT)} names {found and found.group()}"
