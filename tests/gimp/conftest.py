"""Both real GIMPs, each started once, and a backend that a test can predict."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .document import Document
from .fake_backend import FakeBackend
from .harness import GimpProcess
from .provision import TREES, ProvisionError, Tree, provide


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
