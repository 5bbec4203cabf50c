"""Which models the user has imported, as the records in the data folder say."""

from __future__ import absolute_import, division, unicode_literals

import io
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Text  # noqa: F401 - named in type comments


def names(home, stage):
    # type: (Text, Text) -> List[Text]
    """The imported models for a stage, sorted.

    Args:
        home: the data folder; a sandboxed GIMP may not see it, and then there are none.
        stage: "inpainting", "denoising" or "faces".
    """
    folder = os.path.join(home, "weights", "imported")
    try:
        files = sorted(os.listdir(folder))
    except EnvironmentError:
        return []
    return [
        name
        for name, extension in map(os.path.splitext, files)
        if extension == ".json" and _stage_of(os.path.join(folder, name + extension)) == stage
    ]


def _stage_of(path):
    # type: (Text) -> Text
    try:
        with io.open(path, encoding="utf-8") as file:
            return "%s" % json.load(file)["stage"]
    except (EnvironmentError, ValueError, KeyError, TypeError):
        return ""
