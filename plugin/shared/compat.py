"""Every difference between Python 2.7 and 3, and between systems, that the plug-in meets."""

from __future__ import absolute_import, division, unicode_literals

import errno
import os
import shutil
import socket
import subprocess
import sys
import time

if sys.version_info >= (3,):
    import http.client as http_client
else:
    import httplib as http_client
if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    import gettext  # noqa: F401
    from typing import IO, Any, Callable, Dict, List, Optional, Text, Tuple, Union  # noqa: F401

    Translate = Callable[[Text], Text]
    TranslateCounted = Callable[[Text, Text, int], Text]

__all__ = ["http_client"]

# Windows: subprocess names them only in Python 3.7 and later.
_DETACHED_PROCESS = 0x00000008
_CREATE_NO_WINDOW = 0x08000000
# Windows: the process may be waited for; the wait has run out.
_SYNCHRONIZE = 0x00100000
_WAIT_TIMEOUT = 0x00000102

# socket.timeout is the built-in TimeoutError from Python 3.10 on and its own class before.
Timeout = socket.timeout


def monotonic():
    # type: () -> float
    """Seconds from some moment on; Python 2 has no clock that is safe from adjustments."""
    if sys.version_info >= (3,):
        return time.monotonic()
    return time.time()


def text_path(path):
    # type: (Any) -> Text
    """A path as text; Python 2 gives bytes for __file__ and the environment."""
    if isinstance(path, bytes):
        return path.decode(sys.getfilesystemencoding() or "utf-8")
    return type("")(path)


def native_text(text):
    # type: (Text) -> str
    """Text as this Python hands it to the system: Python 2 wants bytes."""
    if sys.version_info >= (3,):
        return text
    return text.encode(sys.getfilesystemencoding() or "utf-8")


def describe(error):
    # type: (object) -> Text
    """An exception's message, or its name where it has none; Python 2 has messages in bytes."""
    try:
        words = str(error)
        if isinstance(words, bytes):
            words = words.decode("utf-8", "replace")
    except UnicodeError:
        words = ""
    return words or type(error).__name__


def gettext_functions(catalogue):
    # type: (gettext.NullTranslations) -> Tuple[Translate, TranslateCounted]
    """A catalogue's gettext and ngettext for text; those of Python 2 are for bytes."""
    if sys.version_info >= (3,):
        return catalogue.gettext, catalogue.ngettext
    return catalogue.ugettext, catalogue.ungettext


def byte_view(data):
    # type: (Union[bytes, bytearray, memoryview]) -> memoryview
    """The buffer's bytes, not copied, whatever its items are."""
    view = memoryview(data)
    if sys.version_info >= (3,) and view.format != "B":
        view = view.cast("B")
    return view


def read_line(response, limit):
    # type: (http_client.HTTPResponse, int) -> bytes
    """The next line with its line feed, or less at the end; at most `limit` bytes."""
    if sys.version_info >= (3,):
        return response.readline(limit)
    # Python 2 reads lines past the chunk borders of a stream, so take byte for byte.
    line = bytearray()
    while len(line) < limit and not line.endswith(b"\n"):
        byte = response.read(1)
        if not byte:
            break
        line.extend(byte)
    return bytes(line)


def replace_file(source, target):
    # type: (Text, Text) -> None
    """Rename a file over another; Python 2 on Windows cannot, so the target goes first."""
    if sys.version_info >= (3,):
        os.replace(source, target)
        return
    if sys.platform == "win32" and os.path.exists(target):
        os.remove(target)
    os.rename(source, target)


def free_bytes(folder):
    # type: (Text) -> int
    """How much more fits on a folder's disk; more than any disk has where that is not known."""
    try:
        if sys.version_info >= (3,):
            return shutil.disk_usage(folder).free
        if sys.platform == "win32":
            free = ctypes.c_ulonglong(0)
            found = ctypes.windll.kernel32.GetDiskFreeSpaceExW(
                ctypes.c_wchar_p(folder), ctypes.byref(free), None, None
            )
            return free.value if found else sys.maxsize
        disk = os.statvfs(native_text(folder))
        return disk.f_bavail * disk.f_frsize
    except EnvironmentError:
        return sys.maxsize


def process_exists(pid):
    # type: (int) -> bool
    """Whether a process of that number exists; it may be another one than expected."""
    if sys.platform == "win32":
        # os.kill would end the process there.
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(_SYNCHRONIZE, False, pid)
        if not handle:
            return False
        is_running = kernel.WaitForSingleObject(handle, 0) == _WAIT_TIMEOUT
        kernel.CloseHandle(handle)
        return bool(is_running)
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError) as error:
        return getattr(error, "errno", None) == errno.EPERM
    return True


_CANNOT_LOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def try_lock(file):
    # type: (IO[Any]) -> bool
    """Lock an open file for this process if it is free; the lock ends with the process.

    Some network disks cannot lock; there it counts as free, since nobody can have locked it.
    """
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, IOError) as error:
        return error.errno in _CANNOT_LOCK
    return True


def start_detached(command, environment, folder, log):
    # type: (List[str], Dict[str, str], str, IO[Any]) -> subprocess.Popen[bytes]
    """Start a program that outlives this process, with its output in `log`.

    Raises:
        EnvironmentError: the program cannot be started.
    """
    with open(os.devnull, "rb") as nothing:
        options = {
            "env": environment,
            "cwd": folder,
            "stdin": nothing,
            "stdout": log,
            "stderr": log,
            # GIMP leaves descriptors open; Python 2 on Windows cannot close them here.
            "close_fds": sys.platform != "win32" or sys.version_info >= (3, 7),
        }  # type: Dict[Text, Any]
        if sys.platform == "win32":
            options["creationflags"] = _DETACHED_PROCESS | _CREATE_NO_WINDOW
        elif sys.version_info >= (3,):
            options["start_new_session"] = True
        else:
            options["preexec_fn"] = os.setsid
        return subprocess.Popen(command, **options)
