"""Fewer passes over memory, the same numbers: fused against plain modules."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from baselines.ccau.models import channels, fused, pooled
from baselines.ccau.models.batch_norms import ChannelNorm, PixelNorm
from tests.unit.ccau.models.batches import batch, nets

LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def norm_of(kind, channels, dtype, negative=True):
    g = torch.Generator().manual_seed(channels)
    made = kind(channels).to(dtype)
    with torch.no_grad():
        made.weight.copy_(torch.randn(channels, generator=g) if negative else 1.0)
        made.bias.copy_(torch.randn(channels, generator=g))
    return made.train()


def compare(ours, theirs, x, parameters, rtol):
    """Outputs, all gradients and all buffers of two functions of x."""
    results = []
    for function, (module, tensors) in ((ours, parameters[0]), (theirs, parameters[1])):
        y = x.clone(memory_format=torch.preserve_format).requires_grad_()
        out = function(y)
        weight = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)
        grads = torch.autograd.grad((out * weight).sum(), [y, *tensors])
        results.append([out, *grads, *module.buffers()])
    for a, b in zip(*results, strict=True):
        scale = max(b.abs().max().item(), 1.0)
        torch.testing.assert_close(a, b, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
@pytest.mark.parametrize("shape", [(6, 5, 7, 8), (3, 5, 2, 4, 6)])
@pytest.mark.parametrize("relu", [True, False])
def test_normalisation_and_relu(dtype, rtol, shape, relu):
    x = (3 * torch.randn(shape, dtype=dtype) + 5).contiguous(memory_format=LAST[len(shape)])
    a = norm_of(PixelNorm, 5, dtype)
    b = copy.deepcopy(a)
    assert fused.fusable(a, x)
    ours = fused.norm_relu if relu else fused.norm_only
    plain = nn.BatchNorm3d.forward

    def theirs(y):
        out = plain(b, y)
        return F.relu(out) if relu else out

    pairs = [(m, [m.weight, m.bias]) for m in (a, b)]
    # the product keeps the gradient of the ReLU its own, as norm_relu asks for
    compare(lambda y: ours(a, y) * 1.0, lambda y: theirs(y) * 1.0, x, pairs, rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "pool", "bias"),
    [(7, 2, 3, (3, 2, 1), False), (3, 1, 1, (2, 2, 0), True)],
)
def test_pooling_before_normalisation(dtype, rtol, kernel, stride, padding, pool, bias):
    torch.manual_seed(1)
    conv = nn.Conv2d(3, 6, kernel, stride, padding, bias=bias).to(dtype)
    a = norm_of(ChannelNorm, 6, dtype)
    assert (a.weight < 0).any()
    b = copy.deepcopy(a)
    x = torch.randn(4, 3, 20, 18, dtype=dtype).contiguous(memory_format=torch.channels_last)

    def ours(y):
        return pooled.conv_norm_relu_pool(y, (conv.weight, conv.bias, stride, padding), a, pool)

    def theirs(y):
        return F.max_pool2d(F.relu(nn.BatchNorm2d.forward(b, conv(y))), *pool)

    pairs = [(m, [m.weight, m.bias, conv.weight]) for m in (a, b)]
    compare(ours, theirs, x, pairs, rtol)
    if bias:  # a normalised convolution does not depend on its bias: both gradients are noise
        for function in (ours, theirs):
            (gradient,) = torch.autograd.grad(function(x).square().sum(), conv.bias)
            assert gradient.abs().max() < 1e3 * torch.finfo(dtype).eps * x.numel()


def test_bfloat16_is_as_near_to_float32_as_the_plain_modules():
    torch.manual_seed(2)
    x = torch.randn(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
    g = torch.randn(8, 8, 8, 8)
    found = []
    for low, plain in ((False, True), (True, True), (True, False)):
        norm = norm_of(PixelNorm, 8, torch.float32)
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            if plain:
                y = F.max_pool2d(F.relu(nn.BatchNorm3d.forward(norm, conv(x))), 3, 2, 1)
            else:
                y = pooled.conv_norm_relu_pool(x, (conv.weight, None, 2, 3), norm, (3, 2, 1))
        tensors = [conv.weight, norm.weight, norm.bias]
        found.append(torch.autograd.grad((y.float() * g).sum(), tensors))
    for exact, library, ours in zip(*found, strict=True):
        allowed = 2 * (library - exact).norm() + 1e-3 * exact.norm()
        assert (ours - exact).norm() <= allowed


def test_everything_else_takes_the_plain_modules():
    x = torch.randn(4, 5, 6, 6).contiguous(memory_format=torch.channels_last)
    norm = norm_of(PixelNorm, 5, torch.float32)
    assert fused.fusable(norm, x)
    assert not fused.fusable(norm, x.contiguous())
    assert not fused.fusable(nn.SyncBatchNorm(5), x)
    with torch.no_grad():
        assert not fused.fusable(norm, x)
    assert not fused.fusable(norm.eval(), x)
    expected = F.relu(nn.BatchNorm3d.forward(norm, x))
    assert torch.equal(fused.norm_relu(norm, x), expected)


def test_a_large_mean_does_not_cost_the_variance():
    x = (10 + torch.randn(64, 4, 8, 8)).contiguous(memory_format=torch.channels_last)
    moments = channels.Moments()
    for piece in x.split(20):
        moments.add(piece)
    mean, variance = moments.result()
    exact = x.double().var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(variance.double(), exact, rtol=1e-4, atol=0)
    torch.testing.assert_close(mean.double(), x.double().mean(dim=(0, 2, 3)), rtol=1e-6, atol=0)


def test_pooling_in_pieces_equals_pooling_at_once(monkeypatch):
    torch.manual_seed(3)
    conv = nn.Conv2d(3, 6, 3, 1, 1, bias=False).double()
    x = torch.randn(7, 3, 8, 10, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    frame_bytes = 6 * 8 * 10 * 8
    found = []
    for n_frames in (1, 3, 7):
        monkeypatch.setattr(pooled, "PIECE_BYTES", n_frames * frame_bytes)
        norm = norm_of(ChannelNorm, 6, torch.float64)
        y = x.clone(memory_format=torch.preserve_format).requires_grad_()
        out = pooled.conv_norm_relu_pool(y, (conv.weight, None, 1, 1), norm, (2, 2, 0))
        tensors = [y, conv.weight, norm.weight, norm.bias]
        found.append([out, *torch.autograd.grad(out.square().sum(), tensors), *norm.buffers()])
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("channels_", [1, 5, 12, 64, 300])
@pytest.mark.parametrize("rows", [3, 6, 64])
def test_wide_rows_hold_the_numbers_of_plain_ones(channels_, rows):
    g, x = (torch.randn(rows, channels_, 1, 2, dtype=torch.float64) for _ in range(2))
    g, x = (t.contiguous(memory_format=torch.channels_last) for t in (g, x))
    mean, scale = torch.randn(2, channels_, dtype=torch.float64)
    per_channel = mean.view(-1, 1, 1), scale.view(-1, 1, 1)
    dot, total = channels.dot_and_sum(g, x, mean, scale)
    expected = (g * (x - per_channel[0]) * per_channel[1]).sum(dim=(0, 2, 3))
    torch.testing.assert_close(dot, expected)
    torch.testing.assert_close(total, g.sum(dim=(0, 2, 3)))
    out = channels.affine_(torch.empty_like(x), x, scale, mean)
    torch.testing.assert_close(out, x * per_channel[1] + per_channel[0])
    both = out + g * per_channel[0]
    torch.testing.assert_close(channels.add_scaled_(out, g, mean), both)


@pytest.mark.parametrize("modality", ["ego", "third", "audio"])
def test_every_normalisation_of_a_training_step_is_fused(modality, monkeypatch):
    net = nets((modality,))[modality].train()
    plain = []
    for kind in (ChannelNorm, PixelNorm):
        monkeypatch.setattr(kind, "forward", lambda self, x: plain.append(x.shape) or x)
    inputs, _ = batch(modalities=(modality,), side=64)
    net(inputs[modality])
    assert not plain


@pytest.mark.parametrize("relu", [False, True])
def test_a_sum_with_a_shortcut_equals_the_plain_modules(relu):
    """Forward and all gradients, the shortcut's among them, in float64."""
    torch.manual_seed(5)
    x, shortcut, g = (
        torch.randn(6, 5, 4, 4, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
        for _ in range(3)
    )
    found = []
    for plain in (True, False):
        norm = norm_of(PixelNorm, 5, torch.float64)
        a, b = (
            t.clone(memory_format=torch.preserve_format).requires_grad_() for t in (x, shortcut)
        )
        if plain:
            y = nn.BatchNorm3d.forward(norm, a) + b
            y = F.relu(y) if relu else y
        else:
            y = fused.norm_add(norm, a * 1, b * 1, relu=relu)
        tensors = [a, b, norm.weight, norm.bias]
        found.append([y, *torch.autograd.grad(y, tensors, g.clone()), *norm.buffers()])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
