"""Find one file inside a remote zip archive without fetching the archive."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.downloads.transfer import (
    BLOCK_BYTES,
    Patience,
    Range,
    SourceError,
    disk_error,
    host_of,
    read_range,
)

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
# The end record with the longest comment that it can have, and the byte more that zipfile reads.
_TAIL_BYTES = 22 + 0xFFFF + 1


@dataclass(frozen=True)
class Member:
    """Where a member's bytes lie.

    Attributes:
        place: in the archive.
        method: zipfile.ZIP_STORED or ZIP_DEFLATED.
        size_bytes: once it is unpacked.
    """

    place: Range
    method: int
    size_bytes: int


def find_member(url: str, name: str, patience: Patience) -> Member:
    """Read the archive's directory and find a member.

    Raises:
        NoRangesError: the server sends whole files only.
        SourceError: this is no zip archive, or it has no such member.
    """
    try:
        remote = _RemoteFile(url, patience)
        with zipfile.ZipFile(remote) as archive:
            info = entry_of(archive, name)
        header = remote.read_at(info.header_offset, _LOCAL_HEADER.size)
        fields = _LOCAL_HEADER.unpack(header)
    except (zipfile.BadZipFile, struct.error, KeyError, NotImplementedError) as error:
        raise SourceError(f"{host_of(url)}: the archive has no {name}, or is damaged") from error
    # The local header repeats the name, but its extra field may differ from the directory's.
    start = info.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10]
    is_sound = fields[0] == b"PK\x03\x04" and start + info.compress_size <= remote.size_bytes
    if not is_sound or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceError(f"{host_of(url)}: the archive is damaged, or packed in an unknown way")
    return Member(Range(start, info.compress_size), info.compress_type, info.file_size)


def entry_of(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The entry of a member, which may lie in a folder of its own in the archive.

    Raises:
        KeyError: there is none.
    """
    fitting = [info for info in archive.infolist() if ("/" + info.filename).endswith("/" + name)]
    if not fitting:
        raise KeyError(name)
    return min(fitting, key=lambda info: len(info.filename))


def unpack(packed: Path, method: int, target: Path) -> None:
    """Write the member whose packed bytes are in a file.

    Raises:
        SourceError: the bytes are damaged.
        DownloadError: the disk is full or cannot be written.
    """
    try:
        with packed.open("rb") as source, target.open("wb") as file:
            for block in _unpacked(source, method):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except zlib.error as error:
        raise SourceError(f"the packed bytes are damaged ({error})") from error
    except OSError as error:
        raise disk_error(target, error) from error


def _unpacked(source: io.BufferedReader, method: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if method == zipfile.ZIP_DEFLATED else None
    while block := source.read(BLOCK_BYTES):
        yield block if inflate is None else inflate.decompress(block)
    if inflate is not None:
        yield inflate.flush()


class _RemoteFile(io.RawIOBase):
    """A remote file for `zipfile`, which reads its directory only; the end is kept."""

    def __init__(self, url: str, patience: Patience) -> None:
        super().__init__()
        self._url, self._patience = url, patience
        self._tail, self.size_bytes = read_range(url, f"-{_TAIL_BYTES}", patience)
        self._position = 0

    def read_at(self, start: int, count: int) -> bytes:
        count = min(count, self.size_bytes - start)
        if count <= 0:
            return b""
        tail_start = self.size_bytes - len(self._tail)
        if start >= tail_start:
            return self._tail[start - tail_start :][:count]
        wanted = f"{start}-{start + count - 1}"
        return read_range(self._url, wanted, self._patience)[0]

    def read(self, count: int = -1) -> bytes:
        data = self.read_at(self._position, self.size_bytes if count < 0 else count)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise zipfile.BadZipFile("the archive is too short")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
