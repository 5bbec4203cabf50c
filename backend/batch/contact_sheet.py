"""The contact sheet of a batch: what became of every photo, as web pages that need nothing else."""

from __future__ import annotations

import base64
import html
import urllib.parse
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from backend.batch.archive import Archive
from backend.batch.inputs import Input
from backend.batch.manifest import Record
from backend.batch.progress import printable
from backend.errors import InputError
from models.stored import replace_with

PER_PAGE = 400
"""Photos on one page: about ten megabytes."""

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #22201c; --soft: #6a655c;
  --line: #dcd7cb; --mat: #efece4; --bad: #9d2a1c; }
@media (prefers-color-scheme: dark) { :root { --paper: #191817; --ink: #ebe7df; --soft: #a39d92;
  --line: #3a3733; --mat: #242220; --bad: #f0907f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 2rem 1.5rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
p { margin: .4rem 0; color: var(--soft); }
a { color: inherit; }
nav a, nav b { display: inline-block; min-width: 2rem; padding: .3rem; text-align: center; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: .4rem .8rem .4rem 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; color: var(--bad); width: 30%; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr));
  gap: 1.5rem; margin: 0; padding: 0; list-style: none; }
figure { margin: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; background: var(--mat); }
.pair img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; }
figcaption { padding-top: .4rem; overflow-wrap: anywhere; }
figcaption small { display: block; color: var(--soft); }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444;
  --line: #bbb; --mat: #fff; --bad: #000; }
  body { max-width: none; padding: 0; font-size: 9pt; } nav { display: none; }
  ol { grid-template-columns: repeat(3, 1fr); gap: 6mm 4mm; }
  li, tr { break-inside: avoid; } h2 { break-after: avoid; } @page { margin: 12mm; } }
"""

MARK = '<meta name="generator" content="Restore Old Photo">'

PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
{MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{title}}</title>
<style>{{style}}</style>
<h1>{{title}}</h1>
<p>{{summary}}</p>
{{body}}
</html>
"""


def write_contact_sheet(archive: Archive, photos: Sequence[Input]) -> Path:
    """Write the sheet of these photos into the folder of results; returns its first page.

    Raises:
        OSError: it cannot be written.
        InputError: a page's name is taken by something else.
    """
    records = [record for photo in photos if (record := archive.latest(photo)) is not None]
    failed = [record for record in records if record.error is not None]
    done = [record for record in records if record.error is None and archive.is_there(record)]
    gone = len(records) - len(failed) - len(done)
    pages = [done[start : start + PER_PAGE] for start in range(0, len(done), PER_PAGE)] or [[]]
    for number, page in enumerate(pages, start=1):
        body = _navigation(number, len(pages)) + (_failures(failed) if number == 1 else "")
        text = PAGE.format(
            title=_text(f"Restored photos of {archive.source_name}"),
            style=STYLE,
            summary=_summary(len(done), len(failed), gone, len(photos) - len(records)),
            body=body + _pairs(archive, page),
        )
        _check_is_own(_page(archive, number))
        replace_with(_page(archive, number), partial(_write, text))
    number = len(pages) + 1
    while _is_sheet(_page(archive, number)):  # of a time when there were more
        _page(archive, number).unlink()
        number += 1
    return _page(archive, 1)


def check_place(folder: Path) -> None:
    """See that the sheet of a folder of results takes the place of no other file.

    Raises:
        InputError: something else has the name of its first page.
    """
    _check_is_own(folder / _name(1))


def _check_is_own(page: Path) -> None:
    if page.exists() and not _is_sheet(page):
        raise InputError(
            f"{page} is no contact sheet of this program: move it, or name another folder after "
            "-o.",
            code="file-exists",
        )


def _is_sheet(page: Path) -> bool:
    if not page.is_file():
        return False
    with page.open("rb") as stream:
        return MARK.encode() in stream.read(len(PAGE))


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _page(archive: Archive, number: int) -> Path:
    return archive.folder / _name(number)


def _name(number: int) -> str:
    return f"contact-sheet{'' if number == 1 else f'-{number}'}.html"


def _summary(done: int, failed: int, gone: int, left: int) -> str:
    parts = [f"{done} restored"]
    parts += [f"{failed} could not be restored"] if failed else []
    # Somebody took the result away, or a crash came before it was in its place.
    parts += [f"{gone} to be made again"] if gone else []
    parts += [f"{left} not tried yet"] if left else []
    return f"{', '.join(parts)}. {datetime.now().strftime('%Y-%m-%d %H:%M')}"


def _navigation(current: int, count: int) -> str:
    if count == 1:
        return ""
    links = [
        f'<b aria-current="page">{number}</b>'
        if number == current
        else f'<a href="{_name(number)}">{number}</a>'
        for number in range(1, count + 1)
    ]
    return f'<nav aria-label="Pages">{" ".join(links)}</nav>\n'


def _failures(records: Sequence[Record]) -> str:
    if not records:
        return ""
    rows = [
        f'<tr><th scope="row"><bdi>{_text(record.input)}</bdi><td>{_text(record.error or "")}'
        for record in records
    ]
    return f"<h2>Could not be restored</h2>\n<table>\n{_lines(rows)}</table>\n"


def _pairs(archive: Archive, records: Sequence[Record]) -> str:
    if not records:
        return ""
    items = [_pair(archive, record) for record in records]
    return f"<h2>Before and after</h2>\n<ol>\n{_lines(items)}</ol>"


def _pair(archive: Archive, record: Record) -> str:
    name = _text(record.input)
    # Names are bytes on some disks, and addresses, too.
    address = urllib.parse.quote((record.result or "").encode("utf-8", "surrogateescape"))
    images = [
        f'<img src="{_as_address(archive.thumbnail(record, side))}" alt="{name}, {side}" '
        'decoding="async">'
        for side in ("before", "after")
    ]
    said = [record.found, f"{record.seconds:.1f} s" if record.seconds else "copy of an equal one"]
    notes = "".join(f"<small>{_text(note)}</small>" for note in record.notes)
    return (
        f'<li><figure><a class="pair" href="./{address}">{"".join(images)}</a>'
        f"<figcaption><bdi>{name}</bdi><small>{_text(', '.join(filter(None, said)))}</small>"
        f"{notes}</figcaption></figure>"
    )


def _as_address(thumbnail: Path) -> str:
    """The picture itself as an address; an empty one where somebody deleted it."""
    if not thumbnail.is_file():
        return "data:,"
    return "data:image/webp;base64," + base64.b64encode(thumbnail.read_bytes()).decode("ascii")


def _lines(parts: Sequence[str]) -> str:
    return "".join(part + "\n" for part in parts)


def _text(text: str) -> str:
    return html.escape(printable(text))
