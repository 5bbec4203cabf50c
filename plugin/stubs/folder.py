"""An image as a folder: document.json with the layer tree, and a PNG for each layer and mask.

The samples are exactly those of the image, so a folder that was written can be read, changed with
any tool, and restored again.
"""

from __future__ import absolute_import, division, unicode_literals

import io
import json
import os

from . import png
from .constants import (
    GRAY,
    INDEXED,
    LAYER_MODE_NORMAL,
    PRECISION_U8_GAMMA,
    PRECISION_U16_GAMMA,
    RGB,
)
from .document import Image
from .items import CHANNELS, WITH_ALPHA, Channel, GroupLayer, Layer, Parasite

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Dict, Optional, Text  # noqa: F401

    from .items import Drawable  # noqa: F401

DOCUMENT = "document.json"
_PRECISIONS = {8: PRECISION_U8_GAMMA, 16: PRECISION_U16_GAMMA}


class FolderError(ValueError):
    """The folder holds no document; the message says why."""


def image_of(picture):
    # type: (png.Png) -> Image
    """A new image with the picture as its only layer, as GIMP opens a file."""
    base = INDEXED if picture.palette else (GRAY if picture.channels < 3 else RGB)
    image = Image(picture.width, picture.height, base, _PRECISIONS[picture.depth])
    image.colormap = picture.palette
    layer = Layer(image, "Background", picture.width, picture.height, _kind(base, picture))
    layer.data = picture.data
    _put(image, layer, None)
    return image


def _kind(base, picture):
    # type: (int, png.Png) -> int
    return 2 * base + (1 if picture.channels in (2, 4) else 0)


def load(folder):
    # type: (Text) -> Image
    """The image in a folder.

    Raises:
        EnvironmentError: a file cannot be read.
        FolderError: document.json is none.
        png.PngError: a layer's file is none.
    """
    try:
        with io.open(os.path.join(folder, DOCUMENT), encoding="utf-8") as file:
            record = json.load(file)
        image = Image(record["width"], record["height"], record["base_type"], record["precision"])
        image.colormap = bytes(bytearray(record.get("colormap", ())))
        for entry in record["layers"]:
            _load_layer(folder, image, None, entry)
        if record.get("selection"):
            image.selection.data = _samples(folder, record["selection"], image.selection)
        chosen = record.get("active")
        image.active_layer = next((x for x in image.all_layers() if x.tattoo == chosen), None)
    except (KeyError, TypeError, ValueError) as damage:
        if isinstance(damage, png.PngError):
            raise
        raise FolderError("%s in %s is damaged (%r): write it anew." % (DOCUMENT, folder, damage))
    if image.active_layer is None and image.layers:
        image.active_layer = image.layers[0]
    del image.undo_steps[:]
    return image


def _load_layer(folder, image, parent, entry):
    # type: (Text, Image, Optional[GroupLayer], Dict[Text, Any]) -> None
    if entry.get("children") is not None:
        layer = GroupLayer(image, entry["name"])  # type: Layer
    else:
        picture = png.read(os.path.join(folder, entry["pixels"]))
        kind = _kind(image.base_type, picture)
        layer = Layer(image, entry["name"], picture.width, picture.height, kind)
        layer.set_offsets(*entry.get("offsets", (0, 0)))
        layer.data = _samples(folder, entry["pixels"], layer)
    layer.tattoo = entry.get("tattoo", layer.tattoo)
    layer.mode = entry.get("mode", LAYER_MODE_NORMAL)
    for name in ("visible", "opacity", "lock_content", "composite_space"):
        setattr(layer, name, entry.get(name, getattr(layer, name)))
    for name, text in entry.get("parasites", {}).items():
        layer.parasites[name] = Parasite(name, 1, text.encode("ascii"))
    _put(image, layer, parent)
    for child in entry.get("children") or ():
        _load_layer(folder, image, layer, child)  # type: ignore[arg-type]
    if entry.get("mask"):
        mask = layer.create_mask(0)
        mask.data = _samples(folder, entry["mask"], mask)
        layer.add_mask(mask)


def _put(image, layer, parent):
    # type: (Image, Layer, Optional[GroupLayer]) -> None
    image.insert(layer, parent, len(image.siblings(parent)))
    image._last_number = max(image._last_number, layer.tattoo)
    del image.undo_steps[:]


def _samples(folder, name, drawable):
    # type: (Text, Text, Drawable) -> bytearray
    """A file's samples; they must be just what the drawable holds."""
    data = png.read(os.path.join(folder, name)).data
    if len(data) != drawable.width * drawable.height * drawable.bpp:
        raise FolderError(
            "%s has not the size and depth of %s: save it like its image." % (name, drawable.name)
        )
    return data


def save(image, folder):
    # type: (Image, Text) -> None
    """Write an image; the folder is made if it is missing.

    Raises:
        EnvironmentError: a file cannot be written.
    """
    if not os.path.isdir(folder):
        os.makedirs(folder)
    active = image.active_layer
    record = {
        "width": image.width,
        "height": image.height,
        "base_type": image.base_type,
        "precision": image.precision,
        "colormap": list(bytearray(image.colormap)) if image.base_type == INDEXED else [],
        "active": active.tattoo if active is not None else None,
        "selection": "",
        "undo": image.undo_steps,
        "layers": [_record_of(image, layer, folder) for layer in image.layers],
    }
    if any(image.selection.data):
        record["selection"] = "selection.png"
        _save_samples(image, image.selection, os.path.join(folder, "selection.png"))
    text = json.dumps(record, indent=1, sort_keys=True)
    with io.open(os.path.join(folder, DOCUMENT), "wb") as file:
        file.write(text.encode("ascii"))


def _record_of(image, layer, folder):
    # type: (Image, Layer, Text) -> Dict[Text, Any]
    record = {
        name: getattr(layer, name)
        for name in ("name", "tattoo", "visible", "opacity", "mode", "lock_content", "offsets")
    }
    record.update(size=[layer.width, layer.height], composite_space=layer.composite_space)
    parasites = {name: each.data.decode("ascii") for name, each in layer.parasites.items()}
    record["parasites"] = parasites
    if isinstance(layer, GroupLayer):
        record["children"] = [_record_of(image, child, folder) for child in layer.children]
    else:
        record["pixels"] = "layer-%d.png" % layer.tattoo
        _save_samples(image, layer, os.path.join(folder, record["pixels"]))
    if layer.mask is not None:
        record["mask"] = "layer-%d-mask.png" % layer.tattoo
        _save_samples(image, layer.mask, os.path.join(folder, record["mask"]))
    return record


def _save_samples(image, drawable, path):
    # type: (Image, Drawable, Text) -> None
    channels, depth = CHANNELS[drawable.type], 8 * image.sample_bytes
    is_numbers = image.base_type == INDEXED and not isinstance(drawable, Channel)
    if is_numbers and drawable.type in WITH_ALPHA:
        raise FolderError("An indexed layer with alpha has no PNG: convert the image to RGB.")
    palette = image.colormap if is_numbers else b""
    png.write(
        path, png.Png(drawable.width, drawable.height, channels, depth, drawable.data, palette)
    )
