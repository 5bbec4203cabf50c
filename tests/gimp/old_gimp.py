"""A real GIMP 2.10 with its Python 2.7, started for each request; and documents to give it.

A document is an image of plugin/stubs, so that the same one can be given to the stubs.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugin.layout import install_plugin
from plugin.stubs.document import Image
from plugin.stubs.items import GroupLayer, Layer

from .harness import GimpError
from .provision import Tree, remove_tree

SECONDS = 200
INSIDE = Path(__file__).with_name("inside_2_10.py")
BATCH = "import sys; sys.path.insert(0, '{0}'); import inside_2_10; inside_2_10.serve('{0}')"
INSTALLATION = {"python": "/usr/bin/python2.7", "version": "0.1.0"}


class OldGimp:
    """GIMP 2.10 with our plug-in in a profile of its own.

    Args:
        tree: the provisioned tree.
        language: its user's, as in LANGUAGE.
    """

    def __init__(self, tree: Tree, language: str = "C") -> None:
        self.tree = tree
        self.language = language
        runs = tree.folder / "runs"
        runs.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=runs))
        self.place = f"/runs/{self.folder.name}"
        self.home = self.folder / "home"
        self.home.mkdir()
        profile = self.folder / "profile"
        # GIMP complains about folders for its own data that are missing.
        for name in ("brushes", "dynamics", "gradients", "palettes", "patterns", "tool-presets"):
            (profile / name).mkdir(parents=True)
        record = {**INSTALLATION, "home": f"{self.place}/home"}
        install_plugin(profile / "plug-ins", record, generation=2)
        shutil.copyfile(INSIDE, self.folder / INSIDE.name)
        # What GIMP and the plug-in wrote during the last request.
        self.words = ""

    def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        """Call a function of inside_2_10.py in a fresh GIMP."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        request = {"function": function, "arguments": arguments}
        (self.folder / "request.json").write_text(json.dumps(request))
        values = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LANGUAGE": self.language,
            "HOME": f"{self.place}/home",
            "GIMP2_DIRECTORY": f"{self.place}/profile",
        }
        environment = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items())]
        batch = ["-b", BATCH.format(self.place), "-b", "pdb.gimp_quit(1)"]
        console = ["gimp-console", "-i", "-c", "--batch-interpreter=python-fu-eval", *batch]
        finished = subprocess.run(
            ["chroot", str(self.tree.folder), *environment, *console],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
        self.words = finished.stdout.decode(errors="replace")
        # It ends with 0 also when the batch failed.
        if not answer.is_file():
            raise GimpError(f"GIMP 2.10 gave no answer:\n{self.words}")
        facts: dict[str, Any] = json.loads(answer.read_text())
        if "traceback" in facts:
            raise GimpError(f"{function} failed inside GIMP:\n{facts['traceback']}")
        return facts

    def run(self, image: Image, *calls: Sequence[Any], **options: Any) -> dict[str, Any]:
        """Call the plug-in on an image; a call is (procedure, values, run mode).

        One of two parts, (procedure, values), is an edit by GIMP's own procedures.
        """
        return self.call("run", document=described(image), calls=calls, **options)

    def close(self) -> None:
        remove_tree(self.folder)


def described(image: Image) -> dict[str, Any]:
    """The image as inside_2_10.py makes it."""
    return {
        "width": image.width,
        "height": image.height,
        "base_type": image.base_type,
        "precision": image.precision,
        "colormap": packed(image.colormap),
        "selection": packed(image.selection.data) if any(image.selection.data) else "",
        "layers": [_layer(layer) for layer in image.layers],
        "active": image.active_layer.name if image.active_layer else "",
    }


def _layer(layer: Layer) -> dict[str, Any]:
    record: dict[str, Any] = {
        name: getattr(layer, name) for name in ("name", "width", "height", "type", "offsets")
    }
    record["lock_content"] = layer.lock_content
    record["mask"] = packed(layer.mask.data) if layer.mask else None
    if isinstance(layer, GroupLayer):
        record["children"] = [_layer(child) for child in layer.children]
    else:
        record["data"] = packed(layer.data)
    return record


def packed(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")
