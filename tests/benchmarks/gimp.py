"""The whole way once: a photo in a real GIMP, through the plug-in and the backend, and back."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from tests.benchmarks.photos import make_photo
from tests.gimp.document import Document
from tests.gimp.harness import GimpError, GimpProcess
from tests.gimp.provision import TREES, ProvisionError, provide
from tests.gimp.real_backend import RealBackend


def measure_gimp(width: int, height: int) -> dict[str, Any]:
    """Seconds of two runs of Restore on one photo, the second with a warm backend.

    Where no GIMP can be run the answer says why.
    """
    tree = TREES[-1]
    missing = RealBackend.what_is_missing()
    if missing:
        return {"missing": missing}
    try:
        provide(tree)
        gimp = GimpProcess(tree)
        gimp.start()
    except (ProvisionError, OSError, GimpError, subprocess.SubprocessError) as error:
        return {"missing": str(error)}
    backend = RealBackend()
    try:
        backend.start()
        backend.publish(gimp.home)
        seconds = []
        for _ in range(2):
            document = Document(gimp)
            document.open(make_photo(width, height)[0])
            started = time.perf_counter()
            document.run(device="cpu")
            seconds.append(time.perf_counter() - started)
            document.close()
    finally:
        backend.stop()
        gimp.stop()
    return {"gimp": tree.series, "first": seconds[0], "again": seconds[1]}
