"""Both real GIMPs, each started once, and a backend that a test can predict."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .desk import Desk
from .document import Document
from .fake_backend import FakeBackend
from .harness import GimpProcess
from .provision import TREES, ProvisionError, Tree, install_host_programs, provide
from .real_backend import RealBackend
from .window import Screen, is_available, private_mounts


def require(tree: Tree) -> Tree:
    """The tree, built if need be; skips the test where that is impossible, but never in CI."""
    try:
        provide(tree)
    except ProvisionError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"GIMP {tree.series} is not available: {error}")
    return tree


@pytest.fixture(scope="session", params=TREES, ids=lambda tree: f"gimp-{tree.series}")
def tree(request: pytest.FixtureRequest) -> Tree:
    return require(request.param)


@pytest.fixture(scope="session")
def console(tree: Tree) -> Iterator[GimpProcess]:
    """One gimp-console for all tests of this GIMP."""
    process = GimpProcess(tree)
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="session")
def shared_backend() -> Iterator[FakeBackend]:
    backend = FakeBackend()
    yield backend
    backend.close()


@pytest.fixture
def backend(console: GimpProcess, shared_backend: FakeBackend) -> FakeBackend:
    """The predictable backend, found by the plug-in through runtime.json."""
    shared_backend.reset()
    shared_backend.publish(console.home)
    return shared_backend


@pytest.fixture
def document(console: GimpProcess, backend: FakeBackend) -> Iterator[Document]:
    """Makes images, and deletes them after the test."""
    made = Document(console, backend)
    yield made
    made.close()


@pytest.fixture(scope="session")
def window(tree: Tree) -> Iterator[tuple[GimpProcess, Screen]]:
    if not is_available():
        try:
            install_host_programs()
        except (ProvisionError, OSError) as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"Xvfb, xdotool and ImageMagick are needed for a window: {error}")
    screen = Screen()
    gimp = GimpProcess(tree, display=screen.name, wrapper=private_mounts(tree))
    sessionrc = Path(__file__).with_name("sessionrc")
    (gimp.folder / "profile" / "sessionrc").write_text(sessionrc.read_text())
    try:
        gimp.start()
        screen.await_window("GIMP|GNU Image")
        yield gimp, screen
    finally:
        gimp.stop()
        screen.close()


@pytest.fixture
def desk(window: tuple[GimpProcess, Screen], shared_backend: FakeBackend) -> Iterator[Desk]:
    gimp, screen = window
    shared_backend.reset()
    shared_backend.publish(gimp.home)
    made = Desk(gimp, screen, shared_backend)
    yield made
    shared_backend.stall_at = None
    made.close()


@pytest.fixture(scope="session")
def real_backend() -> Iterator[RealBackend]:
    """The project's own backend with the bundled weights, in a process outside every GIMP."""
    missing = RealBackend.what_is_missing()
    if missing:
        pytest.skip(missing)
    backend = RealBackend()
    try:
        backend.start()
        yield backend
    finally:
        backend.stop()
