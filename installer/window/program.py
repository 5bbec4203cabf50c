"""Calls of the program that was just installed: its example, and its page to restore a photo."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from installer.environment import last_line
from installer.errors import InstallationError
from installer.processes import CommandError, clean_environment, run_logged
from installer.report import Stop

# What `restore-old-photo demo` writes.
EXAMPLE_FILES: Final = {"before": "demo-aged.png", "after": "demo-restored.png"}
_LAST_WORDS_BYTES = 20_000


@dataclass(frozen=True)
class InstalledProgram:
    """The program of an installation.

    Attributes:
        path: of the program.
        example: folder for the example's pictures; made when missing.
        log: file that receives what the program prints.
    """

    path: Path
    example: Path
    log: Path

    def make_example(self, stop: Stop) -> None:
        """Let it age and restore a portrait.

        Raises:
            InstallationError: it failed; what is installed stays.
            StoppedError: the user stopped it.
        """
        try:
            run_logged([str(self.path), "demo", "-o", str(self.example)], self.log, stop=stop)
        except (CommandError, OSError) as error:
            raise InstallationError(
                "error.example", reason=last_line(error), program=self.path
            ) from error

    def open_review(
        self, photo: Path | None, on_end: Callable[[InstallationError | None], None]
    ) -> None:
        """Start its page to restore a photo, in the browser or in a window of its own.

        Args:
            photo: to begin with.
            on_end: called from a thread when the command has ended, with what went wrong.

        Raises:
            InstallationError: it does not start.
        """
        words = [str(self.path), "review", *([str(photo)] if photo is not None else [])]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**clean_environment(), "PYTHONIOENCODING": "utf-8"},
                # It may outlive the installer's window.
                start_new_session=True,
            )
        except OSError as error:
            raise self._review_error(error) from error
        threading.Thread(target=self._await_review, args=(process, on_end), daemon=True).start()

    def _await_review(
        self,
        process: subprocess.Popen[bytes],
        on_end: Callable[[InstallationError | None], None],
    ) -> None:
        output = process.communicate()[0][-_LAST_WORDS_BYTES:].decode("utf-8", "replace")
        if process.returncode == 0:
            on_end(None)
        else:
            error = CommandError([str(self.path)], process.returncode, output)
            on_end(self._review_error(error))

    def _review_error(self, error: CommandError | OSError) -> InstallationError:
        return InstallationError("error.review", reason=last_line(error), program=self.path)
