"""Why the restoration program did not start, in a sentence."""

from __future__ import absolute_import, division, unicode_literals

import errno
import io
import os

from . import protocol
from .compat import describe, free_bytes
from .errors import StartError

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Text, Union  # noqa: F401

    from .installation import Installation  # noqa: F401
    from .messages import Runtime  # noqa: F401

    SystemFailure = Union[IOError, OSError]

# Disks that are full for everybody else often keep a little.
FULL_BYTES = 1 << 20
# A user's own share of a disk ends like the disk itself; Windows has no word for it.
_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def versions_error(runtime):
    # type: (Runtime) -> StartError
    """What to do when the backend speaks another protocol than this plug-in."""
    return StartError(
        "The plug-in and the restoration program are of different versions (protocols {own} and "
        "{other}): run python3 -m installer in the folder of Restore Old Photo, and start GIMP "
        "anew.",
        code="versions",
        own=protocol.PROTOCOL,
        other=runtime.protocol,
    )


def disk_full_error(folder):
    # type: (Text) -> StartError
    """What to do when the disk takes nothing more; `folder` lies on it."""
    return StartError(
        "The restoration program cannot start, because the disk with the folder {folder} is full: "
        "free some space on it, then try again.",
        code="disk-full",
        folder=folder,
    )


def folder_error(folder, error):
    # type: (Text, SystemFailure) -> StartError
    """What to do when a folder of ours cannot be made or used."""
    if error.errno in _NO_SPACE:
        return disk_full_error(folder)
    return StartError(
        "The folder {folder} cannot be used ({reason}): make it writable for you, then try again.",
        folder=folder,
        # The folder is named already, which the whole message would repeat.
        reason=describe(error.strerror or error),
    )


def lock_error(path, error):
    # type: (Text, SystemFailure) -> StartError
    """What to do when a lock file cannot be opened; another one is made where there is none."""
    if error.errno in _NO_SPACE:
        return disk_full_error(os.path.dirname(path))
    return StartError(
        "The restoration program cannot start, because {path} cannot be written ({reason}): delete "
        "it, then try again.",
        path=path,
        reason=describe(error.strerror or error),
    )


def refused_error(installation, error):
    # type: (Installation, SystemFailure) -> StartError
    """What to do when the system does not start the program."""
    if error.errno in _NO_SPACE:
        return disk_full_error(installation.run_folder)
    return StartError(
        "The restoration program could not be started ({reason}): install it again with "
        "python3 -m installer in the folder of Restore Old Photo.",
        reason=describe(error),
    )


def ended_error(installation, code, log_length):
    # type: (Installation, int, int) -> StartError
    """What to do when the backend ends instead of starting; its last words are in the log.

    The first `log_length` bytes of the log speak of other starts.
    """
    reason = _last_line(installation.log, log_length)
    if reason:
        return StartError(
            "The restoration program ended while it started ({reason}): try again, or read the "
            "reason in {log}.",
            reason=reason,
            log=installation.log,
        )
    # What it said found no room.
    if free_bytes(installation.run_folder) < FULL_BYTES:
        return disk_full_error(installation.run_folder)
    return StartError(
        "The restoration program ended while it started, with exit code {exit_code}: try "
        "again, or read the reason in {log}.",
        exit_code=code,
        log=installation.log,
    )


def _last_line(path, start):
    # type: (Text, int) -> Text
    try:
        with io.open(path, "rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").split("\n")
    except EnvironmentError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]
