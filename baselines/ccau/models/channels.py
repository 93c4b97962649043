"""Sums and maps over the channels of channels-last memory: one pass each, any number of channels.

x is [F, C, H, W] or [R, C, K, H, W] with the channels last in memory, that is rows of C values.
Kernels that work row by row lose most of their time at 12 values a row, so several rows are seen
as one wide row ("lanes"), and what belongs to a channel is repeated for each.
"""

from __future__ import annotations

import functools
from typing import cast

import torch
from torch import Tensor

aten = torch.ops.aten

LANES = 256
"""Wide rows have about as many values."""
ROWS = {torch.bfloat16: 1 << 16}
"""Sums in 32 bits are over at most as many rows (else 1 << 14); they are added up in 64 bits."""


def is_channels_last(x: Tensor) -> bool:
    """Whether the channels are last in memory, without gaps."""
    if x.ndim not in (4, 5):
        return False
    last = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    return x.is_contiguous(memory_format=last)


def as_channels_last(x: Tensor) -> Tensor:
    """[F, C, H, W] with the channels last in memory, also said so by the strides.

    With one channel both orders are the same memory, and torch then takes the strides of the other
    one for granted: every layer after it would have its channels first.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    _, channels, height, width = x.shape
    return x.as_strided(x.shape, (height * width * channels, 1, width * channels, channels))


def rows_of(x: Tensor) -> Tensor:
    """The same memory as rows, [F * H * W, C]."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])


@functools.cache
def repeats_of(channels: int, n_rows: int) -> int:
    """r: how many rows of so many channels make a wide one."""
    repeats = 1
    while 2 * repeats * channels <= LANES and n_rows % (2 * repeats) == 0:
        repeats *= 2
    return repeats


def lanes_of(x: Tensor) -> tuple[Tensor, int]:
    """The same memory as wide rows, [F * H * W / r, r * C], and r."""
    wide = _as_image(x)
    return wide[0, :, :, 0].t(), wide.shape[1] // x.shape[1]


def _as_image(x: Tensor) -> Tensor:
    """Wide rows as the channels-last image that the normalisation kernels know: [1, r * C, N, 1].

    In one step, as it is taken hundreds of times a training step.
    """
    channels, n_rows = x.shape[1], x.numel() // x.shape[1]
    repeats = repeats_of(channels, n_rows)
    width, length = repeats * channels, n_rows // repeats
    return x.as_strided((1, width, length, 1), (x.numel(), 1, width, width))


@functools.cache
def _constants(width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Nothing, zeros and ones of this width; nobody writes to them."""
    return torch.empty(0), torch.zeros(width), torch.ones(width)


def dot_and_sum(g: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Per channel: the sum of g * (x - mean) * scale, and the sum of g; one pass over both.

    It is the reduction half of the backward kernel of batch normalisation.
    """
    wide_g, wide_x = _as_image(g), _as_image(x)
    r = wide_x.shape[1] // x.shape[1]
    mean, scale = mean.repeat(r), scale.repeat(r)
    mask = [False, True, True]
    found = aten.native_batch_norm_backward(
        wide_g, wide_x, scale, None, None, mean, scale, True, 0.0, mask
    )
    return found[1].view(r, -1).sum(dim=0), found[2].view(r, -1).sum(dim=0)


def affine_(out: Tensor, x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """``out`` = factor * x + shift, channel by channel; rounded once."""
    if x.dtype == factor.dtype:
        (wide_out, r), (wide_x, _) = lanes_of(out), lanes_of(x)
        torch.addcmul(shift.repeat(r), wide_x, factor.repeat(r), out=wide_out)
        return out
    image = _as_image(x)
    r = image.shape[1] // x.shape[1]
    nothing, zeros, ones = _constants(image.shape[1])
    aten.native_batch_norm.out(
        image, factor.repeat(r), shift.repeat(r), zeros, ones, False, 0.0, 0.0,
        out=_as_image(out), save_mean=nothing, save_invstd=nothing,
    )  # fmt: skip
    return out


def add_scaled_(out: Tensor, g: Tensor, factor: Tensor) -> Tensor:
    """``out`` += factor * g, channel by channel."""
    (wide_out, r), (wide_g, _) = lanes_of(out), lanes_of(g)
    wide_out.addcmul_(wide_g, factor.to(g.dtype).repeat(r))
    return out


class Moments:
    """Mean and biased variance of each channel, from pieces of a tensor as they are made.

    One pass: sums of x and of x * (x - pilot), where the pilot is the mean of the first values, so
    that a large mean does not eat the variance.
    """

    def __init__(self) -> None:
        self.count = 0
        self._pilot: Tensor | None = None
        self._dots: list[Tensor] = []
        self._sums: list[Tensor] = []

    def add(self, x: Tensor) -> None:
        """Count the values of x, channels last."""
        kind = torch.float64 if x.dtype == torch.float64 else torch.float32
        if self._pilot is None:
            self._pilot = rows_of(x)[:64].to(kind).mean(dim=0)
        per_frame = x.numel() // (x.shape[0] * x.shape[1])
        rows = ROWS.get(x.dtype, 1 << 14)
        for piece in torch.split(x, max(1, rows // per_frame)):
            dot, total = dot_and_sum(piece, piece, self._pilot, torch.ones_like(self._pilot))
            if x.dtype == kind:  # summed in a tree: what the mean lacks would enter the variance
                wide, r = lanes_of(piece)
                total = wide.sum(dim=0).view(r, -1).sum(dim=0)
            self._dots.append(dot)
            self._sums.append(total)
        self.count += x.numel() // x.shape[1]

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and variance, float32 (float64 for float64)."""
        pilot = cast(Tensor, self._pilot)
        shift = pilot.double()
        total = torch.stack(self._sums).double().sum(dim=0)
        dot = torch.stack(self._dots).double().sum(dim=0)
        away = total / self.count - shift  # of the mean from the pilot
        squares = dot / self.count - shift * away
        variance = (squares - away.square()).clamp_(min=0.0)
        return (shift + away).to(pilot.dtype), variance.to(pilot.dtype)
