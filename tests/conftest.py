"""How tests are dealt out where several processes run them, and how patient they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent

# How long an example takes says how busy the computer is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and all those that share a GIMP.

    What a file prepares once is then prepared once, and no two processes drive the same GIMP.
    """
    for item in items:
        file = item.path.relative_to(TESTS)
        group = "gimp" if file.parts[0] == "gimp" else str(file)
        item.add_marker(pytest.mark.xdist_group(group))
