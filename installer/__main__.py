"""`python3 -m installer`: refuses an old Python in words, then hands over to command.py."""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036  It runs under whatever Python people have.
    found = ".".join(str(part) for part in sys.version_info[:2])
    sys.exit(
        f"This is Python {found}, but Restore Old Photo needs 3.10 or newer: "
        'run it with such a Python, for example "python3.11 -m installer".'
    )

try:
    from installer.command import main

    status = main()
except KeyboardInterrupt:
    # Pressed while Python still loads: in the words and with the status of command.py.
    print("\nStopped. Run the same command again to go on.", file=sys.stderr)
    status = 130
sys.exit(status)
