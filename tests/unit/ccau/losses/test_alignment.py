"""Eq. 1 against a float64 loop, its gradient, its masks and its extremes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.ccau.losses.alignment import alignment, over_pairs
from homage_sdk.errors import UsageError
from tests.unit.ccau.models import oracles

KINDS = ["video", "batch", "world", "same_block"]


def draw(seed, n_clips=3, n_blocks=4, dim=5, scale=1.0, share=1.0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    a, b = (scale * torch.randn(n_clips, n_blocks, dim, generator=g, dtype=dtype) for _ in "ab")
    valid = [torch.rand(n_clips, n_blocks, generator=g) < share for _ in "ab"]
    return a, b, *valid


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_clips=st.integers(1, 4),
    n_blocks=st.integers(1, 4),
    share=st.sampled_from([1.0, 0.7, 0.3]),
    tau=st.sampled_from([0.05, 0.5, 1.0, 20.0]),
    normalize=st.booleans(),
    negatives=st.sampled_from(["video", "batch", "world"]),
)
def test_the_loss_is_equation_1(seed, n_clips, n_blocks, share, tau, normalize, negatives):
    a, b, valid_a, valid_b = draw(seed, n_clips, n_blocks, share=share, dtype=torch.float64)
    found = alignment(a, b, valid_a, valid_b, tau=tau, normalize=normalize, negatives=negatives)
    expected = oracles.align(
        a, b, valid_a, valid_b, tau=tau, normalize=normalize, same_video=negatives == "video"
    )
    assert float(found.loss) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert int(found.anchors) == 2 * int((valid_a & valid_b).sum())


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_clips=st.integers(1, 4),
    n_blocks=st.integers(1, 4),
    share=st.sampled_from([1.0, 0.7, 0.3]),
    normalize=st.booleans(),
    centre=st.booleans(),
    negatives=st.sampled_from(KINDS),
)
def test_each_kind_of_negatives_is_what_it_says(
    seed, n_clips, n_blocks, share, normalize, centre, negatives
):
    """Loss, accuracy, chance, placebo and negatives against loops, with masks."""
    a, b, valid_a, valid_b = draw(seed, n_clips, n_blocks, share=share, dtype=torch.float64)
    how = {"tau": 0.5, "normalize": normalize, "centre": centre}
    found = alignment(a, b, valid_a, valid_b, negatives=negatives, **how)
    expected = oracles.align_figures(a, b, valid_a, valid_b, kind=negatives, **how)
    for name, value in expected.items():
        if value is not None:
            assert float(getattr(found, name)) == pytest.approx(
                value, rel=1e-6, abs=1e-9, nan_ok=True
            ), name


def test_a_clock_is_seen_by_the_placebo_and_left_nothing_by_same_block_and_centring():
    """Contexts that tell the block number and nothing else."""
    clock = torch.eye(4).repeat(6, 1, 1) * 9
    noise = [0.1 * torch.randn(6, 4, 4, generator=torch.Generator().manual_seed(s)) for s in (1, 2)]
    valid = torch.ones(6, 4, dtype=torch.bool)
    a, b = clock + noise[0], clock + noise[1]
    video = alignment(a, b, valid, valid, negatives="video")
    assert float(video.accuracy) == float(video.placebo) == 1.0 and float(video.chance) == 0.25
    batch = alignment(a, b, valid, valid, negatives="batch")
    assert float(batch.accuracy) < 0.4 and float(batch.chance) == pytest.approx(1 / 24)
    same = alignment(a, b, valid, valid, negatives="same_block")
    assert float(same.accuracy) < 0.4 and float(same.chance) == pytest.approx(1 / 6)
    assert float(alignment(a, b, valid, valid, negatives="video", centre=True).accuracy) < 0.5
    how = {"negatives": "same_block", "centre": True, "normalize": True}
    shared = alignment(a, a + 0.001 * noise[1], valid, valid, **how)
    assert float(shared.accuracy) == 1.0 and float(shared.placebo) == 0.0


@pytest.mark.parametrize("negatives", ["video", "batch", "same_block"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_the_gradient_is_that_of_the_loss(negatives, normalize, centre):
    a, b, valid_a, valid_b = draw(3, 3, 3, 3, share=0.8, dtype=torch.float64)
    assert (valid_a & valid_b).any()
    assert not (valid_a & valid_b).all()
    a.requires_grad_()
    b.requires_grad_()

    def loss(x, y):
        return alignment(
            x, y, valid_a, valid_b, negatives=negatives, normalize=normalize, tau=0.3, centre=centre
        ).loss

    assert torch.autograd.gradcheck(loss, (a, b))


def test_what_is_not_valid_has_no_influence_and_no_gradient():
    a, b, valid_a, valid_b = draw(5, share=0.6)
    valid_a[1] = False  # a clip without modality a
    loss = alignment(a, b, valid_a, valid_b).loss
    spoiled_a = torch.where(valid_a[..., None], a, 1e6).requires_grad_()
    spoiled_b = torch.where(valid_b[..., None], b, -1e6).requires_grad_()
    spoiled = alignment(spoiled_a, spoiled_b, valid_a, valid_b).loss
    assert torch.equal(loss, spoiled)
    spoiled.backward()
    assert not spoiled_a.grad[~valid_a].any()
    assert not spoiled_b.grad[~valid_b].any()


@pytest.mark.parametrize("negatives", KINDS)
def test_nothing_left_gives_zero_and_zero_gradients(negatives):
    a, b, _, _ = draw(6)
    a.requires_grad_()
    none, all_ = torch.zeros(3, 4, dtype=torch.bool), torch.ones(3, 4, dtype=torch.bool)
    for valid_a, valid_b in ((none, all_), (all_, none), (none, none)):
        found = alignment(a, b, valid_a, valid_b, negatives=negatives)
        assert float(found.loss) == 0.0
        (gradient,) = torch.autograd.grad(found.loss, a)
        assert not gradient.any()
        for figure in (found.accuracy, found.chance, found.placebo, found.negatives):
            assert math.isnan(float(figure))  # nothing was measured


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 1e6])
def test_extreme_temperatures_stay_finite(tau):
    a, b, valid_a, valid_b = draw(7, dim=64, scale=2.0)
    a.requires_grad_()
    found = alignment(a, b, valid_a, valid_b, tau=tau)
    found.loss.backward()
    assert torch.isfinite(found.loss)
    assert torch.isfinite(a.grad).all()
    expected = oracles.align(a.detach(), b, valid_a, valid_b, tau=tau)
    assert float(found.loss) == pytest.approx(expected, rel=1e-4)
    if tau == 1e6:
        assert float(found.loss) == pytest.approx(math.log(12), rel=1e-4)


def test_perfectly_aligned_orthogonal_contexts_are_all_found():
    a = torch.eye(8).reshape(2, 4, 8) * 30
    valid = torch.ones(2, 4, dtype=torch.bool)
    found = alignment(a, a, valid, valid)
    assert float(found.loss) < 1e-6
    assert float(found.accuracy) == 1.0
    assert float(found.negatives) == 7.0
    assert float(alignment(a, a, valid, valid, negatives="video").negatives) == 3.0


def test_logits_are_float32_under_bfloat16():
    """100 + 0.2 is 100 in bfloat16: the positive would not beat its rival."""
    a = torch.tensor([[[10.0, 0.0]], [[10.0, 0.0]]])
    b = torch.tensor([[[10.0, 0.0]], [[10.0156, 0.0]]])
    valid = torch.ones(2, 1, dtype=torch.bool)
    expected = oracles.align(a, b, valid, valid)
    with torch.autocast("cpu", torch.bfloat16):
        found = alignment(a, b, valid, valid).loss
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_pairs_are_summed_or_averaged():
    losses = [torch.tensor(1.0), torch.tensor(2.0), torch.tensor(6.0)]
    assert float(over_pairs(losses, "sum")) == 9.0
    assert float(over_pairs(losses, "mean")) == 3.0
    with pytest.raises(UsageError, match="two modalities"):
        over_pairs([], "sum")


def test_wrong_calls_are_refused():
    a, b, valid_a, valid_b = draw(8)
    for change in ({"tau": 0.0}, {"tau": float("nan")}, {"negatives": "all"}):
        with pytest.raises(UsageError):
            alignment(a, b, valid_a, valid_b, **change)
    with pytest.raises(UsageError, match="one shape"):
        alignment(a, b[:, :2], valid_a, valid_b)
