"""Write the layers as pages of a TIFF, which GIMP opens as layers with their names and places.

TIFF pages have neither opacity nor a way to be hidden: what was faded gets the alpha for it, what
was switched off is left out, and the scratch mask lies below the opaque photo. The first page is
the finished picture, because it is the only one that most programs show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from backend.errors import InputError
from backend.files_metadata import fitting_profile
from backend.files_tiff_writer import MOST_BYTES, Layer, write_tiff_pages
from backend.images import Metadata, Picture
from backend.review.document import Document, in_depth

Page = tuple[Picture, bytes | None, Layer | None]


def write_layered_tiff(document: Document, stream: BinaryIO) -> None:
    """Write finished picture, mask, photo and visible layers, the lowest first.

    Raises:
        InputError: together they are too large for TIFF.
    """
    pages = list(_pages(document))
    if sum(picture.pixels.nbytes for picture, _, _ in pages) > MOST_BYTES:
        raise InputError(
            "The layers together are too large for TIFF: save them as OpenRaster.",
            code="layers-too-large",
        )
    write_tiff_pages(pages, stream)


def _pages(document: Document) -> Iterator[Page]:
    yield _page(document.flattened(), document.names.flattened)
    for layer in document.layers:
        if layer.kind == "mask":
            # All pages must be of one colour model for GIMP to put them into one document.
            mask = in_depth(layer, document.picture)
            yield _page(document.layer_picture(mask), document.layer_name(layer))
    photo = replace(document.picture, metadata=_shared(document))
    yield _page(photo, document.name)
    for layer in document.layers:
        view = document.view(layer)
        if view.is_visible:
            picture = document.layer_picture(layer, view.opacity_percent)
            yield _page(picture, document.layer_name(layer), layer.box.x0, layer.box.y0)


def _page(picture: Picture, name: str, left: int = 0, top: int = 0) -> Page:
    profile = fitting_profile(picture.metadata, picture.pixels.shape[2])
    return picture, profile, Layer(name, left, top)


def _shared(document: Document) -> Metadata:
    """What every page says; the rest stands on the first."""
    return Metadata(icc=document.picture.metadata.icc, dpi=document.picture.metadata.dpi)
