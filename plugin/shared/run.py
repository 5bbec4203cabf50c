"""The path of a photo through the plug-in, on one page: read, send, collect, insert.

The document is not touched before every layer is in memory, so that a failure, a cancel or a kill
at any earlier moment leaves it as it was.
"""

from __future__ import absolute_import, division, unicode_literals

from . import protocol
from .errors import Cancelled, JobError, PluginError
from .fields import is_model_name
from .host import GONE_BEFORE, GONE_MEANWHILE, Outcome, ResultLayer
from .languages import N_
from .masks import choose_mask
from .names import layer_name
from .sentences import from_backend, note_sentence

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, Dict, List, Optional, Text, Tuple  # noqa: F401

    from .client import Client  # noqa: F401
    from .host import Host, Picture, Watcher  # noqa: F401
    from .languages import Language  # noqa: F401
    from .messages import JobOptions  # noqa: F401
    from .options import Action, Values  # noqa: F401

    Connect = Callable[[Watcher], Client]

STARTING = N_("Starting the restoration program")
SENDING = N_("Sending the picture")
STAGE_SENTENCES = {
    "scratches": N_("Finding scratches"),
    "restoration": N_("Restoring the picture"),
    "faces": N_("Finding faces"),
    "enhancement": N_("Enhancing faces"),
    "blending": N_("Blending the faces in"),
}
RESTORED_BEFORE = N_(
    "The picture was restored before, and what is new lies above it in the photo's own tone: to "
    "have it in the restored tone, undo and choose Restore... again."
)
CHANGED_MEANWHILE = N_(
    "The photo was changed while it was being restored, and the new layers show it as it was "
    "before: if they do not fit, undo and run again."
)
NO_FACE = N_("No face was found, so the document is as it was.")
NO_SCRATCH = N_(
    "No scratches were found: choose a lower threshold to find more, or paint them white in the "
    "new mask layer."
)
MISTAKE = N_(
    "Restore Old Photo stopped because of a mistake in itself ({error}): the document is as it "
    "was; please report this."
)
# From the lowest to the highest layer.
STACKING = ("mask", "repair", "restored", "face")


def run(host, action, values, connect):
    # type: (Host, Action, Values, Connect) -> Optional[Any]
    """Do what `action` says with the host's source layer.

    Args:
        host: where the picture comes from and the layers go.
        action: the chosen menu entry.
        values: its arguments' values by name.
        connect: finds or starts the backend; called with the watcher, may take seconds.

    Returns:
        The inserted group, or None when there was nothing to insert.

    Raises:
        PluginError: one sentence for the user.
        Cancelled: the user stopped it; the document is as it was.
    """
    options = action.job_options(values)
    check_options(options)
    picture, mask = host.with_source(lambda: read(host, options, action.is_detection), GONE_BEFORE)
    language = host.language
    outcome = host.wait(lambda watcher: restore(picture, mask, options, connect, watcher, language))
    name_layers(outcome.layers, language)
    was_changed = bool(outcome.layers) and is_changed(host, picture)
    group = host.insert(picture, outcome) if outcome.layers else None
    if was_changed:
        host.tell(language.say(CHANGED_MEANWHILE))
    for sentence in remarks(outcome, action.is_detection, language):
        host.tell(sentence)
    is_part = any(result.layer.kind in ("repair", "face") for result in outcome.layers)
    if is_part and not options.whole_picture and host.shows_restored():
        host.tell(language.say(RESTORED_BEFORE))
    return group


def read(host, options, is_detection):
    # type: (Host, JobOptions, bool) -> Tuple[Picture, Optional[bytes]]
    """The picture and the mask to send; where scratches are looked for is put into the options.

    Raises:
        PluginError: there is no mask that could be meant, or the picture is too large.
    """
    picture = host.read_picture()
    mask, options.scratches = choose_mask(host, options, is_detection)
    header = picture.header(options, mask is not None)
    size = header.pixel_bytes + header.mask_bytes
    if size > protocol.MAX_PICTURE_BYTES:
        raise PluginError(
            "The layer has {size} megabytes of pixels, but at most {most} can be restored at a "
            "time: scale it down, or restore it in parts.",
            size=size // 1000000,
            most=protocol.MAX_PICTURE_BYTES // 1000000,
        )
    return picture, mask


def is_changed(host, picture):
    # type: (Host, Picture) -> bool
    """Whether the photo is another than was read: the user may paint, turn or convert it meanwhile.

    Raises:
        PluginError: it is gone.
    """
    now = host.with_source(host.read_picture, GONE_MEANWHILE)
    return not picture.is_same(now)


def remarks(outcome, is_detection, language):
    # type: (Outcome, bool, Language) -> List[Text]
    """What the user should be told besides the layers."""
    sentences = [note_sentence(note, language) for note in outcome.notes]
    if not outcome.layers:
        sentences.append(language.say(NO_FACE))
    elif is_detection and not any(bytearray(outcome.layers[0].pixels)):
        sentences.append(language.say(NO_SCRATCH))
    return sentences


def name_layers(results, language):
    # type: (List[ResultLayer], Language) -> None
    """Name the layers for the user; those of one kind are counted from the lowest."""
    counts = {}  # type: Dict[Text, int]
    for result in results:
        kind = result.layer.kind
        counts[kind] = counts.get(kind, 0) + 1
        result.name = layer_name(kind, counts[kind], language)


def check_options(options):
    # type: (JobOptions) -> None
    """Refuse choices that leave nothing to do, and names that no model has; scripts may give any.

    Raises:
        PluginError: scratches, whole picture and faces are all off, or a model cannot be there.
    """
    for model in (options.inpainting, options.denoising, options.faces):
        if model is not None and not is_model_name(model):
            raise from_backend(PluginError, "model-not-imported", "", {"model": model})
    if options.scratches == "none" and not (options.whole_picture or options.enhance_faces):
        raise PluginError(
            "There is nothing to do, because scratches, the whole picture and faces are all "
            "switched off: switch one of them on."
        )


def restore(picture, mask, options, connect, watcher, language):
    # type: (Picture, Optional[bytes], JobOptions, Connect, Watcher, Language) -> Outcome
    """Let the backend work, and return all its layers; touches no host.

    Raises:
        PluginError: one sentence for the user.
        Cancelled: the watcher said so.
    """
    watcher.show(language.say(STARTING), None)
    client = connect(watcher)
    stop_if_cancelled(watcher)
    watcher.show(language.say(SENDING), None)
    job = client.submit(picture.header(options, mask is not None), picture.pixels, mask)
    outcome = Outcome([], [], {}, "", options)
    events = client.events(job)
    try:
        for event in events:
            stop_if_cancelled(watcher)
            if isinstance(event, protocol.Progress):
                sentence = language.say(STAGE_SENTENCES[event.stage])
                watcher.show(sentence, event.overall)
            elif isinstance(event, protocol.Cancelled):
                # Not by this user: an installer or another plug-in has ended the backend.
                raise client.cut_off()
            elif event is not None:
                take(event, outcome, client, job)
    finally:
        # Closing the stream cancels a job that still runs.
        events.close()
    forget(client, job)
    outcome.layers.sort(key=lambda result: STACKING.index(result.layer.kind))
    return outcome


def take(event, outcome, client, job):
    # type: (Any, Outcome, Client, Text) -> None
    """Add one event, which is no progress, to the outcome.

    Raises:
        PluginError: the job failed.
    """
    if isinstance(event, protocol.Layer):
        body = client.layer(job, event.index)
        pixels, mask = protocol.split_pixels(event, body)
        outcome.layers.append(ResultLayer(event, pixels, mask))
    elif isinstance(event, protocol.Note):
        outcome.notes.append(event)
    elif isinstance(event, protocol.Done):
        outcome.seconds, outcome.model = event.seconds, event.model
    elif isinstance(event, protocol.Failed):
        raise from_backend(JobError, event.code, event.message, event.parameters)


def forget(client, job):
    # type: (Client, Text) -> None
    """Let the backend free a finished job's memory; everything is here already."""
    try:
        client.cancel(job)
    except PluginError:
        # It is gone, and its memory with it.
        pass


def stop_if_cancelled(watcher):
    # type: (Watcher) -> None
    if watcher.is_cancelled():
        raise Cancelled()
