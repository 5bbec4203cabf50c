"""What a JPEG file holds beside its pixels, and where: caption and comments have own blocks.

Source: ISO/IEC 10918-1 for the segments; Adobe, "Photoshop File Formats Specification", image
resource blocks, for the caption (IPTC).
"""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image

from backend.files_metadata import IPTC, exif_block, parse_exif
from backend.images import Metadata

QUALITY = 95
"""On libjpeg's scale from 0 to 100."""

LONGEST_BLOCK = 65_500
"""Bytes of EXIF, XMP, caption or comment that a segment holds beside its name."""

COMMENT = b"COM"
"""Kind of a comment among the extras of `Metadata`."""

_CAPTION = 0x0404
"""Number of the resource block that holds it."""


def read_caption(image: Image.Image) -> bytes | None:
    """The caption of an opened JPEG file; None where there is none, and in all other formats."""
    blocks = image.info.get("photoshop")
    caption = blocks.get(_CAPTION) if isinstance(blocks, dict) else None
    return caption if isinstance(caption, bytes) and caption else None


def read_comments(image: Image.Image) -> tuple[tuple[bytes, bytes], ...]:
    """The comments of an opened JPEG file as extras; none in all other formats."""
    blocks = getattr(image, "applist", ())
    return tuple((COMMENT, data) for kind, data in blocks if kind == "COM" and data)


def jpeg_settings(metadata: Metadata) -> dict[str, Any]:
    """How Pillow is to write a JPEG file; what is too long for a segment is left out."""
    settings: dict[str, Any] = {"quality": QUALITY, "subsampling": 0, "optimize": True}
    exif, caption = _without_caption(metadata.exif)
    if exif and len(exif) <= LONGEST_BLOCK:
        settings["exif"] = exif
    if metadata.xmp and len(metadata.xmp) <= LONGEST_BLOCK:
        settings["xmp"] = metadata.xmp
    comments = [data for kind, data in metadata.extras if kind == COMMENT]
    segments = [_segment(b"\xfe", data) for data in comments if len(data) <= LONGEST_BLOCK]
    if caption and len(caption) <= LONGEST_BLOCK:
        segments.append(_segment(b"\xed", _resource(caption)))
    if segments:
        settings["extra"] = b"".join(segments)
    return settings


def _without_caption(block: bytes | None) -> tuple[bytes | None, bytes | None]:
    exif = parse_exif(block)
    caption = exif.pop(IPTC, None)
    if not isinstance(caption, bytes):
        return block, None
    return (exif_block(exif) if len(exif) else None), caption


def _resource(caption: bytes) -> bytes:
    resource = b"8BIM" + struct.pack(">HHI", _CAPTION, 0, len(caption)) + caption
    return b"Photoshop 3.0\0" + resource + bytes(len(caption) % 2)


def _segment(marker: bytes, content: bytes) -> bytes:
    return b"\xff" + marker + struct.pack(">H", len(content) + 2) + content
