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
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self._size = 0

    def get(self, what: str, inputs: Sequence[Tensor], compute: Callable[[], Tensor]) -> Tensor:
        """What `compute` returns, or returned for the same inputs before.

        Args:
            what: names the computation, with everything besides the inputs that it depends on.
            inputs: on the CPU.
            compute: called when the result is not kept; nobody may change the result.
        """
        if self._limit == 0:
            return compute()
        key = _digest(what, inputs)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        result = compute()
        self._keep(key, result)
        return result

    def clear(self) -> None:
        self._kept.clear()
        self._size = 0

    def _keep(self, key: bytes, result: Tensor) -> None:
        if result.nbytes > self._limit:
            return
        # A view would keep all of its memory.
        self._kept[key] = result.clone() if result._is_view() else result
        self._size += result.nbytes
        while self._size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.nbytes


def _digest(what: str, inputs: Sequence[Tensor]) -> bytes:
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    for tensor in inputs:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.digest()
