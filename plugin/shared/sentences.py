"""What the backend's codes mean: its messages travel as a code with parameters.

Each template is that of the backend itself, word for word; a test compares them. It sends its
sentence in English, too, which is shown where a code is unknown here or its parameters do not fit.
What no user of the plug-in can bring about, such as a wrong token, has no template.
"""

from __future__ import absolute_import, division, unicode_literals

from .languages import ENGLISH, N_, counted, placeholders

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Dict, Text, Tuple, Type, TypeVar  # noqa: F401

    from .errors import PluginError  # noqa: F401
    from .languages import Language  # noqa: F401
    from .messages import Note  # noqa: F401

    AnyError = TypeVar("AnyError", bound=PluginError)
    Parameters = Dict[Text, Any]

SENTENCES = {
    "attention-limited": N_(
        "The picture is so large that damaged places were compared with a part of it only."
    ),
    "bundled-weights-missing": N_(
        "The bundled weights are missing in {folder}: install Restore Old Photo again, or choose "
        "other weights."
    ),
    "busy": counted(
        "{count} photo is waiting already: try again when it is done.",
        "{count} photos are waiting already: try again when one is done.",
    ),
    "cuda-missing": N_(
        "CUDA cannot be used, because this computer shows no CUDA graphics card to torch: choose "
        "auto or cpu."
    ),
    "cuda-not-built": N_(
        "CUDA cannot be used, because the installed torch is built without CUDA: choose auto or "
        "cpu."
    ),
    "dlib-missing": N_(
        "The face detector dlib is missing: install the Python package dlib-bin or dlib, or "
        "switch the enhancement of faces off."
    ),
    "damage-too-large": N_(
        "Areas that may be damaged were left as they are, because they are too large to be filled "
        "well: paint them on the scratch mask if they shall be repaired."
    ),
    "damage-widespread": N_(
        "{percent} percent of the picture was taken for damage: if the scratch mask covers what "
        "belongs there, as the lines of a drawing or a table, correct it or repair no scratches."
    ),
    "face-skipped": N_(
        "A face at ({x}, {y}) was left as it is, because its features could not be located: it "
        "may be turned away or covered."
    ),
    "faces-small": N_(
        "Faces of less than {width} pixels width were enhanced only in part, because more would "
        "be invented: scan the photo larger if you can."
    ),
    "landmarks-missing": N_(
        "The face landmark model {file} is missing: install the Python package {package}, or "
        "switch the enhancement of faces off."
    ),
    "mask-covers-all": N_(
        "The mask covers the whole picture, so nothing is left to repair it from."
    ),
    "memory": N_(
        "The picture is too large for this computer's memory: close other programs, or scale it "
        "down, then try again."
    ),
    "memory-short": N_(
        "The memory did not suffice at first, so the picture is restored in smaller pieces, which "
        "takes longer."
    ),
    "model-computes-no-numbers": N_(
        "The {architecture} network computed values that are no numbers: its weights are damaged; "
        "get the file again from its publisher, and import it anew."
    ),
    "model-does-not-fit": N_(
        "The weights in {path} do not fit the network they resemble ({reason}): get the file "
        "again from its publisher."
    ),
    "model-file-missing": N_(
        "The file of the model '{model}' is missing: import it again, or remove it with "
        "'restore-old-photo models remove {model}'."
    ),
    "model-needs-torchvision": N_(
        "This network needs the Python package torchvision: install the one that was built for "
        "this torch, or choose another model."
    ),
    "model-not-imported": N_(
        "The model '{model}' was not imported: import it, or choose one that "
        "'restore-old-photo models list' shows."
    ),
    "model-of-another-stage": N_(
        "The model '{model}' serves {own_stage}, not {stage}: choose another one that "
        "'restore-old-photo models list' shows."
    ),
    "model-unknown": N_(
        "{path} holds none of the original's checkpoints, and no network that spandrel {version} "
        "knows: name another file."
    ),
    "official-weights-missing": N_(
        "There are no official weights in {folder}: get them with 'restore-old-photo models "
        "download official', name a folder that holds the published 'Global' and "
        "'Face_Enhancement', or choose the bundled weights."
    ),
    "out-of-memory": N_(
        "The memory is too small for this picture with these weights: make the picture smaller, "
        "close other programs, or choose the bundled weights."
    ),
    "spandrel-broken": N_(
        "The Python package spandrel cannot be loaded ({reason}): run: {command}"
    ),
    "spandrel-missing": N_(
        "Other people's models need the Python package spandrel, which is not installed: run: "
        "{command}"
    ),
    "statistics-reduced": N_(
        "Neither memory nor disk hold this picture's intermediate results, so its overall tone "
        "was estimated on a smaller copy."
    ),
    "unexpected": N_(
        "The restoration failed unexpectedly ({error}): try again, and if it happens again, "
        "report what {log} says."
    ),
    "unknown-job": N_("This job is not known: it was forgotten, or never was."),
    "unknown-layer": N_(
        "The job has no layer {index}: it is not ready yet, or the job was cancelled."
    ),
    "weights-damaged": N_(
        "The weight file {path} is damaged or not one of Restore Old Photo's ({reason}): install "
        "Restore Old Photo again, or choose other weights."
    ),
    "weights-file-gone": N_(
        "The weight file {file} is missing in {folder}: install Restore Old Photo again, or "
        "choose other weights."
    ),
    "weights-file-missing": N_(
        "The weight file {file} for {network} is missing: put it into {folder}, or choose other "
        "weights."
    ),
    "weights-incomplete": N_(
        "The weight file {path} is incomplete, or holds something other than numbers ({reason}): "
        "get it again from its publisher."
    ),
    "weights-lack-network": N_(
        "The weights '{weights}' have no network for {network}: choose other weights."
    ),
    "weights-no-arrays": N_(
        "The weight file {path} is not a list of named arrays: check that the right file lies "
        "there."
    ),
    "weights-of-another-network": N_(
        "The weight file {path} belongs to another network ({reason}): check that the right file "
        "lies there."
    ),
    "weights-too-new": N_(
        "The weights for {network} describe a network this version cannot build ({reason}): "
        "update Restore Old Photo, or choose other weights."
    ),
}  # type: Dict[Text, Any]


def from_backend(kind, code, message, parameters):
    # type: (Type[AnyError], Text, Text, Parameters) -> AnyError
    """The error of a kind that a message of the backend stands for."""
    template, values = wording(code, message, parameters)
    return kind(template, code, **values)


def note_sentence(note, language):
    # type: (Note, Language) -> Text
    """A note of the backend in the user's language."""
    template, values = wording(note.code, note.message, note.parameters)
    return language.say(template, **values)


def wording(code, message, parameters):
    # type: (Text, Text, Parameters) -> Tuple[Any, Parameters]
    """A code's template and its values, or the backend's own sentence as it is."""
    template = SENTENCES.get(code)
    if template is None:
        return message, {}
    forms = template if isinstance(template, tuple) else (template,)
    try:
        values = {name: parameters[name] for form in forms for name in placeholders(form)}
        ENGLISH.say(template, **values)
    except (KeyError, ValueError):
        return message, {}
    return template, values
