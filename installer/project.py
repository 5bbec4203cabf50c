"""The checkout that is being installed: its version, a copy to build from, a fingerprint."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from installer.errors import InstallationError
from models.registry import bundled_files

CHECKOUT = Path(__file__).resolve().parent.parent

_PARTS = ("pyproject.toml", "README.md", "LICENSE", "backend", "models", "plugin", "installer")
_SKIPPED = ("__pycache__", "*.egg-info", "*.pyc")


def check_checkout() -> None:
    """Find out whether the folder that is installed from is whole, as far as its networks go.

    Raises:
        InstallationError: one of them is missing.
    """
    for path in bundled_files().values():
        if not path.is_file():
            raise InstallationError("error.checkout-incomplete", folder=CHECKOUT, file=path)


def project_version(checkout: Path = CHECKOUT) -> str:
    """The version in pyproject.toml."""
    text = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    # Python 3.10 has no TOML reader.
    found = re.search(r'^version = "([^"]+)"', text, flags=re.MULTILINE)
    if found is None:
        raise ValueError("pyproject.toml names no version")
    return found.group(1)


def copy_project(target: Path, checkout: Path = CHECKOUT) -> None:
    """Copy what belongs to the package; a build writes beside its sources, so it gets its own."""
    target.mkdir(parents=True, exist_ok=True)
    for part in _PARTS:
        source = checkout / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns(*_SKIPPED))
        else:
            shutil.copyfile(source, target / part)
    # Of a checkout that nobody may write to, the copies could not be removed again.
    for path in target.rglob("*"):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def project_fingerprint(checkout: Path = CHECKOUT) -> str:
    """A SHA-256 over names and contents of all files that are installed."""
    digest = hashlib.sha256()
    for path in _files(checkout):
        digest.update(path.relative_to(checkout).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(checkout: Path) -> Iterator[Path]:
    for part in _PARTS:
        source = checkout / part
        yield from (
            sorted(path for path in source.rglob("*") if path.is_file() and _is_kept(path))
            if source.is_dir()
            else [source]
        )


def _is_kept(path: Path) -> bool:
    return not any(part.match(pattern) for part in (path, *path.parents) for pattern in _SKIPPED)
