"""Sums and maps over the channels of channels-last memory: one pass each, any number of channels.

x is [F, C, H, W] or [R, C, K, H, W] with the channels last in memory, that is rows of C values.
Kernels that work row by row lose most of their time at 12 values a row, so several rows are seen
as one wide row ("lanes"), and what belongs to a channel is repeated for each.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

aten = torch.ops.aten

LANES = 256
"""Wide rows have about as many values."""
ROWS = 1 << 14
"""Sums in 32 bits are over at most as many rows; they are added up in 64 bits."""


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


def lanes_of(x: Tensor) -> tuple[Tensor, int]:
    """The same memory as wide rows, [F * H * W / r, r * C], and r."""
    rows = rows_of(x)
    repeats = 1
    while 2 * repeats * x.shape[1] <= LANES and rows.shape[0] % (2 * repeats) == 0:
        repeats *= 2
    return rows.view(-1, repeats * x.shape[1]), repeats


def _as_image(lanes: Tensor) -> Tensor:
    """Wide rows as the channels-last image that the normalisation kernels know."""
    return lanes.t().unsqueeze(0).unsqueeze(-1)


def dot_and_sum(g: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Per channel: the sum of g * (x - mean) * scale, and the sum of g; one pass over both.

    It is the reduction half of the backward kernel of batch normalisation.
    """
    (wide_g, r), (wide_x, _) = lanes_of(g), lanes_of(x)
    mean, scale = mean.repeat(r), scale.repeat(r)
    mask = [False, True, True]
    found = aten.native_batch_norm_backward(
        _as_image(wide_g), _as_image(wide_x), scale, None, None, mean, scale, True, 0.0, mask
    )
    return found[1].view(r, -1).sum(dim=0), found[2].view(r, -1).sum(dim=0)


def affine_(out: Tensor, x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """``out`` = factor * x + shift, channel by channel; rounded once."""
    (wide_out, r), (wide_x, _) = lanes_of(out), lanes_of(x)
    factor, shift = factor.repeat(r), shift.repeat(r)
    if x.dtype == factor.dtype:
        torch.addcmul(shift, wide_x, factor, out=wide_out)
        return out
    zero, one = torch.zeros_like(factor), torch.ones_like(factor)
    nothing = torch.empty(0)
    aten.native_batch_norm.out(
        _as_image(wide_x), factor, shift, zero, one, False, 0.0, 0.0,
        out=_as_image(wide_out), save_mean=nothing, save_invstd=nothing,
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
        for piece in torch.split(x, max(1, ROWS // per_frame)):
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
