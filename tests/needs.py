"""What some tests need of a machine."""

from __future__ import annotations

import os

import pytest


def require(lack: str | None, remedy: str) -> None:
    """Skip a test where something is missing; in CI, which must have everything, fail it.

    Args:
        lack: what is missing, in words; None when nothing is.
        remedy: how to get it.
    """
    if lack is None:
        return
    reason = f"{lack} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
