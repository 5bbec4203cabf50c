"""Between HTTP jobs and the pipeline: bytes to pictures, events to messages, networks kept warm.

torch is imported with the pipeline, in a thread, after the server answers.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import re
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from backend import results
from backend.errors import Cancelled, DeviceError, OptionsError
from backend.images import Mask, Picture, Pixels
from backend.jobs import IsCancelled, LayerData, OnEvent
from backend.options import Options
from backend.runtime import log_file
from models.registry import WeightFileError, data_folder, resolve_weights
from models.stored import imported_models
from plugin.shared import protocol

if TYPE_CHECKING:
    from backend.networks import Networks

log = logging.getLogger(__name__)

_INSTALLED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_WAIT_SECONDS = 0.1


class Service:
    """Does jobs with the real pipeline. `restore` is for one thread, the rest for any."""

    def __init__(self) -> None:
        self._status = ("loading", "The networks' libraries are being read.")
        self._loader: threading.Thread | None = None
        self._networks: Networks | None = None
        self._networks_key: tuple[object, ...] = ()
        self._starting = threading.Lock()
        self._working = threading.Lock()

    def status(self) -> tuple[str, str]:
        """One of protocol.STATUSES, and a sentence when it is not ready."""
        return self._status

    def prepare(self) -> None:
        """Begin to import the pipeline and look for the weights, unless that is done."""
        with self._starting:
            is_loading = self._loader is not None and self._loader.is_alive()
            if self._status[0] != "ready" and not is_loading:
                self._loader = threading.Thread(target=self._load, name="loader", daemon=True)
                self._loader.start()

    def restore(
        self,
        header: protocol.RequestHeader,
        pixels: memoryview,
        mask: memoryview | None,
        on_event: OnEvent,
        is_cancelled: IsCancelled,
    ) -> protocol.Done:
        """Restore one picture.

        Args:
            header: what pixels and mask are, and what to do.
            pixels: header.pixel_bytes bytes in header.byte_order.
            mask: a byte a pixel, 255 = repair, 0 = keep.
            on_event: gets progress, notes and layers.
            is_cancelled: asked often.

        Raises:
            RestorationError: for the user to read.
            Cancelled: is_cancelled() said so.
        """
        self._wait_until_loaded(is_cancelled)
        from backend import pipeline

        options = _options(header.options)
        messages = _Messages(header, options, on_event)
        # Before the pixels of a large picture are looked at, which takes a moment.
        messages.send(results.Progress("scratches", 0.0))
        try:
            with self._working:
                result = pipeline.restore(
                    Picture(_pixels(header, pixels)),
                    _mask(header, mask),
                    options,
                    self._networks_for(options),
                    messages.send,
                    is_cancelled,
                )
        except DeviceError:
            # Most often the memory is too small; the next picture gets all that there is.
            self.unload()
            raise
        return protocol.Done({str(k): v for k, v in result.seconds.items()}, result.model)

    def unload(self) -> None:
        """Give the networks' memory back unless a job runs; the next job loads them again."""
        if not self._working.acquire(blocking=False):
            return
        try:
            if self._networks is not None:
                self._networks.unload()
            self._networks = None
        finally:
            self._working.release()
        _return_memory()

    def _load(self) -> None:
        try:
            import backend.pipeline  # noqa: F401 - imported for its time, which is torch's

            resolve_weights("bundled")
            self._status = ("ready", "")
        except WeightFileError as error:
            self._status = ("missing weights", str(error))
        except Exception as error:
            log.exception("The pipeline cannot be imported")
            self._status = (
                "error",
                f"The restoration program is damaged ({type(error).__name__}): install it again; "
                f"{log_file()} says more.",
            )

    def _wait_until_loaded(self, is_cancelled: IsCancelled) -> None:
        self.prepare()
        while self._loader is not None and self._loader.is_alive():
            if is_cancelled():
                raise Cancelled("The job was cancelled.")
            self._loader.join(_WAIT_SECONDS)

    def _networks_for(self, options: Options) -> Networks:
        from backend.memory import cache_bytes
        from backend.networks import Networks

        models = {model.name: model.sha256 for model in imported_models()}
        # A model that was imported anew under its name is another one.
        chosen = sorted((stage, name, models.get(name)) for stage, name in options.models.items())
        key = (options.weights, options.device, *_stamps(options.weights), *chosen)
        if self._networks is None or self._networks_key != key:
            # Two sets at once could be too much for the memory.
            if self._networks is not None:
                self._networks.unload()
            self._networks = None
            self._networks = Networks.for_options(options, cache_bytes=cache_bytes())
            self._networks_key = key
        return self._networks


def _stamps(weights: str) -> list[tuple[object, ...]]:
    """Which files a set has now; what was replaced since is another set."""
    try:
        files = resolve_weights(weights).files().values()
    except WeightFileError:
        return []  # Who loads them says what is wrong.
    stats = [(str(path), path.stat()) for path in files]
    return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in stats]


class _Messages:
    """Turns the pipeline's events into the protocol's, with the progress of the whole job."""

    def __init__(self, header: protocol.RequestHeader, options: Options, on_event: OnEvent) -> None:
        self._header = header
        self._on_event = on_event
        self._overall = 0.0
        self._stages = [stage for stage in protocol.STAGES if _is_planned(stage, options)]

    def send(self, event: results.Event) -> None:
        if isinstance(event, results.Progress):
            self._on_event(self._progress(event))
        elif isinstance(event, results.Note):
            self._on_event(protocol.Note(event.code, event.message, event.parameters))
        else:
            self._on_event(_layer(event.layer, self._header))

    def _progress(self, event: results.Progress) -> protocol.Progress:
        fraction = min(max(event.fraction, 0.0), 1.0)
        if event.stage in self._stages:
            shares = [results.STAGE_SHARES[stage] for stage in self._stages]
            position = self._stages.index(event.stage)
            done = sum(shares[:position]) + fraction * shares[position]
            self._overall = min(max(self._overall, done / sum(shares)), 1.0)
        return protocol.Progress(event.stage, fraction, self._overall)


def _return_memory() -> None:
    """Give freed memory back to the system; glibc by itself keeps a third of a GiB for later."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _is_planned(stage: str, options: Options) -> bool:
    if stage == "scratches":
        return options.scratches == "automatic"
    if stage == "restoration":
        return options.repair_scratches or options.whole_picture
    return options.enhance_faces


def _options(wire: protocol.JobOptions) -> Options:
    """The wire's options, with the name of an installed set of weights turned into its folder.

    Raises:
        OptionsError: a choice is out of range, or the weights' name could be a path.
    """
    weights = wire.weights
    if weights not in ("bundled", "official"):
        if not _INSTALLED_NAME.fullmatch(weights):
            raise OptionsError(
                f"The weights cannot be called {weights!r}: choose bundled, official or the name "
                "of an installed set."
            )
        weights = str(data_folder() / "weights" / weights)
    return Options(**{**vars(wire), "weights": weights})


def _pixels(header: protocol.RequestHeader, data: memoryview) -> Pixels:
    shape = (header.height, header.width, header.channels)
    if header.depth == 8:
        return np.frombuffer(data, np.uint8).reshape(shape)
    wire = np.frombuffer(data, _sixteen_bit(header))
    return wire.astype(np.uint16, copy=False).reshape(shape)


def _mask(header: protocol.RequestHeader, data: memoryview | None) -> Mask | None:
    if data is None:
        return None
    return np.frombuffer(data, np.uint8).reshape(header.height, header.width)


def _sixteen_bit(header: protocol.RequestHeader) -> np.dtype[np.uint16]:
    return np.dtype(np.uint16).newbyteorder("<" if header.byte_order == "little" else ">")


def _layer(layer: results.ResultLayer, header: protocol.RequestHeader) -> LayerData:
    height, width, channels = layer.pixels.shape
    pixels = layer.pixels
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(_sixteen_bit(header), copy=False)
    arrays = [pixels] if layer.mask is None else [pixels, layer.mask]
    return LayerData(
        protocol.Layer(
            index=layer.index,
            kind=layer.kind,
            name=layer.name,
            x=layer.box.x0,
            y=layer.box.y0,
            width=width,
            height=height,
            channels=channels,
            depth=8 * pixels.dtype.itemsize,
            has_mask=layer.mask is not None,
        ),
        # As bytes: a memoryview cannot cast samples of foreign byte order.
        tuple(np.ascontiguousarray(array).view(np.uint8).ravel().data for array in arrays),
    )
