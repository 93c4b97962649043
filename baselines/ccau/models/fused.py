"""Batch normalisation and ReLU with fewer passes over memory (CPU, training).

On a CPU the passes between the convolutions cost a third of a training step. Here normalisation
and ReLU save one tensor less, read their input once for its statistics and finish the gradient in
place, without a change in what is computed. Everything else (evaluation, other devices,
SyncBatchNorm, compiled code, other memory orders) takes the plain modules.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from baselines.ccau.models.batch_norms import ChannelNorm, PixelNorm
from baselines.ccau.models.channels import (
    Moments,
    add_scaled_,
    affine_,
    aten,
    dot_and_sum,
    is_channels_last,
    repeats_of,
)

BatchNorm = PixelNorm | ChannelNorm


def norm_relu(norm: nn.Module, x: Tensor) -> Tensor:
    """ReLU of the normalised x [F, C, H, W] or [R, C, K, H, W].

    The result must have one user, whose gradient for it is nobody else's: it is overwritten.
    """
    if not fusable(norm, x):
        return F.relu(norm(x), inplace=True)
    return _normed(norm, x, relu=True)


def norm_only(norm: nn.Module, x: Tensor) -> Tensor:
    """The normalised x, for a sum with a shortcut."""
    if not fusable(norm, x):
        return cast(Tensor, norm(x))
    return _normed(norm, x, relu=False)


def norm_add(norm: nn.Module, x: Tensor, shortcut: Tensor, *, relu: bool) -> Tensor:
    """The normalised x plus ``shortcut``, and the ReLU of it if asked for.

    With ReLU the result's gradient must be nobody else's: it is overwritten.
    """
    if not fusable(norm, x) or (shortcut.stride(), shortcut.dtype) != (x.stride(), x.dtype):
        out = norm_only(norm, x) + shortcut
        return F.relu(out, inplace=True) if relu else out
    return _normed(norm, x, shortcut, relu=relu)


def fusable(norm: nn.Module, x: Tensor) -> bool:
    """Whether this normalisation of this input may leave the plain module."""
    return (
        type(norm) in (PixelNorm, ChannelNorm)
        and norm.training
        and x.device.type == "cpu"
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.numel() > 2 * x.shape[1]
        and is_channels_last(x)
    )


def _normed(norm: nn.Module, x: Tensor, shortcut: Tensor | None = None, *, relu: bool) -> Tensor:
    assert isinstance(norm, BatchNorm)
    y, mean, variance = _Norm.apply(  # type: ignore[no-untyped-call]
        x, shortcut, norm.weight, norm.bias, norm.eps, relu
    )
    track(norm, mean, variance, x.numel() // x.shape[1])
    return cast(Tensor, y)


@torch.no_grad()
def track(norm: BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Running statistics as torch keeps them: the variance unbiased."""
    if norm.running_mean is None or norm.running_var is None:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    share = 0.1 if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * (count / (count - 1)), share)


def corrections(
    sums: tuple[Tensor, Tensor], scale: Tensor, mean: Tensor, inverse: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """A and B of the gradient of a normalisation, scale * g + A * x + B."""
    along = -scale * inverse * sums[0] / count
    return along, -scale * sums[1] / count - along * mean


class _Norm(torch.autograd.Function):
    """Batch normalisation; then a sum with a shortcut and ReLU, where they are asked for."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        shortcut: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        relu: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        moments = Moments()
        moments.add(x)
        mean, variance = moments.result()
        inverse = (variance + eps).rsqrt_()
        scale = weight * inverse
        y = affine_(torch.empty_like(x), x, scale, bias - scale * mean)
        if shortcut is not None:
            y += shortcut
        if relu:
            y.relu_()
        ctx.save_for_backward(x, y if relu else None, weight, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight, mean, inverse = ctx.saved_tensors
        g = as_laid_out(grads[0], x)
        if y is not None:  # one user only, see norm_relu
            aten.threshold_backward.grad_input(g, y, 0, grad_input=g)
        into_shortcut = g if ctx.needs_input_grad[1] else None
        count = x.numel() // x.shape[1]
        if x.dtype == torch.bfloat16 and repeats_of(x.shape[1], count) == 1:
            mask = [True, True, True]
            found = aten.native_batch_norm_backward(  # rounds once, in one pass
                g, x, weight, None, None, mean, inverse, True, 0.0, mask
            )
            return found[0], into_shortcut, found[1], found[2], None, None
        sums = dot_and_sum(g, x, mean, inverse)
        scale = weight * inverse
        along, shift = corrections(sums, scale, mean, inverse, count)
        gx = add_scaled_(affine_(torch.empty_like(x), x, along, shift), g, scale)
        return gx, into_shortcut, sums[0], sums[1], None, None


def as_laid_out(g: Tensor, like: Tensor) -> Tensor:
    """``g`` in the memory order of ``like``; mostly it is already."""
    return g if g.stride() == like.stride() else torch.empty_like(like).copy_(g)
