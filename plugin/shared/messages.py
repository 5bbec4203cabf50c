"""The values that travel between the plug-in and the backend; protocol.py turns them into bytes.

They are plain and unchecked: protocol.py checks them where they are sent and where they arrive.
"""

from __future__ import absolute_import, division, unicode_literals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Text  # noqa: F401 - named in type comments

STAGES = ("scratches", "restoration", "faces", "enhancement", "blending")
LAYER_KINDS = ("mask", "repair", "restored", "face")
STATUSES = ("loading", "ready", "missing weights", "error")


class _Value(object):
    """Equality and text from the attributes."""

    # Values are compared, never used as keys.
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other):
        # type: (object) -> bool
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __ne__(self, other):
        # type: (object) -> bool
        return not self == other

    def __repr__(self):
        # type: () -> str
        # A token must never reach a log.
        facts = ["%s=%r" % (k, v) for k, v in sorted(self.__dict__.items()) if k != "token"]
        return str("%s(%s)" % (type(self).__name__, ", ".join(facts)))


class JobOptions(_Value):
    """What to do with a picture; the backend's own options say what each choice means.

    Args:
        scratches: "automatic", "mask" or "none".
        threshold: damage probability from which a place, or by weights without a judge of places a
            pixel, is repaired, in [0, 1]; None takes the value recommended for the weights.
        cleaning: with the whole picture, remove grain, blur and JPEG blocks.
        tone: with the whole picture, undo fading, shading and casts.
        strength: share of both that is applied, in [0, 1].
        weights: "bundled", "official" or the name of an installed set; never a path.
        device: "auto", "cpu" or "cuda".
        inpainting: name of an imported model that fills scratches; None takes the weights' way.
        denoising: the same for the whole picture.
        faces: the same for faces.
    """

    def __init__(
        self,
        scratches="automatic",  # type: Text
        threshold=None,  # type: Optional[float]
        repair_scratches=True,  # type: bool
        whole_picture=True,  # type: bool
        cleaning=True,  # type: bool
        tone=True,  # type: bool
        strength=1.0,  # type: float
        enhance_faces=True,  # type: bool
        weights="bundled",  # type: Text
        device="auto",  # type: Text
        inpainting=None,  # type: Optional[Text]
        denoising=None,  # type: Optional[Text]
        faces=None,  # type: Optional[Text]
    ):
        # type: (...) -> None
        self.scratches = scratches
        self.threshold = threshold
        self.repair_scratches = repair_scratches
        self.whole_picture = whole_picture
        self.cleaning = cleaning
        self.tone = tone
        self.strength = strength
        self.enhance_faces = enhance_faces
        self.weights = weights
        self.device = device
        self.inpainting = inpainting
        self.denoising = denoising
        self.faces = faces


class _Raster(_Value):
    """The size and sample format shared by requests and layers."""

    def __init__(self, width, height, channels, depth, has_mask):
        # type: (int, int, int, int, bool) -> None
        self.width = width
        self.height = height
        self.channels = channels
        self.depth = depth
        self.has_mask = has_mask

    @property
    def pixel_bytes(self):
        # type: () -> int
        return self.width * self.height * self.channels * (self.depth // 8)

    @property
    def mask_bytes(self):
        # type: () -> int
        return self.width * self.height if self.has_mask else 0


class RequestHeader(_Raster):
    """A job's picture, described.

    Args:
        width: in pixels.
        height: in pixels.
        channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha; gamma-encoded sRGB, alpha
            not premultiplied.
        depth: bits in a sample, 8 or 16.
        has_mask: whether width * height bytes follow the pixels; 255 = repair, 0 = keep.
        options: what to do.
        byte_order: of 16-bit samples, here and in the job's layers; "little" or "big".
    """

    def __init__(
        self, width, height, channels, depth, has_mask=False, options=None, byte_order="little"
    ):
        # type: (int, int, int, int, bool, Optional[JobOptions], Text) -> None
        _Raster.__init__(self, width, height, channels, depth, has_mask)
        self.options = JobOptions() if options is None else options
        self.byte_order = byte_order


class Progress(_Value):
    """How far the job is: `fraction` of the stage and `overall`, both in [0, 1]."""

    def __init__(self, stage, fraction, overall):
        # type: (Text, float, float) -> None
        self.stage = stage
        self.fraction = fraction
        self.overall = overall


class Layer(_Raster):
    """A result layer that can be fetched.

    Args:
        index: its number in the job, from 0.
        kind: one of LAYER_KINDS.
        name: for the user, in English.
        x: the left edge in the picture, in pixels.
        y: the top edge in the picture, in pixels.
    """

    def __init__(self, index, kind, name, x, y, width, height, channels, depth, has_mask):
        # type: (int, Text, Text, int, int, int, int, int, int, bool) -> None
        _Raster.__init__(self, width, height, channels, depth, has_mask)
        self.index = index
        self.kind = kind
        self.name = name
        self.x = x
        self.y = y


class Note(_Value):
    """Something the user should know although the job goes on.

    Args:
        code: says which sentence it is, in whatever language.
        message: the sentence in English.
        parameters: the values in it, text or numbers by name.
    """

    def __init__(self, code, message, parameters=None):
        # type: (Text, Text, Optional[Dict[Text, Any]]) -> None
        self.code = code
        self.message = message
        self.parameters = {} if parameters is None else parameters


class Done(_Value):
    """The job is finished; `seconds` by stage, and the name of the `model`."""

    def __init__(self, seconds, model):
        # type: (Dict[Text, float], Text) -> None
        self.seconds = seconds
        self.model = model


class Failed(_Value):
    """The job ended without a result; code, message and parameters are those of a Note."""

    def __init__(self, code, message, parameters=None):
        # type: (Text, Text, Optional[Dict[Text, Any]]) -> None
        self.code = code
        self.message = message
        self.parameters = {} if parameters is None else parameters


class Cancelled(_Value):
    """The job was stopped."""


class Health(_Value):
    """The backend's state, one of STATUSES; `detail` is a sentence when it is not ready."""

    def __init__(self, status, version, protocol, pid, detail):
        # type: (Text, Text, int, int, Text) -> None
        self.status = status
        self.version = version
        self.protocol = protocol
        self.pid = pid
        self.detail = detail


class Runtime(_Value):
    """Where a running backend is found; `started` in seconds since 1970."""

    def __init__(self, pid, started, port, token, protocol, version):
        # type: (int, float, int, Text, int, Text) -> None
        self.pid = pid
        self.started = started
        self.port = port
        self.token = token
        self.protocol = protocol
        self.version = version
