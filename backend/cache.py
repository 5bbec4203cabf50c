"""Keep what networks made of inputs that may come again, up to a size.

A changed mask or threshold leaves most inputs of a warm backend's networks as they were.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Cache:
    """Tensors by the content of what they were computed from; the longest unused go first.

    Args:
        limit_bytes: of all tensors together; 0 keeps nothing.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[bytes | str, tuple[Tensor, ...]] = OrderedDict()
        self._size = 0

    def get(self, what: str, inputs: Sequence[Tensor], compute: Callable[[], Tensor]) -> Tensor:
        """What `compute` returns, or returned for the same inputs before.

        Args:
            what: names the computation, with everything besides the inputs that it depends on.
            inputs: on the CPU.
            compute: called when the result is not kept; nobody may change the result.
        """
        return self.get_all(what, inputs, lambda: (compute(),))[0]

    def get_all(
        self, what: str, inputs: Sequence[Tensor], compute: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """The same of a computation that returns several tensors, or none."""
        if self._limit == 0:
            return compute()
        key = _digest(what, inputs)
        found = self.recall(key)
        if found is None:
            found = compute()
            self.remember(key, found)
        return found

    def recall(self, key: bytes | str) -> tuple[Tensor, ...] | None:
        """What was last remembered under a key, unless it had to go; nobody may change it."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def remember(self, key: bytes | str, tensors: tuple[Tensor, ...]) -> None:
        """Keep tensors, in place of those that the key had; not if they alone are too many."""
        self._drop(self._kept.pop(key, ()))
        if sum(tensor.nbytes for tensor in tensors) > self._limit:
            return
        # A part of a tensor would keep all of its memory.
        self._kept[key] = tuple(
            t.clone() if t.untyped_storage().nbytes() > t.nbytes else t for t in tensors
        )
        self._size += sum(tensor.nbytes for tensor in tensors)
        while self._size > self._limit:
            self._drop(self._kept.popitem(last=False)[1])

    @property
    def keeps(self) -> bool:
        """Whether there is any room."""
        return self._limit > 0

    def clear(self) -> None:
        self._kept.clear()
        self._size = 0

    def _drop(self, tensors: tuple[Tensor, ...]) -> None:
        self._size -= sum(tensor.nbytes for tensor in tensors)


def _digest(what: str, inputs: Sequence[Tensor]) -> bytes:
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    for tensor in inputs:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.digest()
