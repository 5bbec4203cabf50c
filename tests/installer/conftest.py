"""A small stand-in for the checkout and its packages, so that real runs need neither network nor
torch: the installer, the plug-in and the registry are the real ones; the rest is a few lines."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from models.registry import bundled_files

CHECKOUT = Path(__file__).resolve().parent.parent.parent

PYPROJECT = """\
[build-system]
requires = []
build-backend = "build_backend"
backend-path = ["installer"]

[project]
name = "restore-old-photo"
version = "0.1.0"
"""

# Packs the folders as they are; setuptools would have to come from the network.
BUILD_BACKEND = """
import base64, hashlib, os, pathlib, time, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    time.sleep(float(os.environ.get("BUILD_SECONDS", "0")))
    name = "restore_old_photo-0.1.0-py3-none-any.whl"
    info = "restore_old_photo-0.1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as wheel:
        for package in ("backend", "models", "plugin", "installer"):
            for path in sorted(pathlib.Path(package).rglob("*")):
                if path.is_file():
                    wheel.write(path, path.as_posix())
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: restore-old-photo\\n"
                       "Version: 0.1.0\\nRequires-Dist: torch>=2.6\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
                       "Tag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt",
                       "[console_scripts]\\nrestore-old-photo = backend.cli:main\\n")
        lines = [f"{info}/RECORD,,"]
        for path in wheel.namelist():
            data = wheel.read(path)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            lines.append(f"{path},sha256={digest.decode()},{len(data)}")
        wheel.writestr(f"{info}/RECORD", "\\n".join(lines))
    return name
"""

CLI = """
import os, pathlib, sys

# The smallest pictures that there are, one red and one green.
PICTURES = {"demo-aged.png": "ff0000", "demo-restored.png": "00ff00"}

def png(color):
    import struct, zlib
    def chunk(kind, data):
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
    pixels = zlib.compress(b"\\0" + bytes.fromhex(color))
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + (
        chunk(b"IEND", b""))

def main():
    print("program called with", *sys.argv[1:])
    if "unreadable.png" in sys.argv[-1] or os.environ.get("PROGRAM_FAILS") == sys.argv[1]:
        print("Error: it is broken.")
        return 1
    if sys.argv[1] == "demo":
        folder = pathlib.Path(sys.argv[3])
        folder.mkdir(parents=True, exist_ok=True)
        for name, color in PICTURES.items():
            (folder / name).write_bytes(png(color))
    return 0
"""


def write_wheel(folder: Path, name: str, version: str, size_bytes: int = 0) -> None:
    """Put a package with one module and some ballast into a folder of wheels."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": b"",
        f"{name}/ballast": os.urandom(size_bytes),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_hash_of(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode()
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)


def _hash_of(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


def write_gimp(folder: Path, name: str, version: str, body: str = "") -> Path:
    """A program that answers --version as GIMP does, and runs `body` otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then\n'
        f"    echo 'GNU Image Manipulation Program version {version}'; exit 0\n"
        "fi\n"
        f"{body}\n"
    )
    program.chmod(0o755)
    return program


@dataclass
class User:
    """A user on a fresh machine, with our stand-in checkout."""

    home: Path
    checkout: Path
    wheels: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "restore-old-photo"

    @property
    def environment(self) -> Path:
        return self.data / "environment"

    @property
    def profile(self) -> Path:
        return self.home / ".config" / "GIMP" / "3.0"

    @property
    def all_variables(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
            **self.variables,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "installer", *arguments],
            cwd=self.checkout,
            env=dict(self.all_variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def install(self, *arguments: str) -> tuple[int, str]:
        """Run the installer to its end: exit status and all it printed."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output


@pytest.fixture
def user(tmp_path: Path) -> User:
    if sys.platform == "win32":
        pytest.skip("the stand-in programs are shell scripts")
    return make_user(tmp_path)


def make_user(tmp_path: Path) -> User:
    """A fresh home folder, a checkout and its packages in a folder."""
    # A space and a letter outside ASCII, as real home folders have them.
    home = tmp_path / "Jörg Müller"
    checkout = tmp_path / "checkout"
    wheels = tmp_path / "wheels"
    for folder in (home, checkout / "backend", checkout / "models", wheels):
        folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "installer", checkout / "installer", ignore=ignored)
    shutil.copytree(CHECKOUT / "plugin", checkout / "plugin", ignore=ignored)
    shutil.copytree(CHECKOUT / "backend/downloads", checkout / "backend/downloads", ignore=ignored)
    for place in (
        *("models/__init__.py", "models/registry.py", "README.md", "LICENSE"),
        *("backend/errors.py", "backend/loopback.py"),
    ):
        shutil.copyfile(CHECKOUT / place, checkout / place)
    shutil.copyfile(CHECKOUT / "models" / "manifest.json", checkout / "models" / "manifest.json")
    for path in bundled_files().values():
        place = checkout / path.relative_to(CHECKOUT)
        place.parent.mkdir(exist_ok=True)
        place.touch()
    (checkout / "pyproject.toml").write_text(PYPROJECT)
    (checkout / "installer" / "build_backend.py").write_text(BUILD_BACKEND)
    (checkout / "backend" / "__init__.py").touch()
    (checkout / "backend" / "cli.py").write_text(CLI)
    # As from an index of CPU builds: nobody has to look for another.
    write_wheel(wheels, "torch", "2.13.0+cpu")
    return User(home, checkout, wheels)
