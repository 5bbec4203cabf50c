"""What a client is told when a job fails."""

from __future__ import annotations

import logging

from backend.errors import RestorationError
from plugin.shared import protocol

log = logging.getLogger(__name__)

TOO_LARGE = (
    "The picture is too large for this computer's memory: close other programs, or scale it down, "
    "then try again."
)


def as_event(error: BaseException, log_name: str) -> protocol.Failed:
    """The last event of a job that failed; what nobody foresaw goes into the log, too.

    Args:
        error: that ended it.
        log_name: the log file, for the message.
    """
    if isinstance(error, RestorationError):
        return protocol.Failed(error.code, str(error), dict(error.parameters))
    log.error("A job failed", exc_info=error)
    if isinstance(error, MemoryError):
        return protocol.Failed("memory", TOO_LARGE)
    unexpected = RestorationError(
        "The restoration failed unexpectedly ({error}): try again, and if it happens again, "
        "report what {log} says.",
        code="unexpected",
        error=type(error).__name__,
        log=log_name,
    )
    return protocol.Failed(unexpected.code, str(unexpected), dict(unexpected.parameters))
