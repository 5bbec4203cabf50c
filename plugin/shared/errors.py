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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Text  # noqa: F401 - named in type comments


class PluginError(Exception):
    """A failure whose message is one sentence for the user.

    Args:
        message: what happened, why, and what to do next.
        code: a stable word for programs and translations, for example "not-installed".
        parameters: the values that the message names.
    """

    default_code = "plug-in"

    def __init__(self, message, code="", **parameters):
        # type: (Text, Text, **Any) -> None
        Exception.__init__(self, message)
        self.message = message
        self.code = code or self.default_code
        self.parameters = parameters


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
    """The restoration program does not take the request."""

    default_code = "refused"


class JobError(PluginError):
    """The restoration program took the job and could not do it."""

    default_code = "restoration-failed"


class Cancelled(PluginError):  # noqa: N818 - no failure, so no error by name
    """The user stopped the job."""

    default_code = "cancelled"

    def __init__(self, message="The restoration was cancelled."):
        # type: (Text) -> None
        PluginError.__init__(self, message)
