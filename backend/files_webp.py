"""Tell lossless WebP files from lossy ones, which Pillow does not say."""

from __future__ import annotations

import struct
from pathlib import Path

CHUNK_HEADER = 8
FILE_HEADER = 12


def is_lossless_webp(path: Path) -> bool:
    """Whether the picture of a WebP file is stored without loss.

    Source: WebP container specification, sections "RIFF file format" and "Extended file format".
    """
    with path.open("rb") as stream:
        stream.seek(FILE_HEADER)
        # A profile of any length may come before the bitstream.
        while len(header := stream.read(CHUNK_HEADER)) == CHUNK_HEADER:
            name, size = struct.unpack("<4sI", header)
            if name in (b"VP8L", b"VP8 "):
                return bool(name == b"VP8L")
            stream.seek(size + size % 2, 1)
    return False
