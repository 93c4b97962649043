"""Composition and distillation against float64 loops, gradients, masks and extremes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.ccau.losses.composition import (
    activity_loss,
    atomic_loss,
    weighted_by_uncertainty,
)
from baselines.ccau.losses.distillation import (
    activity_divergence,
    atomic_divergence,
    distilled,
)
from homage_sdk.errors import UsageError
from tests.unit.ccau.models import oracles

SEEDS = st.integers(0, 10_000)


def draw(seed, rows=4, classes=5, scale=3.0, share=0.7):
    g = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(rows, classes, generator=g, dtype=torch.float64)
    labels = torch.randint(-1, classes, (rows,), generator=g)
    many = torch.rand(rows, classes, generator=g).lt(0.3).double()
    mask = torch.rand(rows, generator=g) < share
    return logits, labels, many, mask


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, scale=st.sampled_from([0.1, 3.0, 100.0]))
def test_activity_loss_is_cross_entropy_over_the_rows_that_count(seed, scale):
    logits, labels, _, mask = draw(seed, scale=scale)
    expected = oracles.cross_entropy(logits, labels, mask)
    assert float(activity_loss(logits, labels, mask)) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, scale=st.sampled_from([0.1, 3.0, 100.0]), focal=st.booleans())
def test_atomic_loss_is_bce_or_the_authors_focal_loss(seed, scale, focal):
    logits, _, many, mask = draw(seed, scale=scale)
    options = {"gamma": 2.0, "positive_weight": 10.0} if focal else {}
    expected = oracles.atomic(logits, many, mask, **options)
    found = float(atomic_loss(logits, many, mask, focal=focal))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_focal_loss_is_the_public_codes_formula_where_that_does_not_clamp():
    logits, _, many, _ = draw(1, scale=1.0)
    p = torch.sigmoid(logits)
    p_t = p * many + (1 - p) * (1 - many)
    theirs = ((10 * many + (1 - many)) * -torch.log(p_t) * (1 - p_t) ** 2).mean()
    ours = atomic_loss(logits, many, torch.ones(4, dtype=torch.bool), focal=True)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("focal", [False, True])
def test_gradients_of_the_label_losses(focal):
    logits, labels, many, _ = draw(2)
    mask = torch.tensor([True, False, True, True])
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: activity_loss(z, labels, mask), logits)
    assert torch.autograd.gradcheck(lambda z: atomic_loss(z, many, mask, focal=focal), logits)


def test_absent_rows_have_no_influence_and_all_absent_gives_zero():
    logits, labels, many, _ = draw(3)
    mask = torch.tensor([True, False, True, False])
    spoiled = torch.where(mask[:, None], logits, torch.inf).requires_grad_()
    for call in (
        lambda z, m: activity_loss(z, labels.abs(), m),
        lambda z, m: atomic_loss(z, many, m),
        lambda z, m: atomic_loss(z, many, m, focal=True),
        lambda z, m: activity_divergence(z, [logits], [m], 2.0),
        lambda z, m: atomic_divergence(z, [logits], [m], 2.0),
    ):
        assert float(call(logits, mask)) == float(
            call(torch.where(mask[:, None], logits, 1e4), mask)
        )
        none = call(logits.clone().requires_grad_(), torch.zeros(4, dtype=torch.bool))
        assert float(none) == 0.0
        none.backward()
    loss = activity_loss(spoiled, labels.abs(), mask)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(spoiled.grad).all()


def test_huge_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    many = torch.tensor([[0.0, 1.0, 0.0]])
    row = torch.tensor([True])
    for loss in (
        activity_loss(logits, torch.tensor([1]), row),
        atomic_loss(logits, many, row),
        atomic_loss(logits, many, row, focal=True),
        activity_divergence(logits, [-logits], [row], 1.0),
        atomic_divergence(logits, [-logits], [row], 1.0),
    ):
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()


def test_uncertainty_weights():
    v, a = torch.tensor(2.0), torch.tensor(0.3)
    s = torch.tensor([0.4, -1.0], requires_grad=True)
    found = weighted_by_uncertainty(torch.stack([v, a]), s)
    expected = math.exp(-0.4) * 2.0 + 0.2 + math.exp(1.0) * 0.3 - 0.5
    assert float(found) == pytest.approx(expected)
    found.backward()
    torch.testing.assert_close(
        s.grad, torch.tensor([-math.exp(-0.4) * 2.0 + 0.5, -math.exp(1.0) * 0.3 + 0.5])
    )
    start = weighted_by_uncertainty(torch.stack([v, a]), torch.zeros(2))
    assert float(start) == pytest.approx(2.3)
    wild = weighted_by_uncertainty(torch.stack([v, a]), torch.tensor([-1e9, 1e9]))
    assert float(wild) == pytest.approx(math.exp(5) * 2 - 2.5 + math.exp(-5) * 0.3 + 2.5)


@pytest.mark.parametrize(("start", "losses"), [(-5.5, (3.0, 3.0)), (5.5, (1e-4, 1e-4))])
def test_an_uncertainty_weight_that_passed_its_bound_comes_back(start, losses):
    s = torch.full((2,), start, requires_grad=True)
    optimizer = torch.optim.Adam([s], lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        weighted_by_uncertainty(torch.tensor(losses), s).backward()
        optimizer.step()
    assert s.detach().abs().max() < 5
    # What would drive it further out has no effect: it does not wander off beyond recall.
    outwards = torch.tensor([start], requires_grad=True)
    weighted_by_uncertainty(torch.tensor([0.0 if start < 0 else 1e9]), outwards).backward()
    assert float(outwards.grad) == 0.0


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, temperature=st.sampled_from([0.5, 1.0, 2.5, 50.0]))
def test_divergences_are_kullback_leibler_over_the_teachers_there_are(seed, temperature):
    student = draw(seed)[0]
    teachers = [draw(seed + i)[0] for i in (1, 2)]
    rows = [draw(seed + i)[3] for i in (3, 4)]
    for ours, theirs in (
        (activity_divergence, oracles.activity_kl),
        (atomic_divergence, oracles.atomic_kl),
    ):
        expected = theirs(student, teachers, rows, temperature)
        found = float(ours(student, teachers, rows, temperature))
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_teachers_get_no_gradient_and_students_the_right_one():
    student, teacher = draw(4)[0].requires_grad_(), draw(5)[0].requires_grad_()
    mask = torch.tensor([True, True, False, True])
    for divergence in (activity_divergence, atomic_divergence):
        loss = divergence(student, [teacher], [mask], 2.5)
        assert torch.autograd.grad(loss, teacher, allow_unused=True, retain_graph=True)[0] is None
        assert torch.autograd.gradcheck(
            lambda z, f=divergence: f(z, [teacher.detach()], [mask], 2.5), student
        )


def test_distilled_weighs_and_keeps_the_gradients_size():
    found = distilled(torch.tensor(2.0), torch.tensor(0.5), weight=0.1, temperature=2.5)
    assert float(found) == pytest.approx(0.9 * 2.0 + 0.1 * 6.25 * 0.5)
    with pytest.raises(UsageError, match="temperature"):
        activity_divergence(draw(1)[0], [draw(2)[0]], [draw(1)[3]], 0.0)
    with pytest.raises(UsageError, match="teacher"):
        activity_divergence(draw(1)[0], [], [], 1.0)


def test_losses_are_float32_under_bfloat16():
    logits, labels, many, _ = draw(9)
    low = logits.bfloat16()
    mask = torch.ones(4, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        for loss in (
            activity_loss(low, labels, mask),
            atomic_loss(low, many, mask, focal=True),
            activity_divergence(low, [low], [mask], 2.0),
            atomic_divergence(low, [low], [mask], 2.0),
        ):
            assert loss.dtype == torch.float32
        expected = oracles.cross_entropy(low.double(), labels, mask)
        assert float(activity_loss(low, labels, mask)) == pytest.approx(expected, rel=1e-5)
