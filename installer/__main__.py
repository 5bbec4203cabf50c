"""`python3 -m installer`: refuses an old Python in words, then hands over to command.py.

Every Python that people may have reads this file, 2.7 included.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036  See above.
    sys.exit(
        "This is Python {}.{}, but Restore Old Photo needs 3.10 or newer: run it with such a "
        'Python, for example "python3.11 -m installer".'.format(*sys.version_info)
    )

if not __package__:
    # Started by the name of this folder: the packages lie beside it, not in it.
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parent.parent)

try:
    from installer.command import main

    status = main()
except KeyboardInterrupt:
    # Pressed while Python still loads: in the words and with the status of command.py.
    sys.stderr.write("\nStopped. Run the same command again to go on.\n")
    status = 130
sys.exit(status)
