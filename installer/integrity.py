"""Which packages an environment holds, and which of them are not whole.

The environment's own Python runs this file by its path, so it imports nothing of the project: pip
writes down the size and SHA-256 of each file that it installs, and here they are compared.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from importlib.metadata import Distribution, PackagePath, distributions
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
        if not name or package.files is None or package.read_text("RECORD") is None:
            unknown += 1
            continue
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name in versions:
            # pip sets an older version aside while it writes the new one.
            unknown += 1
        versions[name] = package.version
        if not all(is_whole(package, file, contents) for file in package.files):
            damaged.append(name)
    return {"versions": versions, "damaged": sorted(damaged), "unknown": unknown}


def is_whole(package: Distribution, file: PackagePath, contents: bool) -> bool:
    """Whether a file is what was installed; what Python makes by itself always is."""
    if file.size is None:
        return True
    path = Path(str(package.locate_file(file)))
    try:
        if path.stat().st_size != file.size:
            return False
        if not contents or file.hash is None:
            return True
        digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value


if __name__ == "__main__":
    json.dump(inventory("--contents" in sys.argv[1:]), sys.stdout)
