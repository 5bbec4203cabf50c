"""What the user can choose: each procedure with its arguments, their defaults, ranges and labels.

The dialogs and the procedures of every host are built from ACTIONS, so that they cannot differ.
"""

from __future__ import absolute_import, division, unicode_literals

from .messages import JobOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Text, Tuple, Union  # noqa: F401 - in type comments

    Argument = Union["Choice", "Flag", "Share", "ModelName"]
    Values = Dict[Text, Any]

MENU = "Restore Old Photo"


class Choice(object):
    """One of several words.

    Args:
        name: the argument's name, words joined by hyphens.
        label: for the dialog, with the mnemonic's underscore.
        blurb: what it decides, one sentence.
        values: (word, label, explanation) for each possible value.
        default: the word that is chosen at first.
    """

    def __init__(self, name, label, blurb, values, default):
        # type: (Text, Text, Text, Tuple[Tuple[Text, Text, Text], ...], Text) -> None
        self.name = name
        self.label = label
        self.blurb = blurb
        self.values = values
        self.default = default


class Flag(object):
    """Yes or no."""

    def __init__(self, name, label, blurb, default):
        # type: (Text, Text, Text, bool) -> None
        self.name = name
        self.label = label
        self.blurb = blurb
        self.default = default


class Share(object):
    """A number in [0, 1]."""

    minimum = 0.0
    maximum = 1.0

    def __init__(self, name, label, blurb, default):
        # type: (Text, Text, Text, float) -> None
        self.name = name
        self.label = label
        self.blurb = blurb
        self.default = default


class ModelName(object):
    """The name of a model that the user imported; an empty one takes the weights' own network.

    It is no Choice: GIMP keeps a procedure's choices from the day it was registered, and models
    come and go. A dialog fills its list from `imported.names` each time.
    """

    default = ""

    def __init__(self, name, label, blurb):
        # type: (Text, Text, Text) -> None
        self.name = name
        self.label = label
        self.blurb = blurb


SCRATCHES = Choice(
    "scratches",
    "Scra_tches",
    "Where scratches, tears and spots are repaired",
    (
        ("automatic", "Find automatically", "Detect the damage and add the selection to it"),
        ("mask", "Selection or mask layer only", "Repair what is selected or painted, no more"),
        ("none", "Leave as they are", "Repair no scratches"),
    ),
    "automatic",
)
# A threshold of 0 would repair every pixel, so 0 is free to stand for the recommended value.
RECOMMENDED_THRESHOLD = 0.0
THRESHOLD = Share(
    "threshold",
    "Threshol_d (0 = recommended)",
    "Damage probability from which a pixel is repaired: a lower value finds more; "
    "0 takes the value recommended for the weights",
    RECOMMENDED_THRESHOLD,
)
WHOLE_PICTURE = Flag(
    "whole-picture",
    "Restore the _whole picture",
    "Remove fading, blur and noise everywhere, not just in the scratches",
    True,
)
CLEANING = Flag(
    "cleaning",
    "Remove grain and bl_ur",
    "With the whole picture: remove grain, blur and JPEG blocks",
    True,
)
TONE = Flag(
    "tone",
    "Restore tone and co_lour",
    "With the whole picture: undo fading, shading, stains and colour casts",
    True,
)
STRENGTH = Share(
    "strength",
    "Str_ength",
    "Share of the restoration outside the scratches that is applied: 0 leaves the picture as it is",
    1.0,
)
ENHANCE_FACES = Flag(
    "enhance-faces", "Enhance _faces", "Find faces and restore their details", True
)
WEIGHTS = Choice(
    "weights",
    "Wei_ghts",
    "The trained networks to use",
    (
        ("bundled", "Bundled", "The networks that come with the plug-in"),
        ("official", "Official", "The original authors' networks, if they are installed"),
    ),
    "bundled",
)
DEVICE = Choice(
    "device",
    "De_vice",
    "Where the networks run",
    (
        ("auto", "Automatic", "The fastest device that is present"),
        ("cpu", "Processor", "Slower, and works everywhere"),
        ("cuda", "Graphics card", "Needs a card that supports CUDA"),
    ),
    "auto",
)


# Named like the stages that the models serve.
INPAINTING = ModelName(
    "inpainting", "F_ill scratches with", "Imported model that fills scratches; empty: none"
)
DENOISING = ModelName(
    "denoising",
    "Remove _noise with",
    "Imported model that restores the whole picture in place of the weights; empty: none",
)
FACE_MODEL = ModelName(
    "faces",
    "Enh_ance faces with",
    "Imported model that enhances faces in place of the weights; empty: none",
)
MODEL_NAMES = (INPAINTING, DENOISING, FACE_MODEL)


class Action(object):
    """One menu entry and procedure.

    Args:
        name: the procedure's name.
        menu_label: with "..." when a dialog comes first.
        blurb: what it does, one sentence.
        arguments: what the user can choose.
        fixed: job options that this action does not leave to the user.
    """

    def __init__(self, name, menu_label, blurb, arguments, fixed):
        # type: (Text, Text, Text, Tuple[Argument, ...], Values) -> None
        self.name = name
        self.menu_label = menu_label
        self.blurb = blurb
        self.arguments = arguments
        self.fixed = fixed

    @property
    def has_dialog(self):
        # type: () -> bool
        return self.menu_label.endswith("...")

    @property
    def is_detection(self):
        # type: () -> bool
        """Whether the mask itself is the result; earlier masks are ignored then."""
        return not self.fixed.get("repair_scratches", True)

    def job_options(self, values):
        # type: (Values) -> JobOptions
        """The job's options from the arguments' values by name; absent ones keep their default."""
        chosen = {}  # type: Values
        for argument in self.arguments:
            value = values.get(argument.name, argument.default)
            if argument is THRESHOLD and value == RECOMMENDED_THRESHOLD:
                value = None
            chosen[argument.name.replace("-", "_")] = value
        chosen.update(self.fixed)
        options = JobOptions(**chosen)
        # A model that is remembered from another run does not matter where its stage is off.
        repairs = options.repair_scratches and options.scratches != "none"
        options.inpainting = (options.inpainting or None) if repairs else None
        cleans = options.whole_picture and options.cleaning
        options.denoising = (options.denoising or None) if cleans else None
        options.faces = (options.faces or None) if options.enhance_faces else None
        return options


RESTORE = Action(
    "plug-in-restore-old-photo",
    "_Restore...",
    "Repair scratches, restore faded colours and detail, and enhance the faces of an old photo",
    (
        SCRATCHES,
        THRESHOLD,
        WHOLE_PICTURE,
        CLEANING,
        TONE,
        STRENGTH,
        ENHANCE_FACES,
        WEIGHTS,
        DEVICE,
    )
    + MODEL_NAMES,
    {},
)
DETECT = Action(
    "plug-in-restore-old-photo-detect",
    "_Detect Scratches...",
    "Find scratches and mark them in a mask layer that you can correct before the repair",
    (THRESHOLD, WEIGHTS, DEVICE),
    {
        "scratches": "automatic",
        "repair_scratches": False,
        "whole_picture": False,
        "enhance_faces": False,
    },
)
REPAIR = Action(
    "plug-in-restore-old-photo-repair",
    "Repair _Scratches",
    "Repair what is selected or painted in the scratch mask layer, and nothing else",
    (WEIGHTS, DEVICE, INPAINTING),
    {
        "scratches": "mask",
        "repair_scratches": True,
        "whole_picture": False,
        "enhance_faces": False,
    },
)
FACES = Action(
    "plug-in-restore-old-photo-faces",
    "Enhance _Faces",
    "Find faces and restore their details, and nothing else",
    (WEIGHTS, DEVICE, FACE_MODEL),
    {
        "scratches": "none",
        "repair_scratches": False,
        "whole_picture": False,
        "enhance_faces": True,
    },
)
ACTIONS = (RESTORE, DETECT, REPAIR, FACES)
