"""What the user can choose: each procedure with its arguments, their defaults, ranges and labels.

The dialogs and the procedures of every host are built from ACTIONS, so that they cannot differ.
"""

from __future__ import absolute_import, division, unicode_literals

from .languages import N_
from .messages import JobOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Text, Tuple, Union  # noqa: F401 - in type comments

    Argument = Union["Choice", "Flag", "Share", "ModelName"]
    Values = Dict[Text, Any]

MENU_PATH = N_("<Image>/Filters/Restore Old Photo")


class Choice(object):
    """One of several words.

    Labels and sentences are English here and in the classes below, to be translated when shown.

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
    N_("Scra_tches"),
    N_("Where scratches, tears and spots are repaired"),
    (
        (
            "automatic",
            N_("Find automatically"),
            N_("Detect the damage and add the selection to it"),
        ),
        (
            "mask",
            N_("Selection or mask layer only"),
            N_("Repair what is selected or painted, no more"),
        ),
        ("none", N_("Leave as they are"), N_("Repair no scratches")),
    ),
    "automatic",
)
# A threshold of 0 would repair every pixel, so 0 is free to stand for the recommended value.
RECOMMENDED_THRESHOLD = 0.0
THRESHOLD = Share(
    "threshold",
    N_("Threshol_d (0 = recommended)"),
    N_(
        "Damage probability from which a pixel is repaired: a lower value finds more; "
        "0 takes the value recommended for the weights"
    ),
    RECOMMENDED_THRESHOLD,
)
WHOLE_PICTURE = Flag(
    "whole-picture",
    N_("Restore the _whole picture"),
    N_("Remove fading, blur and noise everywhere, not just in the scratches"),
    True,
)
CLEANING = Flag(
    "cleaning",
    N_("Remove grain and _blur"),
    N_("With the whole picture: remove grain, blur and JPEG blocks"),
    True,
)
TONE = Flag(
    "tone",
    N_("Restore tone and colo_ur"),
    N_("With the whole picture: undo fading, shading, stains and colour casts"),
    True,
)
STRENGTH = Share(
    "strength",
    N_("Str_ength"),
    N_(
        "Share of the restoration outside the scratches that is applied: 0 leaves the picture as "
        "it is"
    ),
    1.0,
)
ENHANCE_FACES = Flag(
    "enhance-faces", N_("Enhance _faces"), N_("Find faces and restore their details"), True
)
WEIGHTS = Choice(
    "weights",
    N_("Wei_ghts"),
    N_("The trained networks to use"),
    (
        ("bundled", N_("Bundled"), N_("The networks that come with the plug-in")),
        ("official", N_("Official"), N_("The original authors' networks, if they are installed")),
    ),
    "bundled",
)
DEVICE = Choice(
    "device",
    N_("De_vice"),
    N_("Where the networks run"),
    (
        ("auto", N_("Automatic"), N_("The fastest device that is present")),
        ("cpu", N_("Processor"), N_("Slower, and works everywhere")),
        ("cuda", N_("Graphics card"), N_("Needs a card that supports CUDA")),
    ),
    "auto",
)


# Named like the stages that the models serve.
INPAINTING = ModelName(
    "inpainting", N_("F_ill scratches with"), N_("Imported model that fills scratches; empty: none")
)
DENOISING = ModelName(
    "denoising",
    N_("Remove _noise with"),
    N_("Imported model that restores the whole picture in place of the weights; empty: none"),
)
FACE_MODEL = ModelName(
    "faces",
    N_("Enh_ance faces with"),
    N_("Imported model that enhances faces in place of the weights; empty: none"),
)
MODEL_NAMES = (INPAINTING, DENOISING, FACE_MODEL)


class Action(object):
    """One menu entry and procedure.

    Args:
        name: the procedure's name.
        title: for windows.
        menu_label: with "..." when a dialog comes first.
        blurb: what it does, one sentence.
        arguments: what the user can choose.
        fixed: job options that this action does not leave to the user.
    """

    def __init__(self, name, title, menu_label, blurb, arguments, fixed):
        # type: (Text, Text, Text, Text, Tuple[Argument, ...], Values) -> None
        self.name = name
        self.title = title
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
    N_("Restore Old Photo"),
    N_("_Restore..."),
    N_("Repair scratches, restore faded colours and detail, and enhance the faces of an old photo"),
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
    N_("Detect Scratches"),
    N_("_Detect Scratches..."),
    N_("Find scratches and mark them in a mask layer that you can correct before the repair"),
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
    N_("Repair Scratches"),
    N_("Repair _Scratches"),
    N_("Repair what is selected or painted in the scratch mask layer, and nothing else"),
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
    N_("Enhance Faces"),
    N_("Enhance _Faces"),
    N_("Find faces and restore their details, and nothing else"),
    (WEIGHTS, DEVICE, FACE_MODEL),
    {
        "scratches": "none",
        "repair_scratches": False,
        "whole_picture": False,
        "enhance_faces": True,
    },
)
ACTIONS = (RESTORE, DETECT, REPAIR, FACES)
