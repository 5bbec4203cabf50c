"""What can go wrong in the backend, in one tree.

RestorationError             anything a user should read: what, why, what to do next
├── InputError               the picture, mask or file cannot be used
├── OptionsError             a choice is out of range or two choices exclude each other
├── WeightsError             a weight file is missing, damaged or of another network
├── DownloadError            a file cannot be fetched or stored
├── DeviceError              the chosen device is absent or out of memory
└── Cancelled                the user stopped the job; not a failure
"""

from __future__ import annotations

from models.registry import WeightFileError


class RestorationError(Exception):
    """A failure whose message is one sentence for the user.

    Args:
        message: what happened, why, and what to do next; with {names} for the parameters, if any.
        code: a stable word for programs and translations, for example "mask-size".
        parameters: the values that the message names.
    """

    default_code = "restoration-failed"

    def __init__(
        self, message: str, *, code: str | None = None, **parameters: str | int | float
    ) -> None:
        super().__init__(message.format(**parameters) if parameters else message)
        self.code = code or self.default_code
        self.parameters = parameters


def refused(error: OSError) -> RestorationError:
    """What to say where the system stands in the way of something that nobody foresaw."""
    return RestorationError(
        f"The system refused something ({error}): check names, disk and permissions.",
        code="system-refused",
    )


class InputError(RestorationError):
    """The picture, mask or file cannot be used."""

    default_code = "input"


class OptionsError(RestorationError):
    """A choice is out of range, or two choices exclude each other."""

    default_code = "options"


class WeightsError(RestorationError):
    """A weight file is missing, damaged, or belongs to another network."""

    default_code = "weights"

    @classmethod
    def of(cls, error: WeightFileError) -> WeightsError:
        """The same failure as an error of the backend."""
        return cls(error.template, code=error.code, **error.parameters)


class DownloadError(RestorationError):
    """A file cannot be fetched or stored."""

    default_code = "download"


class DeviceError(RestorationError):
    """The chosen device is absent or has too little memory."""

    default_code = "device"


class Cancelled(RestorationError):  # noqa: N818  (not a failure, so not named an error)
    """The user stopped the job."""

    default_code = "cancelled"
