"""Write OpenRaster: layers as PNG in a zip, which GIMP, Krita and MyPaint open.

Source: the OpenRaster file layout and layer stack specifications 0.0.6 (freedesktop.org).
"""

from __future__ import annotations

import zipfile
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from backend.files import write_picture
from backend.images import Picture, to_eight_bit
from backend.results import ResultLayer
from backend.review.document import Document

MIME_TYPE = "image/openraster"
THUMBNAIL_SIDE = 256
ZIP32_BYTES = 2_000_000_000
"""Larger entries need the zip's 64-bit form, which older readers do not know."""


def write_openraster(document: Document, stream: BinaryIO) -> None:
    """Write all layers, the hidden ones too, as a group above the photo."""
    # PNG is compressed already.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        # The specification wants it first: a reader finds it at a fixed place.
        archive.writestr("mimetype", MIME_TYPE)
        root = _stack(document, archive)
        merged = document.flattened()
        _write_png(archive, "mergedimage.png", merged)
        _write_png(archive, "Thumbnails/thumbnail.png", _thumbnail(merged))
        archive.writestr(
            "stack.xml", ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        )


def _stack(document: Document, archive: zipfile.ZipFile) -> ElementTree.Element:
    size, dpi = document.picture.size, document.picture.metadata.dpi
    facts = {"version": "0.0.6", "w": str(size.width), "h": str(size.height)}
    if dpi is not None:
        facts |= {"xres": str(round(dpi[0])), "yres": str(round(dpi[1]))}
    root = ElementTree.Element("image", facts)
    stack = ElementTree.SubElement(root, "stack")
    group = ElementTree.SubElement(stack, "stack", {"name": document.names.group})
    # From the top down, as the format lists them.
    faces = [layer for layer in reversed(document.layers) if layer.kind == "face"]
    if faces:
        parent = ElementTree.SubElement(group, "stack", {"name": document.names.faces})
        for layer in faces:
            _add_layer(document, archive, parent, layer)
    for layer in reversed(document.layers):
        if layer.kind != "face":
            _add_layer(document, archive, group, layer)
    _write_png(archive, "data/photo.png", document.picture)
    ElementTree.SubElement(
        stack, "layer", {"name": document.name, "src": "data/photo.png", "x": "0", "y": "0"}
    )
    return root


def _add_layer(
    document: Document,
    archive: zipfile.ZipFile,
    parent: ElementTree.Element,
    layer: ResultLayer,
) -> None:
    view, path = document.view(layer), f"data/{layer.index:03d}-{layer.kind}.png"
    _write_png(archive, path, document.layer_picture(layer))
    facts = {
        "name": document.layer_name(layer),
        "src": path,
        "x": str(layer.box.x0),
        "y": str(layer.box.y0),
        "opacity": f"{view.opacity_percent / 100:g}",
        "visibility": "visible" if view.is_visible else "hidden",
        "composite-op": "svg:src-over",
    }
    ElementTree.SubElement(parent, "layer", facts)


def _write_png(archive: zipfile.ZipFile, path: str, picture: Picture) -> None:
    is_large = picture.pixels.nbytes > ZIP32_BYTES
    with archive.open(path, "w", force_zip64=is_large) as stream:
        write_picture(picture, "PNG", stream)  # type: ignore[arg-type]


def _thumbnail(picture: Picture) -> Picture:
    pixels = to_eight_bit(picture.pixels)
    image = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    small = np.asarray(image)
    return Picture(small if small.ndim == 3 else small[..., None])
