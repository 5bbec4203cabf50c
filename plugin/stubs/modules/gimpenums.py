"""Stands in for GIMP 2.10's module gimpenums."""

from plugin.stubs.constants import *  # noqa: F403
