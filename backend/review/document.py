"""A restored photo as layers that were switched and faded on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from backend.composition import put_layer
from backend.geometry import Box
from backend.images import Metadata, Picture, Pixels, as_depth, level_count
from backend.jobs import LayerData
from backend.results import LayerKind, ResultLayer
from plugin.shared import protocol

Name = Annotated[str, Field(max_length=80)]


class LayerNames(BaseModel):
    """What the layers of a file are called, in the user's language; those of the GIMP plug-in.

    Attributes:
        face: of one face; {number} counts from 1.
        flattened: of the finished picture, where a format wants it among the layers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: Name = "Restored photo"
    faces: Name = "Faces"
    face: Name = "Face {number}"
    repair: Name = "Scratch repair"
    restored: Name = "Restored"
    mask: Name = "Scratch mask"
    flattened: Name = "All layers together"


@dataclass(frozen=True)
class LayerView:
    """How the layers of one kind are seen; the opacity is a whole number from 0 to 100."""

    is_visible: bool = True
    opacity_percent: int = 100


@dataclass(frozen=True)
class Document:
    """A photo and the layers above it.

    Attributes:
        name: of the photo's file.
        picture: the photo.
        layers: bottom first.
        views: by kind of layer; the mask is never seen.
        names: of groups and layers.
    """

    name: str
    picture: Picture
    layers: Sequence[ResultLayer]
    views: Mapping[LayerKind, LayerView] = field(default_factory=dict)
    names: LayerNames = field(default_factory=LayerNames)

    def layer_name(self, layer: ResultLayer) -> str:
        """What a layer is called in the file."""
        if layer.kind != "face":
            return str(getattr(self.names, layer.kind))
        faces = [other.index for other in self.layers if other.kind == "face"]
        return self.names.face.replace("{number}", str(faces.index(layer.index) + 1))

    def view(self, layer: ResultLayer) -> LayerView:
        """How a layer is seen."""
        if layer.kind == "mask":
            return LayerView(is_visible=False)
        return self.views.get(layer.kind, LayerView())

    def flattened(self) -> Picture:
        """What is seen of all layers together, with the photo's metadata."""
        color = self.picture.color.copy()
        for layer in self.layers:
            if self.view(layer).is_visible:
                put_layer(color, layer, self.view(layer).opacity_percent)
        return self.picture.with_color(color)

    def layer_picture(self, layer: ResultLayer, opacity_percent: int = 100) -> Picture:
        """A layer by itself: its mask, the photo's alpha and the opacity become its alpha."""
        alpha = self._alpha(layer, opacity_percent)
        pixels = layer.pixels if alpha is None else np.concatenate([layer.pixels, alpha], axis=2)
        photo = self.picture.metadata
        # The mask is no picture, and a colour profile would change its levels.
        icc = None if layer.kind == "mask" else photo.icc
        return Picture(pixels, Metadata(icc=icc, dpi=photo.dpi))

    def _alpha(self, layer: ResultLayer, opacity_percent: int) -> Pixels | None:
        above = None if self.picture.alpha is None else self.picture.alpha[layer.box.slices]
        if layer.mask is None and above is None and opacity_percent == 100:
            return None
        share = np.full(layer.pixels.shape[:2], opacity_percent / 100)
        if layer.mask is not None:
            share *= layer.mask / 255
        if above is not None:
            share *= above / level_count(above)
        levels = np.round(share * level_count(layer.pixels))
        return as_depth(levels[..., None], like=layer.pixels)


def result_layers(header: protocol.RequestHeader, layers: Sequence[LayerData]) -> list[ResultLayer]:
    """A job's layers as arrays of the machine's own byte order."""
    return [_result_layer(header, data) for data in layers]


def _result_layer(header: protocol.RequestHeader, data: LayerData) -> ResultLayer:
    layer = data.layer
    shape = layer.height, layer.width
    pixels: Pixels
    if layer.depth == 8:
        pixels = np.frombuffer(data.parts[0], np.uint8)
    else:
        wire = np.dtype("<u2" if header.byte_order == "little" else ">u2")
        pixels = np.frombuffer(data.parts[0], wire).astype(np.uint16, copy=False)
    pixels = pixels.reshape(*shape, layer.channels)
    mask = np.frombuffer(data.parts[1], np.uint8).reshape(shape) if layer.has_mask else None
    box = Box(layer.x, layer.y, layer.x + layer.width, layer.y + layer.height)
    return ResultLayer(cast(LayerKind, layer.kind), layer.name, box, pixels, mask, layer.index)


def in_depth(layer: ResultLayer, like: Picture) -> ResultLayer:
    """A mask layer as a picture of the depth and colour model of `like`."""
    levels = layer.pixels.astype(np.uint32) * (level_count(like.pixels) // 255)
    return replace(
        layer, pixels=as_depth(np.repeat(levels, like.color.shape[2], axis=2), like.pixels)
    )
