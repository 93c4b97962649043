"""bfloat16 on a CPU: gradients that are those of float32 up to rounding."""

import pytest
import torch

from baselines.ccau.models.encoder import BlockConv


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 8, 8), (1, 1, 1), (3, 1, 1), (3, 8, 8)])
def test_the_weight_gradient_of_a_short_block_is_right_in_bfloat16(shape):
    generator = torch.Generator().manual_seed(0)
    conv = BlockConv(16, 16, 3)
    x = torch.randn(8, 16, *shape, generator=generator)
    out = conv(x)
    wanted = torch.randn(out.shape, generator=generator)
    out.backward(wanted)
    right = conv.weight.grad.clone()
    for _ in range(4):
        junk = [torch.full((1 << 14,), float("inf")) for _ in range(20)]
        del junk  # so that memory nobody wrote does not happen to hold zeros
        conv.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16):
            out = conv(x)
        out.backward(wanted.to(out.dtype))
        assert float((conv.weight.grad - right).norm() / right.norm()) < 0.02
