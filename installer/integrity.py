"""Which packages an environment holds, and which of them are not whole.

The environment's own Python runs this file by its path, so it imports nothing of the project: pip
writes down the size and SHA-256 of each file that it installs, and here they are compared.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path


def inventory(contents: bool) -> dict[str, object]:
    """Versions of all packages, and what is wrong with them.

    Args:
        contents: compare each file's bytes as well, not only its size; takes seconds.

    Returns:
        "versions": version by name, names normalized (lower case, "-"); "damaged": names of
        packages with a missing or changed file; "unknown": how many packages were never
        completely written, so that pip itself cannot take them away.
    """
    versions: dict[str, str] = {}
    damaged: list[str] = []
    unknown = 0
    for package in distributions():
        name = package.metadata["Name"] if package.metadata is not None else None
        record = package.read_text("RECORD")
        if not name or record is None:
            unknown += 1
            continue
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name in versions:
            # pip sets an older version aside while it writes the new one.
            unknown += 1
        versions[name] = package.version
        # Distribution.files would leave out what is missing.
        lines = csv.reader(record.splitlines())
        if not all(is_whole(package, line, contents) for line in lines):
            damaged.append(name)
    return {"versions": versions, "damaged": sorted(damaged), "unknown": unknown}


def is_whole(package: Distribution, line: Sequence[str], contents: bool) -> bool:
    """Whether a file is what was installed; what Python makes by itself always is.

    Args:
        line: of the record: path, hash (method=URL-safe base64) and size; the last two may be
            empty.
        contents: compare the bytes as well.
    """
    name, hash_value, size = line
    if not size or name.endswith(".pyc"):
        return True
    path = Path(str(package.locate_file(name)))
    try:
        if path.stat().st_size != int(size):
            return False
        if not contents or not hash_value:
            return True
        method, _, expected = hash_value.partition("=")
        digest = hashlib.new(method, path.read_bytes()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == expected


if __name__ == "__main__":
    json.dump(inventory("--contents" in sys.argv[1:]), sys.stdout)
