"""Who a browser's page is: a ticket that works once, exchanged for a key that the page keeps.

The backend's own token never reaches a browser. What does is the ticket, in the fragment of the
page's address, which browsers send to nobody. The key travels in a header of the page's requests:
a cookie would also go to every other server on this machine, since cookies know no ports.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from backend.errors import RestorationError

# A browser that has to start first, on a slow disk.
TICKET_SECONDS = 120.0
_SECRET_BYTES = 32


class TicketError(RestorationError):
    """A ticket that was used, is too old, or never was one."""

    default_code = "ticket"


@dataclass(frozen=True)
class _Ticket:
    expires: float
    photo_id: str | None


class Sessions:
    """The tickets that are out, and the keys of the pages that are open."""

    def __init__(self) -> None:
        self._tickets: dict[str, _Ticket] = {}
        self._keys: set[str] = set()

    def new_ticket(self, photo_id: str | None) -> str:
        """A secret for the address of a page, which will show a photo when one is given."""
        now = time.monotonic()
        self._tickets = {k: v for k, v in self._tickets.items() if v.expires > now}
        ticket = secrets.token_urlsafe(_SECRET_BYTES)
        self._tickets[ticket] = _Ticket(now + TICKET_SECONDS, photo_id)
        return ticket

    def redeem(self, secret: str) -> tuple[str, str | None]:
        """Take a ticket back.

        Returns:
            The page's key, and the photo that it shall show.

        Raises:
            TicketError: it is not valid, or no more.
        """
        ticket = self._tickets.pop(secret, None)
        if ticket is None or ticket.expires <= time.monotonic():
            raise TicketError(
                "This page's address works once and not for long: run restore-old-photo review "
                "to get a new one."
            )
        key = secrets.token_urlsafe(_SECRET_BYTES)
        self._keys.add(key)
        return key, ticket.photo_id

    @property
    def exist(self) -> bool:
        """Whether a page was opened, or is about to be."""
        now = time.monotonic()
        return bool(self._keys) or any(t.expires > now for t in list(self._tickets.values()))

    def is_key(self, text: str) -> bool:
        """Whether `text` is the key of an open page."""
        given = text.encode()
        # All are compared, so that the time tells nothing.
        return sum(secrets.compare_digest(given, key.encode()) for key in self._keys) > 0
