"""Convolution, batch normalisation, ReLU and pooling with fewer passes over memory (CPU, training).

On a CPU the passes between the convolutions cost a third of a training step. Three identities
save most of them, without a change in what is computed:

* the sums that normalisation needs come from the reduction half of the library's own backward
  kernel, which reads the input once; its gradient is finished in place;
* normalisation and ReLU never decrease when the weight is positive, so pooling may come first, and
  both then run on a quarter of the values. A negative weight is made positive by turning the signs
  of its output channel in the convolution;
* only the pooled values carry gradients into the sums of the normalisation.

Everything else (evaluation, other devices, SyncBatchNorm, compiled code, other memory orders) takes
the plain modules.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from baselines.ccau.norms import ChannelNorm, PixelNorm

aten = torch.ops.aten
BatchNorm = PixelNorm | ChannelNorm


def norm_relu(norm: nn.Module, x: Tensor) -> Tensor:
    """ReLU of the normalised x [F, C, H, W] or [R, C, K, H, W].

    The result must have one user, whose gradient for it is nobody else's: it is overwritten.
    """
    if not _fusable(norm, x):
        return F.relu(norm(x), inplace=True)
    return _normed(norm, x, relu=True)


def norm_only(norm: nn.Module, x: Tensor) -> Tensor:
    """The normalised x, for a sum with a shortcut."""
    if not _fusable(norm, x):
        return cast(Tensor, norm(x))
    return _normed(norm, x, relu=False)


def conv_norm_relu_pool(
    x: Tensor,
    conv: tuple[Tensor, Tensor | None, int, int],
    norm: nn.Module,
    pool: tuple[int, int, int],
) -> Tensor:
    """Max-pool of ReLU of the normalised 2D convolution.

    Args:
        x: [F, C, H, W].
        conv: weight [D, C, k, k], bias, stride, padding.
        norm: batch normalisation over D channels.
        pool: kernel, stride, padding.

    """
    weight, bias, stride, padding = conv
    if not _fusable(norm, x):
        out = norm(F.conv2d(x, weight, bias, stride, padding))
        return F.max_pool2d(F.relu(out, inplace=True), *pool)
    assert isinstance(norm, BatchNorm)
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    y, mean, variance, count = _ConvNormReluPool.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, norm.weight, norm.bias, (norm.eps, stride, padding, pool)
    )
    _track(norm, mean, variance, int(count))
    return cast(Tensor, y)


def _fusable(norm: nn.Module, x: Tensor) -> bool:
    if type(norm) not in (PixelNorm, ChannelNorm) or not norm.training:
        return False
    last = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    return (
        x.device.type == "cpu"
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.numel() > 2 * x.shape[1]
        and x.is_contiguous(memory_format=last)
    )


def _normed(norm: nn.Module, x: Tensor, *, relu: bool) -> Tensor:
    assert isinstance(norm, BatchNorm)
    y, mean, variance = _Norm.apply(  # type: ignore[no-untyped-call]
        x, norm.weight, norm.bias, norm.eps, relu
    )
    _track(norm, mean, variance, x.numel() // x.shape[1])
    return cast(Tensor, y)


@torch.no_grad()
def _track(norm: BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Running statistics as torch keeps them: the variance unbiased."""
    if norm.running_mean is None or norm.running_var is None:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    share = 0.1 if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * (count / (count - 1)), share)


def _sums(g: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Per channel: the sum of g * (x - mean) * scale, and the sum of g; one pass."""
    mask = [False, True, True]
    found = aten.native_batch_norm_backward(g, x, scale, None, None, mean, scale, True, 0.0, mask)
    return found[1], found[2]


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, in two passes: sum of x, sum of x * (x - mean)."""
    count = x.numel() // x.shape[1]
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    ones = torch.ones(x.shape[1], dtype=kind)
    if x.dtype == kind:  # summed in a tree: what the mean lacks would enter the variance
        mean = x.movedim(1, -1).reshape(-1, x.shape[1]).mean(dim=0)
    else:
        mean = _sums(x, x, torch.zeros_like(ones), ones)[1] / count
    squares, _ = _sums(x, x, mean, ones)
    return mean, (squares / count).clamp_(min=0.0)


def _apply(x: Tensor, weight: Tensor, bias: Tensor, stats: tuple[Tensor, Tensor, float]) -> Tensor:
    mean, variance, eps = stats
    return cast(Tensor, aten.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)[0])


def _per_channel(value: Tensor, like: Tensor) -> Tensor:
    return value.to(like.dtype).view(1, -1, *[1] * (like.ndim - 2))


def _corrections(
    sums: tuple[Tensor, Tensor], scale: Tensor, mean: Tensor, inverse: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """A and B of the gradient of a normalisation, scale * g + A * x + B."""
    along = -scale * inverse * sums[0] / count
    return along, -scale * sums[1] / count - along * mean


class _Norm(torch.autograd.Function):
    """Batch normalisation and, if asked for, ReLU."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, relu: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _statistics(x)
        y = _apply(x, weight, bias, (mean, variance, eps))
        if relu:
            y.relu_()
        inverse = (variance + eps).rsqrt_()
        ctx.save_for_backward(x, y if relu else None, weight, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight, mean, inverse = ctx.saved_tensors
        g = grads[0]
        own = y is not None
        if own:  # one user only, see norm_relu
            aten.threshold_backward.grad_input(g, y, 0, grad_input=g)
        if x.dtype == torch.bfloat16:  # the library's kernel rounds once
            mask = [True, True, True]
            found = aten.native_batch_norm_backward(
                g, x, weight, None, None, mean, inverse, True, 0.0, mask
            )
            return found[0], found[1], found[2], None, None
        sums = _sums(g, x, mean, inverse)
        scale = weight * inverse
        along, shift = _corrections(sums, scale, mean, inverse, x.numel() // x.shape[1])
        factor = _per_channel(scale, x)
        g = g.mul_(factor) if own else g * factor
        g.addcmul_(x, _per_channel(along, x)).add_(_per_channel(shift, x))
        return g, sums[0], sums[1], None, None


class _ConvNormReluPool(torch.autograd.Function):
    """See :func:`conv_norm_relu_pool`: convolution, pooling, normalisation, ReLU."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gamma: Tensor,
        beta: Tensor,
        options: tuple[float, int, int, tuple[int, int, int]],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        eps, stride, padding, pool = options
        sign = torch.where(gamma < 0, -1.0, 1.0).to(gamma.dtype)
        turned = weight * sign.to(weight.dtype).view(-1, 1, 1, 1)
        offset = None if bias is None else bias * sign.to(bias.dtype)
        with torch.autocast("cpu", enabled=False):
            c = F.conv2d(x, turned, offset, stride, padding)
            mean, variance = _statistics(c)
            pooled, index = aten.max_pool2d_with_indices(c, pool[0], pool[1], pool[2])
            y = _apply(pooled, gamma.abs(), beta, (mean, variance, eps)).relu_()
        inverse = (variance + eps).rsqrt_()
        ctx.options = options
        ctx.has_bias = bias is not None
        ctx.save_for_backward(x, turned, c, pooled, index, y, gamma.abs(), sign, mean, inverse)
        original = mean * sign
        count = torch.tensor(c.numel() // c.shape[1])
        ctx.mark_non_differentiable(original, variance, count)
        return y, original, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, turned, c, pooled, index, y, gamma, sign, mean, inverse = ctx.saved_tensors
        _, stride, padding, pool = ctx.options
        g = aten.threshold_backward(grads[0], y, 0)
        sums = _sums(g, pooled, mean, inverse)
        scale = gamma * inverse
        along, shift = _corrections(sums, scale, mean, inverse, c.numel() // c.shape[1])
        g.mul_(_per_channel(scale, g))
        gc = aten.max_pool2d_with_indices_backward(
            g, c, [pool[0]] * 2, [pool[1]] * 2, [pool[2]] * 2, [1, 1], False, index
        )
        gc.addcmul_(c, _per_channel(along, c)).add_(_per_channel(shift, c))
        wanted = [ctx.needs_input_grad[0], True, ctx.has_bias]
        sizes = [turned.shape[0]] if ctx.has_bias else None
        geometry = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
        gx, gw, gb = aten.convolution_backward(gc, x, turned, sizes, *geometry, wanted)
        gw = gw * sign.to(gw.dtype).view(-1, 1, 1, 1)
        gb = gb * sign.to(gb.dtype) if ctx.has_bias else None
        return gx, gw, gb, sums[0] * sign, sums[1], None
