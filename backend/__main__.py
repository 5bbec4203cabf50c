"""`python -m backend` is the same as `restore-old-photo`."""

import sys

from backend.cli import main

if __name__ == "__main__":
    sys.exit(main())
