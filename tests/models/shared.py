"""What the tests of the networks have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"

needs_golden = pytest.mark.skipif(
    not (GOLDEN / "index.json").is_file(),
    reason=f"the recorded runs of the original are not at {GOLDEN}",
)
