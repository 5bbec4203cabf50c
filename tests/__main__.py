"""`python3 -m tests [PYTEST ARGUMENTS]`: make the test environment if need be, run every check.

The environment lies in `.venv` in the checkout, or where --environment says. The checks are ruff,
the formatter, the type checker and pytest; all run, and any failure fails the command.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from installer.console import ConsoleReport
from installer.environment import Environment
from installer.errors import InstallationError
from installer.packages import EnvironmentStep, TorchStep
from installer.processes import clean_environment
from installer.project import CHECKOUT
from installer.steps import Condition, Cost, Marker, Step, run_steps

CHECKS = (
    ("ruff", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("mypy", ["mypy"]),
)

# A process for each core; tests/conftest.py says which tests belong together. "-n 0" ends it.
IN_PARALLEL = ("--numprocesses", "logical", "--maxprocesses", "4", "--dist", "loadgroup")

# Without their dependencies, as users install them: those would bring another torch.
OTHER_MODELS = ("spandrel==0.4.2", "einops>=0.8")


@dataclass(frozen=True)
class TestPackagesStep:
    """The checkout itself, editable, with the packages that its tests need."""

    environment: Environment

    key = "tests"
    title = "packages of the project and its tests"
    cost = Cost()

    @property
    def _record(self) -> Path:
        return self.environment.folder / "tests-fingerprint"

    def condition(self) -> Condition:
        if not self._record.is_file():
            return "absent"
        return "done" if self._record.read_text() == self._fingerprint() else "outdated"

    def do(self) -> None:
        self.environment.install(["--editable", f"{CHECKOUT}[test]"])
        self.environment.install(["--no-deps", *OTHER_MODELS])
        self._record.write_text(self._fingerprint())

    def undo(self) -> None:
        self.environment.remove()

    def _fingerprint(self) -> str:
        project = (CHECKOUT / "pyproject.toml").read_bytes()
        return f"{CHECKOUT} {hashlib.sha256(project).hexdigest()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all checks; returns 0 when every one passed."""
    parser = argparse.ArgumentParser(prog="python3 -m tests", description=__doc__)
    parser.add_argument("--environment", type=Path, default=CHECKOUT / ".venv", metavar="DIR")
    parser.add_argument("--torch-index", metavar="URL", help="package index to take torch from")
    options, pytest_arguments = parser.parse_known_args(arguments)
    folder = options.environment.absolute()
    report = ConsoleReport()
    work = folder.with_name(f"{folder.name}.work")
    environment = Environment(folder, folder / "pip.log", report, work=work)
    steps: list[Step] = [
        EnvironmentStep(environment),
        TorchStep(environment, options.torch_index),
        TestPackagesStep(environment),
    ]
    try:
        run_steps(steps, Marker(folder / "incomplete"), report)
    except InstallationError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    python = [str(environment.python), "-m"]
    # The checks run beside the tests, which wait for much of their time.
    with ThreadPoolExecutor() as pool:
        checks = {name: pool.submit(_captured, [*python, *command]) for name, command in CHECKS}
        print("--- pytest", flush=True)
        command = [*python, "pytest", *IN_PARALLEL, *pytest_arguments]
        tests = subprocess.call(command, cwd=CHECKOUT, env=clean_environment())
        failed = ["pytest"] if tests != 0 else []
        for name, check in checks.items():
            done = check.result()
            print(f"--- {name}\n{done.stdout}", end="", flush=True)
            failed += [name] if done.returncode != 0 else []
    print(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return 1 if failed else 0


def _captured(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=CHECKOUT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
