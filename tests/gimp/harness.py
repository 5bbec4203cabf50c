"""One long-lived real GIMP, driven from a test: started in its tree, called over a Unix socket."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugin.layout import install_plugin

from .provision import Tree, remove_tree

START_SECONDS = 60
PROFILE_SETTINGS = """\
(show-welcome-dialog no)
(check-updates no)
(color-profile-policy keep)
(metadata-rotation-policy keep)
(debug-policy never)
(save-session-info no)
(restore-session yes)
"""
BATCH = 'import sys; sys.path.insert(0, "{place}"); import inside; inside.serve("{place}/socket")'


class GimpError(AssertionError):
    """Code inside GIMP failed; the message is its traceback."""


class GimpProcess:
    """A running GIMP with our plug-in in a profile of its own.

    Args:
        tree: a provisioned tree.
        display: an X display such as ":7" to run with a window; None runs gimp-console.
        installation: what installation.json says; `{home}` stands for the plug-in's data folder
            and `{place}` for this GIMP's own folder, as they are seen inside the tree.
        wrapper: a command that starts the chroot command, for private mounts.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        display: str | None = None,
        installation: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.tree = tree
        self.display = display
        self.wrapper = wrapper
        self.environment = dict(environment or {})
        runs = tree.folder / "runs"
        runs.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=runs))
        self.place = f"/runs/{self.folder.name}"
        self.home = self.folder / "home"
        self.home.mkdir()
        self.plugins = self.folder / "profile" / "plug-ins"
        shutil.copytree(warm_profile(tree), self.folder / "profile")
        record = installation or {
            "python": "/usr/bin/python3",
            "home": "{home}",
            "version": "0.1.0",
        }
        install_plugin(
            self.plugins,
            {
                key: value.format(home=f"{self.place}/home", place=self.place)
                for key, value in record.items()
            },
        )
        for name in ("inside.py", "inside_image.py"):
            shutil.copyfile(Path(__file__).with_name(name), self.folder / name)
        self.log = self.folder / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        # What GIMP and the plug-in wrote while GIMP asked it what it offers.
        self.words_at_start = ""

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self.wrapper,
                    *chroot_command(self.tree, self.place, self.display, self.environment),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / "socket").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise GimpError(f"GIMP did not start:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.05)
        self.words_at_start = self.log_text()

    def __getattr__(self, name: str) -> Any:
        """Every function of inside.py and inside_image.py is a method."""
        if name.startswith("_"):
            raise AttributeError(name)

        def remote(*positional: Any, **named: Any) -> Any:
            return self.call(name, *positional, **named)

        return remote

    def call(self, function: str, *positional: Any, **named: Any) -> Any:
        connection = socket.socket(socket.AF_UNIX)
        # Socket paths have at most 107 bytes, and the cache may lie deep: reach it by its folder.
        folder = os.open(self.folder, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{folder}/socket")
            connection.settimeout(240)
            request = pickle.dumps((function, positional, named), protocol=4)
            connection.sendall(struct.pack(">Q", len(request)) + request)
            (length,) = struct.unpack(">Q", _exactly(connection, 8))
            state, value = pickle.loads(_exactly(connection, length))
        finally:
            connection.close()
            os.close(folder)
        if state == "error":
            raise GimpError(f"{function} failed inside GIMP:\n{value}")
        return value

    def stop(self) -> None:
        """End GIMP and delete its profile."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        remove_tree(self.folder)

    def has_plugin_running(self) -> bool:
        """Whether a procedure of our plug-in is still at work."""
        program = f"{self.place}/profile/plug-ins/restore-old-photo/restore-old-photo.py".encode()
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if program in file.read_bytes():
                    return True
            except OSError:  # it ended meanwhile
                continue
        return False

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


def warm_profile(tree: Tree) -> Path:
    """A profile in which GIMP has already asked its own plug-ins: it starts in a third of the time.

    Kept in the tree, since it belongs to exactly this GIMP.
    """
    profile = tree.folder / "warm-profile"
    if not (profile / "pluginrc").is_file():
        remove_tree(profile)
        profile.mkdir()
        (profile / "gimprc").write_text(PROFILE_SETTINGS)
        inside = environment("/warm-profile", "/warm-profile")
        command = ["gimp-console", "-i", "--quit", "--batch-interpreter=plug-in-script-fu-eval"]
        subprocess.run(
            ["chroot", str(tree.folder), *inside, *command, "-b", "(gimp-quit 0)"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=START_SECONDS,
        )
    return profile


def environment(profile: str, home: str) -> list[str]:
    values = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "GIMP3_DIRECTORY": profile,
        "RESTORE_OLD_PHOTO_HOME": home,
        "NO_AT_BRIDGE": "1",
    }
    return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items())]


def chroot_command(
    tree: Tree, place: str, display: str | None, extra: Mapping[str, str]
) -> list[str]:
    inside = environment(f"{place}/profile", f"{place}/home")
    inside += [f"{name}={value}" for name, value in extra.items()]
    if display:
        inside.append(f"DISPLAY={display}")
    program = ["gimp"] if display else ["gimp-console", "-i"]
    batch = ["--batch-interpreter=python-fu-eval", "-b", BATCH.format(place=place), "--quit"]
    return ["chroot", str(tree.folder), *inside, *program, *batch]


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 20))
        if not part:
            raise GimpError("GIMP went away during a call.")
        data += part
    return bytes(data)
