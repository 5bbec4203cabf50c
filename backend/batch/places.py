"""Where on a Ray cluster workers can stand, and what each takes. No ray here, and no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A share of a computer for one worker.

    Attributes:
        node: Ray's name for the computer.
        name: its address, for people.
        threads: processors of it.
        memory_bytes: that Ray sets aside.
        picture_bytes: of that, for a picture's intermediate results; None on a graphics card.
        graphics_cards: 1 or 0.
    """

    node: str
    name: str
    threads: int
    memory_bytes: int
    picture_bytes: int | None
    graphics_cards: int


def places_of(
    nodes: Sequence[Mapping[str, Any]], worker_bytes: int, needed_bytes: int, *, takes_cards: bool
) -> list[Place]:
    """As many places as processors and memory bear, or one for each graphics card.

    Args:
        nodes: as `ray.nodes()` gives them.
        worker_bytes: memory of a worker without a picture.
        needed_bytes: with one.
        takes_cards: where there are graphics cards, only they are used.
    """
    alive = [node for node in nodes if node["Alive"]]
    with_cards = [node for node in alive if node["Resources"].get("GPU", 0) >= 1]
    uses_cards = takes_cards and bool(with_cards)
    places = []
    for node in with_cards if uses_cards else alive:
        resources = node["Resources"]
        processors, memory = int(resources.get("CPU", 0)), int(resources.get("memory", 0))
        count = min(processors, memory // needed_bytes)
        if uses_cards:
            count = min(count, int(resources["GPU"]))
        for _ in range(count):
            share = memory // count
            places.append(
                Place(
                    node["NodeID"],
                    str(node["NodeManagerHostname"] or node["NodeManagerAddress"]),
                    processors // count,
                    share,
                    None if uses_cards else share - worker_bytes,
                    int(uses_cards),
                )
            )
    return places
