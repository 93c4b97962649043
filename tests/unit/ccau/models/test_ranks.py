"""Several ranks compute the gradient of the full batch, to 1e-6 and better."""

from __future__ import annotations

import pytest
import torch

from tests.unit.ccau.models.ranks import VARIANTS, make_task, split, whole_batch, work
from tests.unit.ccau.rank_processes import run_ranks


@pytest.fixture(scope="module")
def full():
    """Losses and gradients of one process with all rows."""
    found = {}
    for name in (*VARIANTS, "kd"):
        task = make_task(name)
        losses = task.losses(*whole_batch(), step=0)
        losses["total"].backward()
        found[name] = {k: p.grad for k, p in task.named_parameters() if p.grad is not None}
        found[name]["total"] = losses["total"].detach()
    return found


@pytest.mark.slow
def test_gradients_of_ranks_equal_the_full_batch(full, tmp_path):
    size = 3
    assert len({len(rows) for rows in split(6, size)}) > 1  # the shares are unequal
    run_ranks(work, size, size, str(tmp_path))
    for rank in range(size):
        found = torch.load(tmp_path / f"{size}-{rank}.pt")
        both = [*full.items(), *((f"{name} whole", each) for name, each in full.items())]
        for name, expected in both:
            for key, value in expected.items():
                if key == "total" and "whole" in name:
                    continue
                gap = (found[name][key] - value).abs().max() / value.abs().max().clamp(min=1e-12)
                if value.abs().max() > 1e-9:
                    assert gap < 1e-6, f"{name}: {key} differs by {gap}"
        assert all((buffer == 1).all() for buffer in found["buffers"].values())  # the first rank's
        assert int(found["own"]["negatives"]) == 6 * size - 1
        assert found["own"]["x"].abs().sum() > 0
    assert torch.isfinite(torch.load(tmp_path / f"{size}-0.pt")["alone"]["total"])
