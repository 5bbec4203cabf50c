"""What the installer tells the user when it cannot go on."""

from __future__ import annotations


class InstallationError(Exception):
    """A failure whose message is one sentence: what happened, why, and what to do next."""
