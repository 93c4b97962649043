"""A batch that nobody can learn from: no crash, no step, and no rank that waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.tasks import Cooperative, Single, StaticKD
from tests.unit.ccau.models.batches import batch, nets
from tests.unit.ccau.rank_processes import run_ranks


def step(task, model, optimizer, absent):
    """One step on two clips of which ``absent`` lack ego."""
    inputs, targets = batch(2, modalities=task.modalities, absent={"ego": absent})
    optimizer.zero_grad()
    model(inputs, targets, step=0)["total"].backward()
    optimizer.step()
    return {k: v.clone() for k, v in task.state_dict().items()}


@pytest.mark.parametrize("make", [Single, StaticKD])
def test_a_batch_without_any_trained_modality_moves_nothing(make):
    task = make(nets(("ego",) if make is Single else ("ego", "audio"))).train()
    optimizer = torch.optim.Adam(task.parameter_groups(), lr=0.1, weight_decay=0.1)
    before = step(task, task, optimizer, absent=())  # Adam has momentum from here on
    after = step(task, task, optimizer, absent=(0, 1))
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(p.grad is None for p in task.parameters())


def test_such_a_batch_leaves_single_training_equal_to_cooperative_without_alignment():
    states = []
    for task in (
        Single(nets(("ego",))).train(),
        Cooperative(nets(("ego", "audio")), align=AlignmentConfig(weight=0.0)).train(),
    ):
        optimizer = torch.optim.Adam(task.parameter_groups(), lr=0.1, weight_decay=0.1)
        for absent in ((), (0, 1), ()):
            states.append(step(task, task, optimizer, absent))
    for alone, together in zip(states[:3], states[3:], strict=True):
        assert all(torch.equal(together[key], value) for key, value in alone.items())


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    task = Single(nets(("ego",))).train()
    model = torch.nn.parallel.DistributedDataParallel(task, find_unused_parameters=True)
    optimizer = torch.optim.Adam(task.parameter_groups(), lr=0.1, weight_decay=0.1)
    # In turn: both have ego, this rank or the other lacks it, nobody has it, both again.
    found = []
    for lacking in ((), (0,), (1,), (0, 1), ()):
        found.append(step(task, model, optimizer, absent=(0, 1) if rank in lacking else ()))
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
def test_ranks_without_the_trained_modality_take_part_and_agree(tmp_path):
    run_ranks(_rank, 2, str(tmp_path))
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    parameters = [key for key, _ in Single(nets(("ego",))).named_parameters()]
    moved = []
    for number, (left, right) in enumerate(zip(*ranks, strict=True)):
        assert all(torch.equal(left[key], right[key]) for key in parameters), number
        if number:
            before = ranks[0][number - 1]
            moved.append(any(not torch.equal(before[key], left[key]) for key in parameters))
    assert moved == [True, True, False, True]
