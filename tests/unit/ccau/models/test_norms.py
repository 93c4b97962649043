"""Batch statistics over ranks: refused without GPUs; with them, the same weights and names."""

import pytest
import torch
from torch import nn

from baselines.ccau.models.batch_norms import absent_here, refuse_synchronised, synchronise
from baselines.ccau.planning.doctor import examine
from baselines.ccau.runs.build_task import build_task
from baselines.ccau.training.train import train
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet


def test_shared_statistics_are_refused_on_a_cpu_before_anything_is_written(
    tiny, small_shards, tmp_path
):
    with pytest.raises(ConfigError, match=r"optim\.sync_batchnorm needs GPUs.*cpu") as caught:
        train(tiny(**{"optim.sync_batchnorm": "true"}), small_shards, tmp_path / "run")
    assert "\n" not in str(caught.value) and "sync_batchnorm = false" in str(caught.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="needs GPUs"):  # before the run, not after its start
        next(examine(tiny(**{"optim.sync_batchnorm": "true"}), small_shards))
    refuse_synchronised(torch.device("cuda", 0))


def test_converted_networks_keep_their_parameters_names_and_outputs(tiny, small_shards):
    task = build_task(tiny(), ShardSet.open(small_shards), torch.device("cpu")).eval()
    before = {name: id(p) for name, p in task.named_parameters()}
    keys = list(task.state_dict())
    x = torch.randn(2, 2, 3, 3, 32, 32)
    with torch.no_grad():
        expected = task.net("ego")(x).activity
    norms = nn.modules.batchnorm._BatchNorm
    n_norms = sum(isinstance(part, norms) for part in task.modules())
    synchronise(task.nets)
    found = [part for part in task.modules() if isinstance(part, norms)]
    assert len(found) == n_norms > 20
    assert all(type(part) is nn.SyncBatchNorm for part in found)
    assert {name: id(p) for name, p in task.named_parameters()} == before
    assert list(task.state_dict()) == keys
    with torch.no_grad():
        torch.testing.assert_close(task.net("ego")(x).activity, expected)


def test_a_rank_without_a_modality_is_named():
    here, gone = torch.tensor([True, False]), torch.tensor([False, False])
    assert absent_here({"ego": here, "audio": here}, 1) is None
    text = absent_here({"ego": here, "audio": gone}, 1)
    assert text is not None and "rank 1 has no audio" in text and "batch_size" in text
