"""Where `restore-old-photo` and `python -m backend` begin: the command line is loaded from here.

Ctrl+C may come while it is, and would otherwise show where Python was at that moment.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from backend.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        # In the words and with the code of cli.py, which may not be there yet.
        print("restore-old-photo: stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
