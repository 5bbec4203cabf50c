"""The arrows between the packages, and the six rules that keep them readable.

The imports are read from the source, so that one inside a function or under TYPE_CHECKING counts,
too; what a module pulls in at run time is asked of a fresh Python.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("backend", "models", "plugin", "installer")
SOURCES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for package in PACKAGES
    for path in (CHECKOUT / package).rglob("*.py")
)

# What the modules below a prefix may import of the project; the longest prefix counts.
ARROWS: dict[str, tuple[str, ...]] = {
    "installer/": (
        "installer",
        "models.registry",
        # Downloads that go on where they were cut; standard library only, as all here.
        "backend.downloads.transfer",
        "backend.errors",
        "backend.loopback",
        "plugin.layout",
        "plugin.profiles",
        "plugin.remembered",
        # To ask a running backend to quit before its files change.
        "plugin.shared",
    ),
    "models/": ("models",),
    # A command, not a part: it compares our stages with recorded runs of the original.
    "models/parity": ("models", "backend"),
    # Training and restoring ask the processor the same question.
    "models/training/": ("models", "backend.precision"),
    # A command, too: it cuts training faces exactly as the pipeline does.
    "models/training/align_faces.py": ("models", "backend"),
    # And another: it judges the stages as users run them.
    "models/training/evaluat": ("models", "backend"),
    "models/training/card_pictures.py": ("models", "backend"),
    # It learns from what the pipeline finds.
    "models/training/train_places.py": ("models", "backend"),
    "plugin/layout.py": (),
    # A command for developers, with Babel.
    "plugin/catalogues.py": ("plugin.layout", "plugin.shared.sentences"),
    "plugin/profiles.py": ("plugin.layout",),
    "plugin/remembered.py": ("plugin.layout", "plugin.profiles"),
    "plugin/shared/": (),
    "plugin/stubs/": ("plugin.stubs",),
    "plugin/gimp2/": ("restore_old_photo_shared", "restore_old_photo_gimp2"),
    "plugin/gimp3/": ("restore_old_photo_shared", "restore_old_photo_gimp3"),
    "backend/": ("backend", "models", "plugin.shared.protocol"),
    # A command: it starts the backend as the plug-in does.
    "backend/review/command.py": ("backend", "models", "plugin.shared"),
    # A command, too: it looks at everything that can be missing.
    "backend/doctor.py": (
        "backend",
        "models",
        "plugin.profiles",
        "plugin.remembered",
        "plugin.shared",
    ),
}

# Parts that know nothing of the ones above them.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "backend/stages/": (
        "backend.pipeline",
        "backend.server",
        "backend.jobs",
        "backend.runtime",
        "backend.cli",
        "backend.reference",
    ),
    "backend/pipeline.py": (
        "backend.server",
        "backend.jobs",
        "backend.runtime",
        "backend.cli",
        "backend.reference",
    ),
    "backend/server.py": ("backend.pipeline", "backend.stages", "models.loading"),
    "backend/batch/": ("backend.server", "backend.jobs", "backend.cli", "backend.stages"),
    "backend/batch/dispatch.py": ("backend.batch.processes", "backend.batch.cluster"),
    "backend/photo.py": ("backend.batch", "backend.command_restore", "backend.cli"),
    "backend/review/": (
        "backend.pipeline",
        "backend.stages",
        "backend.server",
        "backend.service",
        "backend.networks",
        "models.loading",
    ),
    "backend/jobs.py": ("backend.pipeline", "backend.stages", "models", "backend.server"),
    "models/registry.py": ("models.layers", "models.scratch_unet", "models.training"),
}

TORCH_PLACES = (
    "models/",
    "backend/stages/",
    "backend/reference/",
    "backend/pipeline.py",
    "backend/assembly.py",
    "backend/damage.py",
    "backend/ground.py",
    "backend/soft_clip.py",
    "backend/texture.py",
    "backend/transparency.py",
    "backend/whole_picture.py",
    "backend/cleaner.py",
    "backend/networks.py",
    "backend/device.py",
    "backend/tint.py",
    "backend/tensors.py",
    "backend/tiling.py",
    "backend/monitor.py",
    "backend/streaming/",
    "backend/synthesis/",
    "backend/cache.py",
    "backend/memory.py",
    "backend/planned.py",
    "backend/precision.py",
    "backend/preparation.py",
    "backend/regions.py",
    "backend/restorer.py",
    "backend/revision.py",
    "backend/warm.py",
    "backend/doctor.py",
    "backend/batch/sizing.py",
    "backend/batch/worker.py",
)
WITHOUT_TORCH = (
    "models.registry",
    "backend.errors",
    "backend.options",
    "backend.geometry",
    "backend.jobs",
    "backend.server",
    "backend.review.command",
    "backend.runtime",
    "backend.doctor",
    "backend.command_batch",
    "backend.batch.manifest",
    "backend.batch.work",
    "backend.batch.places",
    "installer.command",
)
# These hold what Python 2.7 calls by other names.
PYTHON_2_NAMES = {"httplib", "urllib2", "Queue", "__builtin__"}


def imports_of(source: str) -> Iterator[str]:
    """Dotted names of everything a file imports; relative ones begin with a dot."""
    tree = ast.parse((CHECKOUT / source).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{name.name}".replace("..", ".") for name in node.names)


def is_below(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(part + ".") for part in parts)


def project_imports(source: str) -> list[str]:
    installed = ("shared", "gimp2", "gimp3")
    own = (*PACKAGES, "tests", *(f"restore_old_photo_{part}" for part in installed))
    return [name for name in imports_of(source) if is_below(name, own)]


def run_python(*arguments: str) -> str:
    """What a fresh Python prints; it must end well."""
    answer = subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("source", SOURCES)
def test_a_file_imports_only_along_the_arrows(source: str) -> None:
    prefix = max((prefix for prefix in ARROWS if source.startswith(prefix)), key=len, default=None)
    allowed = ARROWS[prefix] if prefix is not None else ()
    # `from plugin.shared import protocol` names the module the same way as `import` does.
    wrong = [name for name in project_imports(source) if not is_below(name, allowed)]
    assert not wrong, f"{source} imports {wrong}; {prefix} may import {allowed}"


@pytest.mark.parametrize("prefix", sorted(FORBIDDEN))
def test_a_part_knows_nothing_of_the_parts_above_it(prefix: str) -> None:
    sources = [source for source in SOURCES if source.startswith(prefix)]
    assert sources, f"nothing lies at {prefix}; the table is out of date"
    for source in sources:
        wrong = [name for name in imports_of(source) if is_below(name, FORBIDDEN[prefix])]
        assert not wrong, f"{source} imports {wrong}"


def test_stages_do_not_import_each_other() -> None:
    stages = [source for source in SOURCES if source.startswith("backend/stages/")]
    for source in stages:
        if source.endswith("__init__.py"):
            continue
        own = source.removesuffix(".py").replace("/", ".")
        others = [
            name
            for name in imports_of(source)
            if name.startswith((".", "backend.stages")) and not is_below(name, (own,))
        ]
        assert not others, f"{source} imports {others}"


@pytest.mark.parametrize("source", SOURCES)
def test_torch_is_imported_only_where_tensors_are(source: str) -> None:
    uses_torch = any(is_below(name, ("torch", "safetensors.torch")) for name in imports_of(source))
    assert not uses_torch or source.startswith(TORCH_PLACES), f"{source} imports torch"


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_a_module_that_must_start_quickly_does_not_load_torch(module: str) -> None:
    if not (CHECKOUT / (module.replace(".", "/") + ".py")).is_file():
        pytest.fail(f"{module} does not exist; the list is out of date")
    assert run_python("-c", f"import sys, {module}; print('torch' in sys.modules)") == "False\n"


def test_only_the_gimp_3_plug_in_imports_gi() -> None:
    users = {source for source in SOURCES if any(is_below(n, ("gi",)) for n in imports_of(source))}
    assert users
    assert all(source.startswith("plugin/gimp3/") for source in users), users


def test_only_the_gimp_2_10_plug_in_imports_its_modules() -> None:
    modules = ("gimp", "gimpfu", "gimpenums")
    users = {s for s in SOURCES if any(is_below(n, modules) for n in imports_of(s))}
    assert users
    places = ("plugin/gimp2/", "plugin/stubs/")
    assert all(source.startswith(places) for source in users), users


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if s.startswith(("plugin/shared/", "installer/", "plugin/lay"))]
)
def test_plug_in_and_installer_need_only_the_standard_library(source: str) -> None:
    known = sys.stdlib_module_names | PYTHON_2_NAMES | set(PACKAGES)
    if source == "installer/window/display.py":
        # pywebview is used where it happens to be; the browser does as well.
        known |= {"webview"}
    foreign = {
        name
        for name in imports_of(source)
        if not name.startswith(".") and name.split(".")[0] not in known
    }
    assert not foreign


def test_the_installer_starts_without_any_package_installed() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import installer.command; "
        "print('started')"
    )
    assert run_python("-I", "-S", "-B", "-c", code) == "started\n"


def test_importing_the_project_does_nothing() -> None:
    """Importing writes no file, starts no process, opens no socket, prints nothing."""
    modules = [
        source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for source in SOURCES
        # The plug-ins import what only GIMP has, and a `__main__` is there to be run.
        if not source.startswith("plugin/gimp") and not source.endswith("__main__.py")
    ]
    printed = run_python("-B", "-c", IMPORT_ALL.format(modules=modules))
    assert printed == "", printed


IMPORT_ALL = """
import importlib, os, sys
# Other people's packages may look around while they are loaded: they come first.
for name in ("cv2 dlib fastapi numpy PIL.Image psutil safetensors.torch scipy.ndimage "
             "skimage.exposure tifffile torch torch.utils.data tqdm uvicorn").split():
    try:
        importlib.import_module(name)
    except ImportError:
        pass
written = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def watch(event, arguments):
    if event == "open" and arguments[2] & written or event in (
        "subprocess.Popen", "os.mkdir", "os.remove", "os.rename", "socket.bind", "socket.connect"
    ):
        print("doing something:", event, arguments[:2])
sys.addaudithook(watch)
for module in {modules}:
    importlib.import_module(module)
"""


@pytest.mark.parametrize("source", SOURCES)
def test_the_top_level_of_a_module_only_defines(source: str) -> None:
    if source.endswith("__main__.py") or source.startswith("plugin/gimp3/restore-old-photo/re"):
        return
    tree = ast.parse((CHECKOUT / source).read_text(encoding="utf-8"))
    for node in tree.body:
        runs = isinstance(node, ast.For | ast.While | ast.With | ast.Delete) or (
            isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        )
        assert not runs, f"{source}:{node.lineno} runs when it is imported"


def test_no_file_is_named_utils() -> None:
    names = [
        path
        for package in (*PACKAGES, "tests")
        for path in (CHECKOUT / package).rglob("*")
        if "util" in path.stem.lower() or path.stem.lower() in ("helpers", "misc", "common")
    ]
    assert not names


@pytest.mark.parametrize("source", [s for s in SOURCES if s.endswith("__init__.py")])
def test_an_init_file_is_empty_or_a_list_of_names(source: str) -> None:
    tree = ast.parse((CHECKOUT / source).read_text(encoding="utf-8"))
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert is_docstring or is_names or isinstance(node, ast.Import | ast.ImportFrom), (
            f"{source}:{node.lineno} is more than a name"
        )
