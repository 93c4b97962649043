"""Gradients of a real training step on several ranks: those of one process on the full batch.

Everything is as in training (torchrun's environment, loader, augmentation, DDP, gathered negatives,
clipping's place) but for three things: float64, so that only mistakes are visible; dropout off, as
its streams are named by rank; and BatchNorm in evaluation, as ranks do not share statistics.
"""

import json

import pytest
import torch
from safetensors.torch import load_file

from baselines.ccau.data.loaders import open_loader
from baselines.ccau.data.partition import selection_parts
from baselines.ccau.distributed import World
from homage_sdk.shards import ShardSet
from tests.unit.ccau.training.launching import finish, launch, write_toml

pytestmark = pytest.mark.slow

CLIPS = 6
STEP = """
import json, os, sys
import torch
from safetensors.torch import save_file
from torch.nn.modules.batchnorm import _BatchNorm
from baselines.ccau import cli
from baselines.ccau.training import loop

silent = json.loads(os.environ["SILENT"])  # modality: sequences that are to lack it
plain_task, plain_prepare, plain_clip = loop.build_task, loop.prepare, loop.clip_gradients

def build_task(*a, **k):
    task = plain_task(*a, **k).double()
    for part in task.modules():
        if isinstance(part, _BatchNorm):
            part.eval()
    return task

def prepare(batch, config, modalities, **k):
    inputs, targets = plain_prepare(batch, config, modalities, **k)
    for modality, sequences in silent.items():
        for row, sequence in enumerate(batch.sequence):
            if sequence in sequences:
                targets.present[modality][row] = False
    return {m: x.double() for m, x in inputs.items()}, targets

def clip_gradients(optimizer, *a):
    if os.environ.get("RANK", "0") == os.environ["KEEP_RANK"]:
        names = {p: n for n, p in trainer[0].task.named_parameters()}
        found = {names[p]: p.grad for g in optimizer.param_groups for p in g["params"]
                 if p.grad is not None}
        save_file({n: t.detach().clone().contiguous() for n, t in found.items()},
                  os.environ["GRADIENTS"])
    return plain_clip(optimizer, *a)

trainer = []
plain_run = loop.Trainer.run
def run(self, progress):
    trainer.append(self)
    return plain_run(self, progress)

loop.build_task, loop.prepare, loop.clip_gradients = build_task, prepare, clip_gradients
loop.Trainer.run = run
cli.main()
"""


@pytest.fixture
def gradients(small_shards, tmp_path):
    """``gradients(config, ranks, silent)``: by name, of the first step, on the last rank."""
    code = tmp_path / "step.py"
    code.write_text(STEP)

    def measure(config, ranks, silent):
        name = f"{ranks}-ranks"
        config = config.replace([f"data.batch_size={CLIPS // ranks}"])
        environment = {
            "SILENT": json.dumps(silent),
            "KEEP_RANK": str(ranks - 1),
            "GRADIENTS": str(tmp_path / f"{name}.safetensors"),
        }
        arguments = (
            "train", write_toml(config, tmp_path / f"{name}.toml"), "--shards", small_shards,
            "--out", tmp_path / name,
        )  # fmt: skip
        finish(launch(ranks, *arguments, code=code, environment=environment))
        return load_file(tmp_path / f"{name}.safetensors")

    return measure


def first_batch(config, shards_folder):
    shards = ShardSet.open(shards_folder)
    train = selection_parts(config, shards).train
    config = config.replace([f"data.batch_size={CLIPS}"])
    loader = open_loader(shards, config, config.task.modalities, train, World(), training=True)
    return next(iter(loader)).sequence


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("cooperative", {"align.negatives": "world", "composition.weighting": "uncertainty"}),
        ("cooperative", {"align.negatives": "world", "align.granularity": "clip"}),
        ("cooperative", {"align.negatives": "same_block", "align.centre": "true"}),
        ("cooperative_kd", {}),
    ],
    ids=["blocks", "clips", "same block", "distillation"],
)
def test_two_and_three_ranks_train_with_the_gradients_of_the_full_batch(
    tiny, small_shards, gradients, kind, changes
):
    config = tiny(
        **{
            "optim.max_steps": 1,
            "optim.clip_norm": 0.0,
            "run.selection": "last",
            "model.gru_dropout": 0.0,
            "model.head_dropout": 0.0,
            **changes,
        }
    ).replace([f"task.kind={kind}"])
    sequences = first_batch(config, small_shards)
    # The last rank of two and of three hears nothing, and one more clip has no ego view.
    silent = {"audio": list(sequences[3:]), "ego": [sequences[1]]}
    whole = gradients(config, 1, silent)
    assert {name.split(".")[1] for name in whole if name.startswith("nets.")} == {
        "ego", "third", "audio",
    }  # fmt: skip
    largest = max(float(g.abs().max()) for g in whole.values())
    assert largest > 1e-3
    for ranks in (2, 3):
        found = gradients(config, ranks, silent)
        assert found.keys() >= whole.keys()
        for name, gradient in found.items():
            expected = whole.get(name, torch.zeros_like(gradient))
            gap = float((gradient - expected).abs().max())
            assert gap <= 1e-6 * max(largest, 1.0), f"{name} on {ranks} ranks: {gap}"
            scale = float(expected.abs().max())
            assert gap <= 1e-6 * scale + 1e-12, f"{name} on {ranks} ranks: {gap} of {scale}"
