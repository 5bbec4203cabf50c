"""What the page and the command line order, checked where it arrives."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.review.document import LayerNames
from backend.review.photos import WorkSize
from backend.review.saving import Format


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TicketOrder(_Strict):
    """Asked for by the command line."""

    photo: str | None = None


class SessionOrder(_Strict):
    """A page that opens."""

    ticket: str


class JobOrder(_Strict):
    """A restoration: of the preview, or of the photo with all its pixels and bits."""

    size: WorkSize
    options: dict[str, Any]
    # Repair what was painted on the photo, and nothing else.
    painted: bool = False


class ViewOrder(_Strict):
    """How layers of one kind are seen."""

    visible: bool
    opacity: int = Field(ge=0, le=100)


class FileOrder(_Strict):
    """A file of a finished job's layers."""

    job: str
    format: Format
    views: dict[Literal["restored", "repair", "face"], ViewOrder]
    names: LayerNames = LayerNames()


class LanguageOrder(_Strict):
    """What the page shall speak from now on, whatever the browser prefers."""

    language: str = Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?$")
