"""Convolution, normalisation, ReLU and max-pooling as one step (CPU, training).

Normalisation and ReLU never decrease when the weight is positive, so pooling may come first, and
both then run on a quarter of the values. A negative weight is made positive by turning the signs
of its output channel in the convolution. The step goes through its frames a few at a time, so
that what it makes and drops on the way stays in the processor's cache: the positions of the
maxima (kept in 16 bits) and, in the backward pass, the gradient of the convolution's output.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from baselines.ccau.models.channels import Moments, add_scaled_, affine_, aten, dot_and_sum
from baselines.ccau.models.fused import BatchNorm, as_laid_out, corrections, fusable, track

PIECE_BYTES = 4 << 20
"""Of the convolution's output; a few such pieces fit into a cache of the third level."""


def conv_norm_relu_pool(
    x: Tensor,
    conv: tuple[Tensor, Tensor | None, int, int],
    norm: nn.Module,
    pool: tuple[int, int, int],
) -> Tensor:
    """Max-pool of ReLU of the normalised 2D convolution.

    The result must have one user, or users whose gradients for it are added up: the gradient is
    overwritten.

    Args:
        x: [F, C, H, W].
        conv: weight [D, C, k, k], bias, stride, padding.
        norm: batch normalisation over D channels.
        pool: kernel, stride, padding.

    """
    weight, bias, stride, padding = conv
    if not fusable(norm, x):
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
    track(norm, mean, variance, int(count))
    return cast(Tensor, y)


class _ConvNormReluPool(torch.autograd.Function):
    """See :func:`conv_norm_relu_pool`."""

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
        moments = Moments()
        outputs, maxima, places = [], [], []
        with torch.autocast("cpu", enabled=False):
            for piece in torch.split(x, _frames_a_piece(x, weight, stride, padding)):
                c = F.conv2d(piece, turned, offset, stride, padding)
                moments.add(c)
                pooled, index = aten.max_pool2d_with_indices(c, pool[0], pool[1], pool[2])
                outputs.append(c)
                maxima.append(pooled)
                places.append(index.to(_index_dtype(c)))
        pooled = torch.cat(maxima)
        mean, variance = moments.result()
        inverse = (variance + eps).rsqrt_()
        gamma = gamma.abs()
        scale = gamma * inverse
        y = affine_(torch.empty_like(pooled), pooled, scale, beta - scale * mean).relu_()
        ctx.options = options
        ctx.has_bias = bias is not None
        ctx.n_pieces = len(outputs)
        ctx.save_for_backward(x, turned, pooled, y, gamma, sign, mean, inverse, *outputs, *places)
        original, count = mean * sign, torch.tensor(moments.count)
        ctx.mark_non_differentiable(original, variance, count)
        return y, original, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, turned, pooled, y, gamma, sign, mean, inverse, *pieces = ctx.saved_tensors
        _, stride, padding, pool = ctx.options
        g = as_laid_out(grads[0], y)
        aten.threshold_backward.grad_input(g, y, 0, grad_input=g)
        sums = dot_and_sum(g, pooled, mean, inverse)
        scale = gamma * inverse
        count = sum(c.numel() for c in pieces[: ctx.n_pieces]) // y.shape[1]
        along, shift = corrections(sums, scale, mean, inverse, count)
        wanted = [ctx.needs_input_grad[0], True, ctx.has_bias]
        sizes = [turned.shape[0]] if ctx.has_bias else None
        geometry = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
        gw = torch.zeros_like(turned, dtype=gamma.dtype)
        gb = torch.zeros_like(gamma)
        into_x: list[Tensor] = []
        begin = 0
        for c, place in zip(pieces[: ctx.n_pieces], pieces[ctx.n_pieces :], strict=True):
            end = begin + len(c)
            from_pool = aten.max_pool2d_with_indices_backward(
                g[begin:end], c, [pool[0]] * 2, [pool[1]] * 2, [pool[2]] * 2, [1, 1], False,
                place.long(),
            )  # fmt: skip
            gc = affine_(torch.empty_like(c), c, along, shift)
            add_scaled_(gc, from_pool, scale)
            found = aten.convolution_backward(gc, x[begin:end], turned, sizes, *geometry, wanted)
            if wanted[0]:
                into_x.append(found[0])
            gw += found[1]
            if ctx.has_bias:
                gb += found[2]
            begin = end
        gx = torch.cat(into_x) if wanted[0] else None
        gw = (gw * sign.view(-1, 1, 1, 1)).to(turned.dtype)
        return (
            gx,
            gw,
            (gb * sign).to(turned.dtype) if ctx.has_bias else None,
            sums[0] * sign,
            sums[1],
            None,
        )


def _frames_a_piece(x: Tensor, weight: Tensor, stride: int, padding: int) -> int:
    sides = [
        (side + 2 * padding - k) // stride + 1
        for side, k in zip(x.shape[2:], weight.shape[2:], strict=True)
    ]
    return max(1, PIECE_BYTES // (weight.shape[0] * sides[0] * sides[1] * x.element_size()))


def _index_dtype(c: Tensor) -> torch.dtype:
    """The smallest type that can count the pixels of a frame."""
    return torch.uint16 if c.shape[2] * c.shape[3] <= 1 << 16 else torch.int32
