"""What the installer tells the user when it cannot go on."""

from __future__ import annotations

from installer.messages import Message, Value, reason_of


class InstallationError(Exception):
    """A failure, said in one sentence: what happened, why, and what to do next.

    Args:
        code: the sentence's key in the catalogues.
        values: what it names.

    Attributes:
        message: the same; the exception's own text is the English sentence.
    """

    def __init__(self, code: str, /, **values: Value) -> None:
        self.message = Message(code, values)
        super().__init__(str(self.message))


def unforeseen(error: OSError) -> InstallationError:
    """What is said when the system refuses something that no step has a sentence for."""
    if error.filename is None:
        return InstallationError("error.system", reason=reason_of(error))
    return InstallationError("error.path", path=str(error.filename), reason=reason_of(error))
