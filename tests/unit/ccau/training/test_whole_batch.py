"""Micro-batches as one large batch: the gradients of the large batch, its negatives included."""

from contextlib import nullcontext

import pytest
import torch

from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.tasks import Single
from baselines.ccau.training import loop
from baselines.ccau.training.train import train
from baselines.ccau.training.whole_batch import MicroBatch, backward
from homage_sdk.errors import TrainingError
from tests.unit.ccau.models.batches import batch, nets, rows_of
from tests.unit.ccau.models.ranks import DTYPE, VARIANTS, make_task, whole_batch

PARTS = ([0, 1], [2], [3, 4, 5])
"""Unequal, and no clip of the last one has sound."""


def make(name):
    return Single(nets()).to(DTYPE).eval() if name == "single" else make_task(name)


def cut(parts):
    whole = whole_batch()
    return [MicroBatch(*rows_of(*whole, rows), 0) for rows in parts]


def gradients(task):
    return {name: p.grad for name, p in task.named_parameters() if p.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*VARIANTS, "kd", "single"])
def test_micro_batches_give_the_gradients_and_losses_of_the_large_batch(name):
    large, small = make(name), make(name)
    expected = large.losses(*whole_batch(), step=0)
    expected["total"].backward()
    found = backward(small, cut(PARTS), nullcontext, lambda _: None)
    for key, value in expected.items():
        if not key.startswith("stat/"):
            torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-12)
    theirs, ours = gradients(large), gradients(small)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-6, atol=1e-12)


def test_without_it_the_negatives_are_fewer():
    large, apart = make("blocks"), make("blocks")
    large.losses(*whole_batch(), step=0)["total"].backward()
    for micro_batch in cut(PARTS):
        (apart.losses(*micro_batch[:2], step=0)["total"] / len(PARTS)).backward()
    gaps = [
        (gradients(apart)[k] - v).abs().max() / v.abs().max() for k, v in gradients(large).items()
    ]
    assert max(gaps) > 0.05


def test_answering_twice_leaves_masks_and_running_statistics_as_once():
    plain, twice = (Single(nets(head_dropout=0.5)).train() for _ in range(2))
    inputs, targets = batch(4, seed=1)
    plain.losses(inputs, targets, step=7)["total"].backward()
    backward(twice, [MicroBatch(inputs, targets, 7)], nullcontext, lambda _: None)
    for key, value in plain.state_dict().items():
        assert torch.equal(twice.state_dict()[key], value), key
    for key, value in gradients(plain).items():
        torch.testing.assert_close(gradients(twice)[key], value, rtol=1e-5, atol=1e-7)


def test_losses_that_are_refused_add_nothing_and_nothing_is_answered_again(monkeypatch):
    # With optim.sync_batchnorm the other ranks would wait in the second answers.
    task, answers = make("single"), []
    plain = task.outputs

    def outputs(*arguments, **options):
        answers.append(1)
        return plain(*arguments, **options)

    def refuse(losses):
        assert torch.isfinite(losses["total"])
        raise TrainingError("no")

    monkeypatch.setattr(task, "outputs", outputs)
    with pytest.raises(TrainingError):
        backward(task, cut(PARTS), nullcontext, refuse)
    assert len(answers) == len(PARTS)
    assert not gradients(task)


def test_a_loss_that_is_not_finite_names_the_sample_of_whichever_micro_batch(
    tiny, small_shards, tmp_path, monkeypatch
):
    plain, huge = loop.prepare, []

    def prepare(batch, *arguments, **options):
        inputs, targets = plain(batch, *arguments, **options)
        if not huge:  # finite, but no network's answer to it is
            row = int(batch.present["ego"].nonzero()[0, 0])
            inputs["ego"][row] = 3e38
            inputs["ego"][row, ..., :16] = -3e38
            huge.append(batch.sequence[row])
        return inputs, targets

    monkeypatch.setattr(loop, "prepare", prepare)
    changes = {"optim.accumulate": 2, "optim.whole_batch": "true", "data.batch_size": 2}
    with pytest.raises(TrainingError) as caught:
        train(tiny(**changes), small_shards, tmp_path)
    assert f"sample {huge[0]} clip" in str(caught.value)


@pytest.mark.slow
def test_a_run_counts_the_negatives_of_the_whole_step(tiny, small_shards, tmp_path):
    negatives = {}
    for whole in (False, True):
        changes = {"optim.accumulate": 2, "optim.whole_batch": str(whole).lower()}
        config = tiny(**changes, **{"data.batch_size": 2, "optim.max_steps": 1})
        train(config, small_shards, tmp_path / str(whole))
        rows = list(read_metrics(tmp_path / str(whole) / "metrics.jsonl"))
        negatives[whole] = rows[0]["stats"]["negatives/ego-third"]
    assert negatives[True] > 1.8 * negatives[False]
