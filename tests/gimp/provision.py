"""Provide real GIMPs for the tests: one unpacked Debian tree for each GIMP series.

    python tests/gimp/provision.py            # all trees, about two minutes each, once
    python tests/gimp/provision.py 3.0        # one of them

GIMP 2.10 comes from Debian 12, which packages it without Python: its own bindings are compiled from
Debian's source of the same GIMP, for the Python 2.7 of Debian 11 (see bindings/).

The trees lie in $RESTORE_OLD_PHOTO_TEST_CACHE (default ~/.cache/restore-old-photo-tests), outside
the checkout. A finished tree is kept and found again; a broken attempt is built anew. Needs root, a
Debian whose apt reaches a mirror, and nothing else: missing host programs are installed by apt.
Standard library only, so that it runs before any environment exists.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GIMP_PACKAGES = ("gimp", "gir1.2-gimp-3.0", "python3-gi", "adwaita-icon-theme", "fonts-dejavu-core")
OLD_GIMP_PACKAGES = (
    *("gimp", "libgimp2.0-dev", "python2.7", "python2.7-dev", "gcc", "libc6-dev", "pkg-config"),
    "dpkg-dev",
)
# Debian 11, the last release with Python 2.7, lies beside the release of the tree.
OLD_SOURCES = """\
deb {mirror} bookworm main
deb-src {mirror} bookworm main
deb {mirror} bullseye main
"""
BINDINGS = Path(__file__).with_name("bindings")
HOST_PROGRAMS = {
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "import": "imagemagick",
}
MARKER = "gimp-version"


class ProvisionError(RuntimeError):
    """A tree cannot be built here; the message says why."""


@dataclass(frozen=True)
class Tree:
    """One GIMP series and the Debian release that packages it."""

    series: str
    suite: str

    @property
    def folder(self) -> Path:
        return cache_folder() / f"gimp-{self.series}"

    @property
    def version(self) -> str | None:
        """The full GIMP version, or None while the tree is not complete."""
        marker = self.folder / MARKER
        return marker.read_text().strip() if marker.is_file() else None


TREES = (Tree("3.0", "trixie"), Tree("3.2", "forky"))
OLD_TREE = Tree("2.10", "bookworm")


def cache_folder() -> Path:
    chosen = os.environ.get("RESTORE_OLD_PHOTO_TEST_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "restore-old-photo-tests"


def provide(tree: Tree) -> str:
    """Build `tree` unless it is there already, and return its GIMP version.

    Raises:
        ProvisionError: not root, no mirror, or a step failed.
    """
    if os.name != "posix" or os.geteuid() != 0:
        raise ProvisionError("GIMP runs in a tree of its own (chroot), which needs root.")
    if tree.version:
        return tree.version
    with _locked(cache_folder()):
        if not tree.version:
            install_host_programs()
            _build(tree)
    version = tree.version
    assert version is not None
    return version


def install_host_programs() -> None:
    """Install with apt what the GIMP tests need on this machine."""
    missing = [package for program, package in HOST_PROGRAMS.items() if not shutil.which(program)]
    if missing:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], env=quiet)
        _run(["apt-get", "install", "-qy", "--no-install-recommends", *missing], env=quiet)


def _build(tree: Tree) -> None:
    staging = tree.folder.with_name(tree.folder.name + ".incomplete")
    remove_tree(staging)
    remove_tree(tree.folder)
    staging.mkdir(parents=True)
    staging.chmod(0o755)  # apt's own user must be able to read inside the tree.
    proxy = _apt_proxy()
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    if proxy:
        env["http_proxy"] = proxy
    # Older debootstraps have no script for newer suites; "sid" fits every suite after it.
    script = "/usr/share/debootstrap/scripts/sid"
    bootstrap = ["debootstrap", "--variant=minbase", tree.suite, str(staging), _mirror(), script]
    _run([*_private_mounts(), *bootstrap], env=env)
    _configure_apt(staging)
    is_old = tree == OLD_TREE
    if is_old:
        (staging / "etc/apt/sources.list").write_text(OLD_SOURCES.format(mirror=_mirror()))
        _run(["chroot", str(staging), "apt-get", "update", "-q"], env=env)
    packages = OLD_GIMP_PACKAGES if is_old else GIMP_PACKAGES
    install = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    _run([*_private_mounts(), "chroot", str(staging), *install], env=env)
    if is_old:
        _add_bindings(staging, env)
    _run(["chroot", str(staging), "apt-get", "clean"], env=env)
    shutil.rmtree(staging / "var/lib/apt/lists", ignore_errors=True)
    answer = _run(["chroot", str(staging), "gimp-console", "--version"], env=env)
    # The marker comes last: a tree without it is never taken for a finished one.
    (staging / MARKER).write_text(answer.split()[-1] + "\n")
    staging.rename(tree.folder)


def _add_bindings(tree: Path, env: dict[str, str]) -> None:
    """Give GIMP 2.10 the Python that Debian leaves out."""
    place = tree / "bindings"
    place.mkdir()
    download = "cd /bindings && apt-get source -q --download-only gimp"
    _run(["chroot", str(tree), "sh", "-c", download], env=env)
    (archive,) = place.glob("gimp_*.orig.tar.*")
    with tarfile.open(archive) as source:
        for member in source:
            content = source.extractfile(member)
            if content is not None and "/plug-ins/pygimp/" in member.name:
                (place / member.name).parent.mkdir(parents=True, exist_ok=True)
                (place / member.name).write_bytes(content.read())
    (folder,) = place.glob("gimp-*/plug-ins/pygimp")
    shutil.copyfile(BINDINGS / "pygobject.h", folder / "pygobject.h")
    shutil.copyfile(BINDINGS / "build.sh", place / "build.sh")
    inside = f"/{folder.relative_to(tree).as_posix()}"
    _run(["chroot", str(tree), "sh", "/bindings/build.sh", inside], env=env)
    shutil.rmtree(place)


def _configure_apt(tree: Path) -> None:
    """Give the tree this machine's proxy and date settings, and a policy to start no daemon."""
    keep = ("Acquire::http", "Acquire::https", "Acquire::Check")
    lines = [line for line in _run(["apt-config", "dump"]).splitlines() if line.startswith(keep)]
    (tree / "etc/apt/apt.conf.d/99host").write_text("\n".join(lines) + "\n")
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def _private_mounts() -> list[str]:
    # debootstrap mounts /proc inside the tree. In a namespace of its own the mount dies with the
    # process, however that ends, so that deleting the tree can never reach through it.
    return ["unshare", "--mount", "--propagation", "private"]


def _mirror() -> str:
    """The Debian archive that this machine's apt uses."""
    chosen = os.environ.get("RESTORE_OLD_PHOTO_TEST_MIRROR")
    if chosen:
        return chosen
    fields = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
    for line in _run(["apt-get", "indextargets", "--format", fields]).splitlines():
        origin, label, address = line.split("|")
        if (origin, label) == ("Debian", "Debian") and address.startswith("http"):
            return address.rstrip("/")
    raise ProvisionError(
        "apt knows no Debian archive here: set RESTORE_OLD_PHOTO_TEST_MIRROR to one."
    )


def _apt_proxy() -> str:
    shell = 'eval "$(apt-config shell value Acquire::http::Proxy)"; printf \'%s\' "$value"'
    return _run(["sh", "-c", shell])


def remove_tree(folder: Path) -> None:
    """Delete `folder`, but never while something is mounted below it.

    Raises:
        ProvisionError: a mount point lies inside; deleting would reach through it.
    """
    inside = str(folder.resolve()) + "/"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount_point = line.split()[4].replace("\\040", " ")
        if (mount_point + "/").startswith(inside):
            raise ProvisionError(
                f"{mount_point} is mounted: unmount it before {folder} is rebuilt."
            )
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], env: dict[str, str] | None = None) -> str:
    finished = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if finished.returncode != 0:
        tail = "\n".join(finished.stdout.splitlines()[-15:])
        raise ProvisionError(f"{' '.join(command)} ended with {finished.returncode}:\n{tail}")
    return finished.stdout


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Provide the GIMP trees for the tests.")
    parser.add_argument("series", nargs="*", help="2.10, 3.0, 3.2; default: all")
    chosen = parser.parse_args(arguments).series
    failed = False
    for tree in (*TREES, OLD_TREE):
        if chosen and tree.series not in chosen:
            continue
        try:
            print(f"GIMP {provide(tree)}: {tree.folder}", flush=True)
        except ProvisionError as error:
            failed = True
            print(f"GIMP {tree.series} is not available: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
