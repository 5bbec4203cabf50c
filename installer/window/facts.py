"""What the page is told of a plan before it is carried out, and of what it has brought after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from installer.errors import InstallationError
from installer.gimp import PluginStep
from installer.launcher import command_for
from installer.plan import Plan, check_machine
from installer.project import CHECKOUT
from installer.steps import Step

REMOVE_COMMAND = "python3 -m installer --remove"


def plan_facts(plan: Plan) -> dict[str, Any]:
    """The plan as the page shows it; an obstacle is a part of it."""
    return {
        "state": plan.state,
        "version": plan.version,
        "previous": plan.previous or "",
        "data": str(plan.data),
        "offline": str(plan.choices.offline or ""),
        "download_bytes": plan.cost.download_bytes,
        "disk_bytes": plan.cost.disk_bytes,
        "steps": [
            step_facts(plan, step) for step in plan.steps if not isinstance(step, PluginStep)
        ],
        "profiles": [
            {
                "folder": str(step.profile.folder),
                "version": step.profile.version,
                "condition": plan.conditions[step.key],
                "obstacle": _obstacle(step.check_writable),
            }
            for step in plan.plugins
        ],
        "notes": [note.facts() for note in plan.notes],
        "obstacle": _obstacle(lambda: check_machine(plan)),
    }


def step_facts(plan: Plan, step: Step) -> dict[str, Any]:
    """One step: what it makes, whether that is there, and what it takes."""
    return {
        "key": step.key,
        "title": step.title.facts(),
        "condition": plan.conditions[step.key],
        "download_bytes": 0 if plan.choices.offline is not None else step.cost.download_bytes,
        "disk_bytes": step.cost.disk_bytes,
    }


def result_facts(plan: Plan, search_path: str) -> dict[str, Any]:
    """What is there after an installation, where it lies, and how it is called.

    Args:
        search_path: where the user's shell looks for programs.
    """
    return {
        "command": command_for(plan.program, plan.launcher, search_path),
        "program": str(plan.program),
        "folder": str(plan.data),
        "checkout": str(CHECKOUT),
        "removal": REMOVE_COMMAND,
        "plugins": [
            {"version": step.profile.version, "folder": str(step.profile.plug_ins)}
            for step in plan.plugins
        ],
    }


def _obstacle(check: Callable[[], None]) -> dict[str, Any] | None:
    try:
        check()
    except InstallationError as error:
        return error.message.facts()
    return None
