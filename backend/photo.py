"""One photo from its pixels to the picture that is saved, for the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.files import check_fits
from backend.images import Mask, Picture
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import OnEvent, Result
from backend.stages.enlargement import enlarge


def restore_photo(
    picture: Picture, mask: Mask | None, options: Options, networks: Networks, on_event: OnEvent
) -> tuple[Picture, Result]:
    """Restore a photo, and enlarge it where that was chosen; see `pipeline.restore`.

    Returns:
        What is to be saved, with the photo's metadata, and what was found on the way.
    """
    result = restore(picture, mask, options, networks, on_event, lambda: False)
    final = Picture(result.final, picture.metadata)
    if options.enlargement is not None:
        final = enlarge(final, networks, Monitor("enlargement", on_event, lambda: False))
    return final, result


def check_result_fits(picture: Picture, networks: Networks, options: Options, path: Path) -> None:
    """Raises InputError when the format that `path` names cannot hold the result."""
    scale = 1 if options.enlargement is None else networks.model("enlargement").scale
    height, width, channels = picture.pixels.shape
    one = np.zeros((1, 1, channels), dtype=picture.pixels.dtype)
    # Takes no memory.
    sketch = np.broadcast_to(one, (height * scale, width * scale, channels))
    check_fits(Picture(sketch, picture.metadata), path)


def found_in_words(result: Result) -> str:
    """For example "scratches on 1.2%, 2 faces"; what was not looked for is not mentioned."""
    words = []
    for layer in result.layers:
        if layer.kind == "mask":
            share = np.count_nonzero(layer.pixels >= 128) / layer.pixels.size
            words.append(f"scratches on {share:.1%}")
    if "faces" in result.seconds:
        words.append(faces_in_words(sum(layer.kind == "face" for layer in result.layers)))
    return ", ".join(words) or "nothing looked for"


def faces_in_words(count: int) -> str:
    return {0: "no face", 1: "1 face"}.get(count, f"{count} faces")
