"""The project's own backend for the tests: started outside GIMP, or by the plug-in inside it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from plugin.shared.client import Client
from plugin.shared.errors import PluginError
from plugin.shared.protocol import decode_runtime

from .harness import GimpProcess
from .provision import Tree
from .window import private_mounts, wait_for

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120.0
# The same in every process, so that all of them compute the same numbers.
THREADS = "2"
WEIGHTS = ("detection", "places", "restoration", "face")
# An empty folder of the tree, on which this machine is mounted where only the test's GIMP sees it.
HOST = "host"


class RealBackend:
    """`python -m backend serve` with a data folder of its own."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="restore-old-photo-"))
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def what_is_missing() -> str:
        """Why it cannot run here; empty when it can."""
        for name in WEIGHTS:
            if not (PROJECT / "models" / "weights" / f"{name}.safetensors").is_file():
                return f"the bundled weights {name} are missing"
        return ""

    @property
    def runtime(self) -> Path:
        return self.home / "run" / "runtime.json"

    def start(self) -> None:
        with (self.home / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backend", "serve"],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "RESTORE_OLD_PHOTO_HOME": str(self.home),
                    "OMP_NUM_THREADS": THREADS,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(self.is_ready, READY_SECONDS, "the backend")

    def is_ready(self) -> bool:
        if not self.runtime.is_file():
            return False
        facts = decode_runtime(self.runtime.read_bytes())
        try:
            return Client(facts.port, facts.token).health().status == "ready"
        except PluginError:
            return False

    def publish(self, home: Path) -> None:
        """Let the plug-in with this data folder find the backend."""
        folder = home / "run"
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.runtime, folder / "runtime.json")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.home)


def self_starting_gimp(tree: Tree) -> GimpProcess:
    """A GIMP whose plug-in can start the backend: this machine's files are seen inside, read-only.

    They are mounted in a namespace that only this GIMP and what it starts are in. The interpreter
    of installation.json is a script that enters them, since this machine's Python needs its own
    libraries.
    """
    (tree.folder / HOST).mkdir(exist_ok=True)
    gimp = GimpProcess(tree, installation=_installation())
    gimp.wrapper = private_mounts(tree, *_host_mounts(tree, gimp.home))
    script = gimp.folder / "python"
    variables = {
        "RESTORE_OLD_PHOTO_HOME": str(gimp.home),
        "PYTHONPATH": str(PROJECT),
        # The only place where it may write.
        "TMPDIR": str(gimp.home),
        "OMP_NUM_THREADS": THREADS,
    }
    words = [f"{name}={value}" for name, value in variables.items()]
    command = shlex.join(["/usr/bin/env", *words, sys.executable])
    script.write_text(f'#!/bin/sh\nexec /usr/sbin/chroot /{HOST} {command} "$@"\n')
    script.chmod(0o755)
    return gimp


def _installation() -> dict[str, str]:
    return {"python": "{place}/python", "home": "{home}", "version": "0.1.0"}


def _host_mounts(tree: Tree, home: Path) -> list[str]:
    root = tree.folder / HOST
    commands = []
    for path in ("/", str(PROJECT), sys.prefix, sys.base_prefix):
        target = shlex.quote(f"{root}{path}")
        commands.append(f"mount --bind {shlex.quote(path)} {target}")
        commands.append(f"mount -o remount,bind,ro {target}")
    commands.append(f"mount --bind {shlex.quote(str(home))} {shlex.quote(f'{root}{home}')}")
    commands += [f"mount --bind {name} '{root}{name}'" for name in ("/proc", "/dev")]
    return commands


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Whether the process ends in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False
