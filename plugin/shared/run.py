"""The path of a photo through the plug-in, on one page: read, send, collect, insert.

The document is not touched before every layer is in memory, so that a failure, a cancel or a kill
at any earlier moment leaves it as it was.
"""

from __future__ import absolute_import, division, unicode_literals

from . import protocol
from .errors import Cancelled, JobError, PluginError
from .host import Outcome, ResultLayer
from .masks import choose_mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, List, Optional, Text  # noqa: F401

    from .client import Client  # noqa: F401
    from .host import Host, Picture, Watcher  # noqa: F401
    from .messages import JobOptions  # noqa: F401
    from .options import Action, Values  # noqa: F401

    Connect = Callable[[Watcher], Client]

STARTING = "Starting the restoration program"
SENDING = "Sending the picture"
STAGE_SENTENCES = {
    "scratches": "Finding scratches",
    "restoration": "Restoring the picture",
    "faces": "Finding faces",
    "enhancement": "Enhancing faces",
    "blending": "Blending the faces in",
}
# From the lowest to the highest layer.
STACKING = ("mask", "restored", "repair", "face")


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
    picture = host.read_picture()
    mask, options.scratches = choose_mask(host, options, action.is_detection)
    outcome = host.wait(lambda watcher: restore(picture, mask, options, connect, watcher))
    group = host.insert(outcome) if outcome.layers else None
    for sentence in remarks(outcome, action.is_detection):
        host.tell(sentence)
    return group


def remarks(outcome, is_detection):
    # type: (Outcome, bool) -> List[Text]
    """What the user should be told besides the layers."""
    sentences = [note.message for note in outcome.notes]
    if not outcome.layers:
        sentences.append("No face was found, so the document is as it was.")
    elif is_detection and not any(bytearray(outcome.layers[0].pixels)):
        sentences.append(
            "No scratches were found: choose a lower threshold to find more, or paint them white "
            "in the new mask layer."
        )
    return sentences


def check_options(options):
    # type: (JobOptions) -> None
    """Refuse choices that leave nothing to do.

    Raises:
        PluginError: scratches, whole picture and faces are all off.
    """
    if options.scratches == "none" and not (options.whole_picture or options.enhance_faces):
        raise PluginError(
            "There is nothing to do, because scratches, the whole picture and faces are all "
            "switched off: switch one of them on."
        )


def restore(picture, mask, options, connect, watcher):
    # type: (Picture, Optional[bytes], JobOptions, Connect, Watcher) -> Outcome
    """Let the backend work, and return all its layers; touches no host.

    Raises:
        PluginError: one sentence for the user.
        Cancelled: the watcher said so.
    """
    watcher.show(STARTING, None)
    client = connect(watcher)
    stop_if_cancelled(watcher)
    watcher.show(SENDING, None)
    job = client.submit(picture.header(options, mask is not None), picture.pixels, mask)
    outcome = Outcome([], [], {}, "", options)
    events = client.events(job)
    try:
        for event in events:
            stop_if_cancelled(watcher)
            if event is not None:
                take(event, outcome, client, job, watcher)
    finally:
        # Closing the stream cancels a job that still runs.
        events.close()
    forget(client, job)
    outcome.layers.sort(key=lambda result: STACKING.index(result.layer.kind))
    return outcome


def take(event, outcome, client, job, watcher):
    # type: (Any, Outcome, Client, Text, Watcher) -> None
    """Add one event to the outcome.

    Raises:
        PluginError: the job failed.
        Cancelled: the job was stopped.
    """
    if isinstance(event, protocol.Progress):
        watcher.show(STAGE_SENTENCES[event.stage], event.overall)
    elif isinstance(event, protocol.Layer):
        body = client.layer(job, event.index)
        pixels, mask = protocol.split_pixels(event, body)
        outcome.layers.append(ResultLayer(event, pixels, mask))
    elif isinstance(event, protocol.Note):
        outcome.notes.append(event)
    elif isinstance(event, protocol.Done):
        outcome.seconds, outcome.model = event.seconds, event.model
    elif isinstance(event, protocol.Failed):
        raise JobError(event.message, event.code)
    elif isinstance(event, protocol.Cancelled):
        raise Cancelled()


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
