"""Named random streams: every random number of a run belongs to a name, not to an order.

A stream is the tuple (seed, purpose, modality, step, ...). What a modality draws is therefore the
same whether or not another modality is trained beside it, which is what makes cooperative training
with alignment weight 0 equal to single training bit for bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


def stream_seed(seed: int, *names: str | int) -> int:
    """The 63-bit seed of the stream (seed, *names): SHA-256 of its written form.

    >>> stream_seed(0, "dropout", "ego", 3) == stream_seed(0, "dropout", "ego", 3)
    True
    >>> stream_seed(0, "dropout", "ego", 3) == stream_seed(0, "dropout", "third", 3)
    False
    """
    written = "\x1f".join([str(int(seed)), *(f"{type(n).__name__}:{n}" for n in names)])
    digest = hashlib.sha256(written.encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator at the start of the stream (seed, *names)."""
    generator = torch.Generator(device=device)
    generator.manual_seed(stream_seed(seed, *names))
    return generator


def numpy_stream(seed: int, *names: str | int) -> np.random.Generator:
    """The numpy generator of the stream (seed, *names).

    >>> numpy_stream(0, "augment", "ego").random() == numpy_stream(0, "augment", "ego").random()
    True
    >>> numpy_stream(0, "augment", "ego").random() == numpy_stream(0, "augment", "third").random()
    False
    """
    return np.random.Generator(np.random.Philox(key=stream_seed(seed, *names)))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep torch's global CPU generator as it was: module constructors draw from it."""
    with torch.random.fork_rng(devices=[]):
        yield


class DropoutStream:
    """Where the masks of one network come from: (seed, "dropout", modality, step, rank, layer).

    A mask is a pure function of that name and of the position in it, in whole numbers: the same
    bits on every device, and nothing that torch.compile cannot follow. A layer that is called again
    within the same step gets the next stream, not the same mask.
    """

    def __init__(self, seed: int, modality: str) -> None:
        self.seed = seed
        self.modality = modality
        self.key = torch.zeros((), dtype=torch.int64)
        self._calls: dict[str, int] = {}
        self.at(0)

    def at(self, step: int, rank: int = 0) -> None:
        """Go to the start of a step; ``step`` counts batches, not optimizer steps."""
        self.key.fill_(stream_seed(self.seed, "dropout", self.modality, step, rank))
        self._calls.clear()

    def mask(
        self, layer: str, salt: int, shape: tuple[int, ...], drop: float, like: Tensor
    ) -> Tensor:
        """A mask of 0 and 1 / (1 - drop), in the dtype and on the device of ``like``.

        ``salt`` is a number of the layer's own; see :class:`Dropout`.
        """
        call = self._calls.get(layer, 0)
        self._calls[layer] = call + 1
        stream_key = mixed(mixed(self.key + salt) + call)
        positions = torch.arange(math.prod(shape), device=like.device)
        draws = (mixed(mixed(positions + stream_key)) >> 24) & _DRAWS - 1
        kept = (draws >= round(drop * _DRAWS)).view(shape)
        return kept.to(like.dtype).div_(1.0 - drop)


_DRAWS = 1 << 24
"""How many different draws there are: a probability is exact to one part of them."""


def mixed(x: Tensor) -> Tensor:
    """int64 to int64, each bit of the result a function of all bits: SplitMix64's finaliser.

    >>> mixed(torch.tensor([0, 1])).tolist()
    [-2152535657050944081, -7995527694508729151]
    """
    x = x + _GOLDEN
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


_GOLDEN, _FIRST, _SECOND = (
    value - (1 << 64)  # as int64 holds them
    for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """``x >> bits`` of the unsigned number: torch shifts the sign in."""
    return (x >> bits) & (1 << (64 - bits)) - 1


class Dropout(nn.Module):
    """Dropout whose masks come from a :class:`DropoutStream`; has no parameters and no keys."""

    def __init__(self, p: float, source: DropoutStream, layer: str) -> None:
        super().__init__()
        self.p = p
        self.source = source
        self.layer = layer
        self.salt = stream_seed(0, "layer", layer)

    def mask(self, shape: tuple[int, ...], like: Tensor) -> Tensor | None:
        """The mask for ``shape``, or None when nothing is dropped (evaluation, or p = 0)."""
        if not self.training or self.p == 0.0:
            return None
        return self.source.mask(self.layer, self.salt, shape, self.p, like)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with a share p of its values set to 0 and the rest scaled by 1 / (1 - p)."""
        mask = self.mask(tuple(x.shape), x)
        return x if mask is None else x * mask
