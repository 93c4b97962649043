"""The video encoder: folding, widths, depths, sizes, shapes at the borders."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from baselines.ccau.models.encoder import VideoEncoder
from baselines.ccau.models.initialise import initialise, kaiming_fan_out, torch_default
from homage_sdk.errors import UsageError
from tests.unit.ccau.models.authors import Backbone
from tests.unit.ccau.models.batches import TINY, nets


def encoder(width=4, depth=18, folded=True):
    made = VideoEncoder(width, depth, folded=folded)
    initialise(made, {"": kaiming_fan_out}, seed=0, modality="ego")
    return made


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_folded_convolutions_give_the_numbers_of_plain_ones(depth):
    folded, plain = (encoder(depth=depth, folded=f).double() for f in (True, False))
    x = torch.randn(2, 2, 3, 5, 32, 32, dtype=torch.float64)
    a, b = folded(x), plain(x)
    torch.testing.assert_close(a, b)
    (a**2).sum().backward()
    (b**2).sum().backward()
    for (name, p), q in zip(folded.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, msg=name)
    for (name, p), q in zip(folded.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(p, q, msg=name)


def beside_the_authors(folded, dtype):
    """The cells [2, 3, 4, 16] of our encoder and of theirs, with the same weights."""
    torch.manual_seed(0)
    theirs, ours = Backbone(4), encoder(folded=folded)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 3, 5, 64, 64)
    z = torch.relu(theirs.to(dtype)(x.to(dtype).flatten(0, 1))).mean(2)
    return ours.to(dtype)(x.to(dtype)), z.flatten(2).transpose(1, 2).reshape(2, 3, 4, 16)


@pytest.mark.parametrize("folded", [True, False])
def test_the_encoder_is_an_independent_plain_3d_network(folded):
    torch.testing.assert_close(*beside_the_authors(folded, torch.float64))


@pytest.mark.parametrize("folded", [True, False])
def test_float32_differs_from_that_network_by_rounding_alone(folded):
    ours, theirs = beside_the_authors(folded, torch.float32)
    assert (ours - theirs).norm() < 3e-5 * theirs.norm()


@pytest.mark.parametrize(("side", "cells"), [(32, 1), (64, 4), (96, 9), (128, 16), (100, 16)])
def test_the_grid_is_the_size_over_32(side, cells):
    assert encoder()(torch.zeros(1, 1, 3, 2, side, side)).shape == (1, 1, cells, 16)


def test_memory_order_of_the_input_does_not_matter():
    x = torch.randn(2, 2, 3, 5, 32, 32)
    last = x.permute(0, 1, 3, 4, 5, 2).contiguous().permute(0, 1, 5, 2, 3, 4)
    assert last.stride() != x.stride()
    torch.testing.assert_close(encoder()(x), encoder()(last), rtol=1e-5, atol=1e-6)


def test_bytes_are_normalised_like_floats():
    net = nets(("ego",))["ego"].eval()
    pixels = torch.randint(0, 256, (2, 3, 3, 2, 32, 32), dtype=torch.uint8)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None, None]
    floats = (pixels / 255 - mean) / std
    torch.testing.assert_close(net(pixels).clip, net(floats).clip, rtol=1e-4, atol=1e-5)


def test_width_scales_every_part():
    def count(width):
        return sum(p.numel() for p in nets(width=width)["ego"].parameters())

    assert 3.3 < count(16) / count(8) < 4.2
    for modality, net in nets(width=8).items():
        assert net.config.features == 32, modality


def test_wrong_shapes_and_settings_are_named():
    net = nets(("ego", "audio"))
    for modality, shape in (
        ("ego", (2, 3, 2, 32, 32)),
        ("ego", (2, 3, 2, 3, 32, 32)),
        ("audio", (2, 32, 32)),
        ("audio", (2, 2, 32, 32)),
        ("audio", (2, 1, 16, 32)),
    ):
        with pytest.raises(UsageError, match=r"shape|spectrogram"):
            net[modality](torch.zeros(shape))
    with pytest.raises(UsageError, match="depth"):
        VideoEncoder(8, 101)
    with pytest.raises(UsageError, match="width"):
        VideoEncoder(0)
    with pytest.raises(UsageError, match="modalities"):
        nets(("ego", "smell"))
    with pytest.raises(UsageError, match="bound to its grid"):
        nets(("ego",), replace(TINY, attention="official"))["ego"](torch.zeros(1, 3, 3, 2, 64, 64))
    with pytest.raises(UsageError, match="flatten"):
        nets(("audio",), audio_pool="flatten")["audio"](torch.zeros(1, 1, 32, 64))
    with pytest.raises(UsageError, match="32 x 32"):
        nets(("audio",), n_mels=16)


def test_every_parameter_has_its_own_stream():
    alone, together = nets(("ego",))["ego"], nets(("third", "ego", "audio"))["ego"]
    other_seed, third = nets(("ego",), seed=1)["ego"], nets(("third",))["third"]
    state = alone.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in together.state_dict().items())
    for other in (other_seed, third):
        weights = [k for k, v in state.items() if v.ndim > 1]
        assert not any(torch.equal(state[k], other.state_dict()[k]) for k in weights)


def test_building_networks_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    nets()
    assert torch.equal(before, torch.random.get_rng_state())


def test_initial_values_follow_their_rules():
    net = nets(("ego",), width=16)["ego"]
    conv = net.get_parameter("backbone.layer3.1.conv1.weight")
    fan_out = conv.shape[0] * 27
    assert conv.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    gate = net.get_parameter("agg.ConvGRUCell_00.reset_gate.weight").flatten(1)
    torch.testing.assert_close(gate @ gate.T, torch.eye(64), rtol=1e-4, atol=1e-5)
    assert not net.get_parameter("agg.ConvGRUCell_00.reset_gate.bias").any()
    head = net.get_parameter("final_fc_video.0.weight")
    torch.testing.assert_close(head @ head.T, torch.eye(64), rtol=1e-4, atol=1e-5)
    made = torch.nn.Linear(100, 50)
    initialise(made, {"": torch_default}, seed=0, modality="x", default_bias=("",))
    assert made.weight.abs().max() <= 0.1
    assert 0 < made.bias.abs().max() <= 0.1
