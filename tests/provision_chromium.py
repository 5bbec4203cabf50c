"""Provide Chromium for the tests of the pages: `python tests/provision_chromium.py`.

Needs root on Debian. Standard library only, so that it runs before any environment exists.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

# Without fonts, the screenshots would show boxes: the second one is for Chinese and Japanese.
PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core", "fonts-wqy-microhei")


def main() -> int:
    """Install what is missing; returns apt's exit code."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return 0
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES]
    return subprocess.call(["apt-get", "update", "-qq"]) or subprocess.call(install)


if __name__ == "__main__":
    sys.exit(main())
