"""Tickets and keys of pages."""

from __future__ import annotations

import pytest

from backend.review import sessions
from backend.review.photos import plain_name
from backend.review.sessions import Sessions, TicketError


def test_a_ticket_gives_a_key_and_the_photo_once() -> None:
    known = Sessions()
    ticket = known.new_ticket("photo")
    key, photo = known.redeem(ticket)
    assert photo == "photo"
    assert known.is_key(key)
    assert not known.is_key(ticket)
    with pytest.raises(TicketError, match="restore-old-photo review"):
        known.redeem(ticket)


def test_an_old_ticket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Sessions()
    monkeypatch.setattr(sessions, "TICKET_SECONDS", -1.0)
    with pytest.raises(TicketError):
        known.redeem(known.new_ticket(None))


def test_several_pages_have_keys_of_their_own() -> None:
    known = Sessions()
    keys = [known.redeem(known.new_ticket(None))[0] for _ in range(3)]
    assert len(set(keys)) == 3
    assert all(known.is_key(key) for key in keys)
    assert not known.is_key("")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Großmutter, 1950 (2).tiff", "Großmutter, 1950 (2).tiff"),
        ("Grandma's \u2013 [1950] #1, 50% {a}.jpg", "Grandma's \u2013 [1950] #1, 50% {a}.jpg"),
        ("\uff08写真\uff09祖母・一九五〇.png", "\uff08写真\uff09祖母・一九五〇.png"),
        # Vowels of India and Thailand, and a Mac's accents, are marks and no letters.
        ("हिन्दी ภาพเก่า Cafe\u0301.png", "हिन्दी ภาพเก่า Cafe\u0301.png"),
        ("\u0639\u06a9\u0633\u200c\u0647\u0627.png", "\u0639\u06a9\u0633\u200c\u0647\u0627.png"),
        ("a\u202egnp.exe.png", "a_gnp.exe.png"),
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\scans\\a.jpg", "a.jpg"),
        ("a\n\x00b<c>.png", "a_b_c_.png"),
        ("..", "photo"),
        ("", "photo"),
        (".png", "photo.png"),
        ("IMG_1234", "IMG_1234"),
        ("a long name without an ending", "a long name without an ending"),
        ("x" * 500 + ".png", "x" * 120 + ".png"),
        ("写" * 100 + ".png", "写" * 40 + ".png"),
    ],
)
def test_a_strangers_file_name_becomes_harmless(given: str, name: str) -> None:
    assert plain_name(given) == name


def test_they_exist_from_the_first_ticket_on() -> None:
    known = Sessions()
    assert not known.exist
    ticket = known.new_ticket(None)
    assert known.exist
    known.redeem(ticket)
    assert known.exist


def test_a_ticket_that_nobody_used_in_time_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Sessions()
    monkeypatch.setattr(sessions, "TICKET_SECONDS", -1.0)
    known.new_ticket(None)
    assert not known.exist
