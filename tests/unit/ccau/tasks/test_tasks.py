"""The identities between tasks, and what absence may not do."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from baselines.ccau.config.objective_config import (
    AlignmentConfig,
    CompositionConfig,
    DistillationConfig,
)
from baselines.ccau.tasks import ClipLabels, Cooperative, CooperativeKD, Single, StaticKD
from homage_sdk.errors import UsageError
from tests.unit.ccau.models import oracles
from tests.unit.ccau.models.batches import ALL, batch, nets

OFF = AlignmentConfig(weight=0.0)


def train(task, n_steps=4, modalities=None, absent=None):
    """A few Adam steps; returns the weights and buffers."""
    task.train()
    optimizer = torch.optim.Adam(task.parameter_groups(), lr=1e-2)
    for step in range(n_steps):
        inputs, targets = batch(4, seed=step, modalities=modalities or task.modalities)
        for m, rows in (absent or {}).items():
            if m in targets.present:
                targets.present[m][list(rows)] = False
        optimizer.zero_grad()
        losses = task.losses(inputs, targets, step=step)
        losses["total"].backward()
        optimizer.step()
    return {k: v.clone() for k, v in task.nets.state_dict().items()}


def differing(a, b):
    return [k for k in a if not torch.equal(a[k], b[k])]


@pytest.mark.parametrize("weighting", ["lambda", "uncertainty"])
def test_cooperative_without_alignment_is_single_training_bit_for_bit(weighting):
    config = CompositionConfig(weighting=weighting)
    absent = {"ego": (2,), "audio": (0, 1)}
    both = train(Cooperative(nets(), config, OFF), absent=absent)
    together = train(Single(nets(), config), absent=absent)
    assert not differing(together, both)
    for m in ALL:
        alone = train(Single(nets((m,)), config), absent=absent)
        assert alone.keys() == {k for k in both if k.startswith(f"{m}.")}
        assert not differing(alone, both)
    fresh = Single(nets()).nets.state_dict()
    assert differing(fresh, both)  # they have moved at all


def test_alignment_changes_every_modality():
    without = train(Cooperative(nets(), align=OFF))
    with_ = train(Cooperative(nets(), align=AlignmentConfig(negatives="batch")))
    changed = {k.split(".")[0] for k in differing(without, with_)}
    assert changed == set(ALL)


def test_static_distillation_leaves_the_teachers_untouched():
    task = StaticKD(nets(), distillation=DistillationConfig(weight=0.7))
    for net in task.nets.values():  # teachers that have been somewhere
        net.train()
        net(batch(4, seed=99)[0][net.modality])
    task.train()
    before = {k: v.clone() for k, v in task.nets.state_dict().items()}
    after = train(task)
    assert {k.split(".")[0] for k in differing(before, after)} == {"ego"}
    assert not any(task.net(m).training for m in ("third", "audio", "scene_graph"))
    assert task.net("ego").training
    assert all(p.grad is None for m in task.teachers("ego") for p in task.net(m).parameters())
    assert [g["name"] for g in task.parameter_groups()] == ["ego"]


def test_static_distillation_with_weight_0_is_single_training_of_the_student():
    single = train(Single(nets(("ego",))))
    distilled = train(StaticKD(nets(), distillation=DistillationConfig(weight=0.0)))
    assert not differing(single, {k: distilled[k] for k in single})


def test_cooperative_teachers_get_no_gradient_from_their_students():
    task = CooperativeKD(nets(("ego", "audio")))
    inputs, targets = batch(4, modalities=("ego", "audio"))
    task.losses(inputs, targets, step=0)["ego/total"].backward()
    assert all(p.grad is None for p in task.net("audio").parameters())
    assert any(p.grad is not None for p in task.net("ego").parameters())


def test_distillation_follows_its_formula():
    task = CooperativeKD(nets(("ego", "audio"), classify="clip"))
    task.eval()
    inputs, targets = batch(4, modalities=("ego", "audio"), absent={"audio": (1,)})
    out = task.outputs(inputs, targets, step=0)
    rows = torch.tensor([True, False, True, True])
    with torch.no_grad():
        found = task.losses(inputs, targets, step=0)
        hard = oracles.cross_entropy(out["ego"].activity, targets.activity, [True] * 4)
        kl = oracles.activity_kl(out["ego"].activity, [out["audio"].activity], [rows], 2.5)
    assert float(found["ego/activity"]) == pytest.approx(0.9 * hard + 0.1 * 6.25 * kl, rel=1e-4)


@pytest.mark.parametrize("classify", ["clip", "block"])
def test_losses_follow_their_formulas(classify):
    task = Cooperative(
        nets(("ego", "third"), classify=classify),
        align=AlignmentConfig(negatives="video", tau=0.5, weight=3.0),
    ).eval()
    inputs, targets = batch(4, modalities=("ego", "third"), absent={"third": (1,)})
    targets.block_valid[2, 2] = False
    with torch.no_grad():
        out = task.outputs(inputs, targets, step=0)
        found = task.losses(inputs, targets, step=0)
    rows = {"ego": [0, 1, 2, 3], "third": [0, 2, 3]}
    valid = targets.block_valid
    for m, having in rows.items():
        if classify == "clip":
            picked = [(out[m].activity[r], targets.activity[r]) for r in having]
            many = [(out[m].atomic[r], targets.atomic_clip[r]) for r in having]
        else:
            where = [(r, n) for r in having for n in range(3) if valid[r, n]]
            picked = [(out[m].activity_block[w], targets.activity[w[0]]) for w in where]
            many = [(out[m].atomic_block[w], targets.atomic_block[w]) for w in where]
        all_ = [True] * len(picked)
        v = oracles.cross_entropy([z for z, _ in picked], [int(y) for _, y in picked], all_)
        a = oracles.atomic([z for z, _ in many], [y.tolist() for _, y in many], all_)
        assert float(found[f"{m}/activity"]) == pytest.approx(v, rel=1e-4)
        assert float(found[f"{m}/atomic"]) == pytest.approx(a, rel=1e-4)
        assert float(found[f"{m}/total"]) == pytest.approx(v + 10 * a, rel=1e-4)
    both = valid & targets.present["third"][:, None]
    aligned = oracles.align(
        out["ego"].blocks, out["third"].blocks, valid, both, tau=0.5, same_video=True
    )
    assert float(found["alignment/ego-third"]) == pytest.approx(aligned, rel=1e-4)
    total = sum(float(found[f"{m}/total"]) for m in rows) + 3.0 * aligned
    assert float(found["total"]) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("kind", ["single", "cooperative", "distillation"])
def test_atomic_actions_weigh_the_same_against_alignment_with_and_without_activities(kind):
    """Learned alone they pull at the encoder as they do beside activities; so Table 6 compares."""
    of_encoder = {}
    for targets in ("both", "activity", "atomic"):
        config = CompositionConfig(targets=targets)
        task = {
            "single": lambda c: Single(nets(("ego", "third")), c),
            "cooperative": lambda c: Cooperative(nets(("ego", "third")), c),
            "distillation": lambda c: CooperativeKD(nets(("ego", "third")), c),
        }[kind](config)
        losses = task.losses(*batch(4, modalities=("ego", "third")), step=0)
        aligned = losses.get("alignment/total", torch.zeros(()))
        of_encoder[targets] = losses["total"] - aligned, aligned
        if targets == "atomic":
            expected = 10.0 * (losses["ego/atomic"] + losses["third/atomic"]) + aligned
            torch.testing.assert_close(losses["total"], expected)
    labels = {targets: each[0] for targets, each in of_encoder.items()}
    torch.testing.assert_close(labels["both"], labels["activity"] + labels["atomic"])
    assert of_encoder["both"][1] == of_encoder["atomic"][1]


def test_audio_aligns_whole_clips_under_block_granularity():
    task = Cooperative(nets(("ego", "audio")), align=AlignmentConfig()).eval()
    inputs, targets = batch(4, modalities=("ego", "audio"))
    targets.block_valid[0, 2] = False
    with torch.no_grad():
        out = task.outputs(inputs, targets, step=0)
        found = task.losses(inputs, targets, step=0)
    n = targets.block_valid.sum(1, keepdim=True)
    ego = (out["ego"].blocks * targets.block_valid[..., None]).sum(1) / n
    ones = torch.ones(4, 1, dtype=torch.bool)
    expected = oracles.align(ego[:, None], out["audio"].clip[:, None], ones, ones)
    assert float(found["alignment/ego-audio"]) == pytest.approx(expected, rel=1e-4)


def test_absent_rows_leave_losses_gradients_and_statistics_as_without_them():
    """A batch with two rows lacking ego trains ego as the batch of the other two rows does."""
    inputs, targets = batch(4, modalities=("ego",), absent={"ego": (1, 3)})
    inputs["ego"][[1, 3]] = float("nan")  # whatever is there must not be looked at
    kept = torch.tensor([0, 2])
    cut = ClipLabels(
        targets.activity[kept],
        targets.atomic_clip[kept],
        targets.atomic_block[kept],
        targets.block_valid[kept],
        targets.atomic_known[kept],
    )
    states = []
    for x, t in ((inputs, targets), ({"ego": inputs["ego"][kept]}, cut)):
        task = Single(nets(("ego",))).train()
        task.losses(x, t, step=0)["total"].backward()
        gradients = {k: p.grad for k, p in task.named_parameters() if p.grad is not None}
        states.append({**gradients, **dict(task.named_buffers())})
    for key, value in states[1].items():
        torch.testing.assert_close(states[0][key], value, rtol=1e-5, atol=1e-7, msg=key)


def test_a_sequence_without_atomic_labels_teaches_no_absence_of_actions():
    """Its zeros are no labels: the atomic loss is that of the other rows alone."""
    inputs, targets = batch(4, modalities=("ego",))
    targets.atomic_known[[1, 3]] = False
    task = Single(nets(("ego",))).eval()
    before = float(task.losses(inputs, targets, step=0)["ego/atomic"].detach())
    targets.atomic_clip[[1, 3]] = 1 - targets.atomic_clip[[1, 3]]
    targets.atomic_block[[1, 3]] = 1 - targets.atomic_block[[1, 3]]
    assert float(task.losses(inputs, targets, step=0)["ego/atomic"].detach()) == before
    targets.atomic_known[:] = True
    assert float(task.losses(inputs, targets, step=0)["ego/atomic"].detach()) != before


def test_one_clip_shows_no_deviation_and_no_collapse():
    inputs, targets = batch(2, modalities=("ego",), absent={"ego": (1,)})
    losses = Single(nets(("ego",))).eval().losses(inputs, targets, step=0)
    assert torch.isnan(losses["stat/context_std/ego"]) and torch.isfinite(losses["total"])


@pytest.mark.parametrize("make", [Single, Cooperative, CooperativeKD, StaticKD])
def test_a_modality_that_nobody_has_is_no_crash_and_no_gradient(make):
    absent = {"audio": range(4), "third": range(4), "scene_graph": (0, 1, 2)}
    inputs, targets = batch(4, absent=absent)
    task = make(nets()).train()
    losses = task.losses(inputs, targets, step=0)
    assert torch.isfinite(losses["total"])
    losses["total"].backward()
    gradients = {k.split(".")[1]: 0.0 for k, _ in task.named_parameters()}
    for key, p in task.named_parameters():
        if p.grad is not None:
            assert torch.isfinite(p.grad).all(), key
            gradients[key.split(".")[1]] += p.grad.abs().sum().item()
    assert gradients["ego"] > 0
    assert gradients["audio"] == gradients["third"] == 0


@pytest.mark.parametrize("make", [Single, Cooperative, CooperativeKD, StaticKD])
def test_an_all_absent_batch_is_a_loss_of_0(make):
    inputs, targets = batch(2, absent={m: range(2) for m in ALL})
    assert float(make(nets()).train().losses(inputs, targets, step=0)["total"]) == 0.0


def test_every_subset_of_modalities_and_labels_trains():
    for count in (1, 2, 4):
        for modalities in combinations(ALL, count):
            for labels in ("activity", "atomic", "both"):
                makers = [Single] if count == 1 else [Cooperative]
                for make in makers:
                    task = make(nets(modalities), CompositionConfig(targets=labels)).train()
                    inputs, targets = batch(2, modalities=modalities)
                    losses = task.losses(inputs, targets, step=0)
                    losses["total"].backward()
                    named = {k for k in losses if k.startswith(f"{modalities[0]}/")}
                    parts = {"activity", "atomic"} if labels == "both" else {labels}
                    assert named == {f"{modalities[0]}/{p}" for p in parts | {"total"}}


def test_unknown_activities_do_not_train_the_activity_head():
    inputs, targets = batch(3, modalities=("ego",))
    targets.activity[:] = -1
    task = Single(nets(("ego",))).train()
    losses = task.losses(inputs, targets, step=0)
    assert float(losses["ego/activity"]) == 0.0
    assert float(losses["ego/atomic"]) > 0.0


def test_parameter_groups_hold_every_trained_parameter_once():
    task = Cooperative(
        nets(),
        CompositionConfig(weighting="uncertainty"),
        AlignmentConfig(granularity="clip", projection="pair"),
    )
    groups = task.parameter_groups()
    assert [g["name"] for g in groups] == [*ALL, "alignment", "uncertainty"]
    assert groups[-1]["weight_decay"] == 0.0
    held = [id(p) for g in groups for p in g["params"]]
    assert len(held) == len(set(held)) == len(list(task.parameters()))
    assert all(float(p.detach().abs().sum()) == 0.0 for p in groups[-1]["params"])


def test_uncertainty_weights_learn():
    task = Single(nets(("ego",)), CompositionConfig(weighting="uncertainty"))
    train(task, n_steps=2)
    assert task.log_variance["ego"].detach().abs().min() > 0


def test_impossible_tasks_are_one_line():
    both = nets(("ego", "audio"))
    inputs, targets = batch(2, modalities=("ego",))
    for call in (
        lambda: Single({}),
        lambda: CooperativeKD(nets(("ego",))),
        lambda: StaticKD(both, students=("third",)),
        lambda: StaticKD(both, students=("ego", "audio")),
        lambda: Cooperative(both, align=AlignmentConfig(projection="pair")),
        lambda: Cooperative(nets(("ego",))).losses(inputs, targets, step=0),
        lambda: Single(both).losses(inputs, targets, step=0),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [Single, Cooperative, CooperativeKD, StaticKD])
def test_bfloat16_networks_have_float32_losses_near_those_of_float32(make):
    inputs, targets = batch(4)
    losses = {}
    for enabled in (False, True):
        task = make(nets(gru_dropout=0.0, head_dropout=0.0)).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses[enabled] = task.losses(inputs, targets, step=0)
        losses[enabled]["total"].backward()
        assert all(v.dtype == torch.float32 for v in losses[enabled].values())
        assert all(torch.isfinite(p.grad).all() for p in task.parameters() if p.grad is not None)
    for name, value in losses[False].items():
        if not name.startswith("stat/"):
            assert float(losses[True][name]) == pytest.approx(float(value), rel=0.1, abs=0.05), name
