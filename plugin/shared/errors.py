# -*- coding: utf-8 -*-
"""What can go wrong in the plug-in, in one tree.

PluginError                  anything a user should read: what, why, what to do next
├── NotInstalledError        the restoration program is not on this computer
├── StartError               it is, but it does not start
├── ConnectionLostError      it stopped answering
├── RefusedError             it does not take the request
├── JobError                 it took the job and could not do it
└── Cancelled                the user stopped the job; not a failure
"""

from __future__ import absolute_import, division, unicode_literals

from .languages import ENGLISH

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Text  # noqa: F401

    from .languages import Language, Template  # noqa: F401


class PluginError(Exception):
    """A failure whose message is one sentence for the user.

    Args:
        template: what happened, why, and what to do next, in English with {names} for values.
        code: a stable word for programs, for example "not-installed".
        parameters: the values that the template names.

    Attributes:
        message: the sentence in English.
    """

    default_code = "plug-in"

    def __init__(self, template, code="", **parameters):
        # type: (Template, Text, **Any) -> None
        self.message = ENGLISH.say(template, **parameters)
        Exception.__init__(self, self.message)
        self.template = template
        self.code = code or self.default_code
        self.parameters = parameters

    def sentence(self, language):
        # type: (Language) -> Text
        """The message in the user's language."""
        return language.say(self.template, **self.parameters)


class NotInstalledError(PluginError):
    """The restoration program is not on this computer."""

    default_code = "not-installed"


class StartError(PluginError):
    """The restoration program is installed but does not start."""

    default_code = "start-failed"


class ConnectionLostError(PluginError):
    """The restoration program stopped answering."""

    default_code = "connection-lost"


class RefusedError(PluginError):
    """The restoration program does not take the request; `status` is HTTP's."""

    default_code = "refused"
    status = 0


class JobError(PluginError):
    """The restoration program took the job and could not do it."""

    default_code = "restoration-failed"


class Cancelled(PluginError):  # noqa: N818 - no failure, so no error by name
    """The user stopped the job."""

    default_code = "cancelled"

    def __init__(self):
        # type: () -> None
        PluginError.__init__(self, "The restoration was cancelled.")
