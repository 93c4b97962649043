"""A network that answers NaN is an error with a name, never a score."""

import numpy as np
import pytest
import torch

from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.runs.build_task import build_task, make_nets
from baselines.ccau.training.validation_score import validate
from homage_sdk.errors import TrainingError, UsageError
from homage_sdk.evaluation.metrics import accuracy, hits_at_k, mean_ap
from homage_sdk.shards import ShardSet
from tests.unit.ccau.training.launching import launch, write_toml


def test_nan_never_hits_and_is_never_ranked():
    labels = np.arange(20) % 5
    assert accuracy(np.full((20, 5), np.nan), labels) == 0.0
    assert accuracy(np.full((20, 2), np.nan), labels % 2, 3) == 0.0  # k above the classes
    one = np.array([[0.9, np.nan, 0.1], [np.nan, 0.9, 0.1]])
    assert hits_at_k(one, np.array([0, 0]), 1).tolist() == [0.0, 0.0]
    assert hits_at_k(one, np.array([0, 1]), 2).tolist() == [1.0, 1.0]
    scores = np.zeros((4, 3))
    scores[2, 1] = np.nan
    with pytest.raises(UsageError, match="1 NaN of 12"):
        mean_ap(scores, np.ones((4, 3)))


@pytest.mark.parametrize("head", ["activity", "atomic", "clip"])
def test_an_answer_that_is_not_finite_names_modality_sequence_clip_and_view(
    tiny, small_shards, head, monkeypatch
):
    shards, config = ShardSet.open(small_shards), tiny()
    net = make_nets(config, shards)["third"]
    (first, *_) = sorted(s.sequence for s in shards.samples if s.third)
    plain = net.forward

    def forward(*arguments):
        output = plain(*arguments)
        getattr(output, head)[0] = float("nan")
        return output

    monkeypatch.setattr(net, "forward", forward)
    name = {"clip": "context"}.get(head, head)
    line = f"the third network's {name} is not finite for {first} clip 0 view"
    with pytest.raises(TrainingError, match=line):
        Judge(shards, config, ["third"], (first,), world=World())({"third": net})


def test_validation_does_not_select_a_network_of_nan(tiny, small_shards):
    shards = ShardSet.open(small_shards)
    config = tiny(**{"task.modalities": '["audio"]', "task.kind": "single"})
    task = build_task(config, shards, torch.device("cpu"))
    with torch.no_grad():
        next(task.net("audio").parameters()).fill_(float("nan"))
    every = tuple(s.sequence for s in shards.samples)
    with pytest.raises(TrainingError, match=r"audio network.*not finite"):
        validate(task, config, Judge(shards, config, ["audio"], every, world=World()))


@pytest.mark.slow
def test_an_answer_that_is_not_finite_on_one_rank_stops_all(tiny, small_shards, tmp_path):
    code = tmp_path / "poisoned.py"
    code.write_text(
        "import os\n"
        "from baselines.ccau import cli\n"
        "from baselines.ccau.evaluation import predict\n"
        "plain = predict.name_not_finite\n"
        "def found(*a):\n"
        "    return 'POISON' if os.environ['RANK'] == '1' else plain(*a)\n"
        "predict.name_not_finite = found\n"
        "cli.main()\n"
    )
    config = tiny(**{"task.modalities": '["audio"]', "task.kind": "single", "data.batch_size": 2})
    process = launch(
        2, "train", write_toml(config, tmp_path / "c.toml"), "--shards", small_shards,
        "--out", tmp_path / "run", code=code,
    )  # fmt: skip
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert sum("POISON" in line for line in text.splitlines()) == 2, text
    assert "lost another rank" not in text
