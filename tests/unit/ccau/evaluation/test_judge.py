"""One pass over the clips judges every modality, as a pass for each would."""

import multiprocessing as mp
from contextlib import closing

import numpy as np
import pytest
import torch

from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.runs.build_task import build_task, make_nets
from baselines.ccau.training.schedule import Plateau
from baselines.ccau.training.validation_score import epochs_between
from homage_sdk.shards import ShardSet

MODALITIES = ("ego", "third", "audio")


@pytest.fixture
def shards(small_shards):
    return ShardSet.open(small_shards)


def names_of(shards):
    return sorted({sample.sequence for sample in shards.samples})


def asked(judge, nets, monkeypatch):
    """How many rows each network is asked about in a call."""
    rows = dict.fromkeys(nets, 0)
    for modality, net in nets.items():
        plain = net.forward

        def forward(inputs, valid, modality=modality, plain=plain):
            rows[modality] += len(valid)
            return plain(inputs, valid)

        monkeypatch.setattr(net, "forward", forward)
    judge(nets)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 5])
def test_all_modalities_in_one_pass_say_what_each_says_alone(tiny, shards, size):
    config = tiny(**{"data.eval_batch_size": size})
    nets = {m: net.eval() for m, net in make_nets(config, shards).items()}
    together = Judge(shards, config, MODALITIES, names_of(shards), world=World())(nets)
    assert set(together) == set(MODALITIES)
    for modality, found in together.items():
        alone = Judge(shards, config, [modality], names_of(shards), world=World())(nets)[modality]
        assert alone.sequences == found.sequences
        for field in ("clip_sequence", "clip_view", "clip_number", "atomic_label"):
            np.testing.assert_array_equal(getattr(alone, field), getattr(found, field))
        for field in ("clip_activity", "clip_atomic", "clip_embedding"):
            np.testing.assert_allclose(getattr(alone, field), getattr(found, field), atol=1e-5)


@pytest.mark.slow
def test_rows_of_further_views_are_asked_of_the_third_person_network_alone(
    tiny, shards, monkeypatch
):
    config = tiny(**{"data.eval_batch_size": 1})
    nets = make_nets(config, shards)
    judge = Judge(shards, config, MODALITIES, names_of(shards), world=World())
    rows = asked(judge, nets, monkeypatch)
    n_more = rows["third"] - rows["audio"]
    assert n_more > 0
    assert sum(rows.values()) == judge.n_answers


def test_the_workers_of_the_first_call_serve_the_next(tiny, shards):
    config = tiny(**{"data.workers": 1})
    nets = make_nets(config, shards)
    with closing(Judge(shards, config, ["audio"], names_of(shards), world=World())) as judge:
        judge(nets)
        first = {process.pid for process in mp.active_children()}
        judge(nets)
        assert {process.pid for process in mp.active_children()} == first != set()


@pytest.mark.slow
def test_a_run_in_bf16_is_judged_in_bf16(tiny, shards):
    exact, rough = (
        Judge(shards, tiny(**{"optim.precision": p}), ["third"], names_of(shards), world=World())
        for p in ("fp32", "bf16")
    )
    nets = make_nets(exact.config, shards)
    left, right = exact(nets)["third"], rough(nets)["third"]
    assert not np.array_equal(left.clip_embedding, right.clip_embedding)
    np.testing.assert_allclose(left.clip_activity, right.clip_activity, atol=0.05)


def test_a_validation_costs_at_most_a_tenth_by_count(tiny, shards):
    config = tiny()
    task = build_task(config, shards, torch.device("cpu"))
    judge = Judge(shards, config, task.trained, names_of(shards), world=World())
    for clips in (1, 7, 1000, 10**6):
        every = epochs_between(judge, clips, len(task.modalities))
        per_epoch = 3 * clips * len(task.modalities)
        assert judge.n_answers <= 0.1 * every * per_epoch
        assert every == 1 or judge.n_answers > 0.1 * (every - 1) * per_epoch


def test_patience_counts_epochs_however_rare_validations_are(tiny):
    config = tiny(**{"optim.plateau_patience": 3, "optim.early_stop": 8}).optim
    often, rare = Plateau(), Plateau()
    for plateau in (often, rare):
        plateau.observe(1.0, 0.0, 0, config)
    for step in range(8):
        often.observe(0.5, 0.0, step, config)
    for step in range(2):
        rare.observe(0.5, 0.0, step, config, epochs=4)
    assert often.scale == rare.scale == config.plateau_factor**2
    assert often.exhausted(config)
    assert rare.exhausted(config)
