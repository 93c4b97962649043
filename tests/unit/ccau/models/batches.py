"""Tiny networks and batches for the tests of the tasks."""

from __future__ import annotations

from dataclasses import replace

import torch

from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.models.build_nets import build_nets
from baselines.ccau.tasks import ClipLabels
from homage_sdk.loader.batch import SceneGraphBatch

TINY = ModelConfig(
    width=4, size=32, blocks=3, n_mels=32, audio_columns=32, n_objects=6, n_predicates=4
)
ALL = ("ego", "third", "audio", "scene_graph")
A, C, N, K = 4, 6, 3, 2


def nets(modalities=ALL, config=TINY, seed=0, **changes):
    return build_nets(replace(config, **changes), modalities, A, C, seed)


def graphs(n_clips, g):
    return SceneGraphBatch(
        object_class=torch.randint(-1, 6, (n_clips, N, 5), generator=g),
        object_box=torch.rand(n_clips, N, 5, 4, generator=g),
        subject=torch.randint(0, 5, (n_clips, N, 4), generator=g),
        predicate=torch.randint(-1, 4, (n_clips, N, 4), generator=g),
        object=torch.randint(0, 5, (n_clips, N, 4), generator=g),
        present=torch.rand(n_clips, N, generator=g) < 0.8,
    )


def batch(n_clips=4, seed=0, modalities=ALL, side=32, absent=None, dtype=torch.float32):
    """Inputs and targets; ``absent`` maps a modality to the rows without it."""
    g = torch.Generator().manual_seed(seed)
    inputs = {}
    for m in ALL:  # always drawn, so that a batch does not depend on what is asked for
        if m == "scene_graph":
            inputs[m] = graphs(n_clips, g)
        elif m == "audio":
            inputs[m] = torch.randn(n_clips, 1, 32, 32, generator=g).to(dtype)
        else:
            inputs[m] = torch.randn(n_clips, N, 3, K, side, side, generator=g).to(dtype)
    inputs["scene_graph"].present[:, 0] = True
    inputs["scene_graph"].object_box = inputs["scene_graph"].object_box.to(dtype)
    present = {m: torch.ones(n_clips, dtype=torch.bool) for m in modalities}
    for m, rows in (absent or {}).items():
        present[m][list(rows)] = False
    targets = ClipLabels(
        activity=torch.randint(0, A, (n_clips,), generator=g),
        atomic_clip=torch.rand(n_clips, C, generator=g).lt(0.4).to(dtype),
        atomic_block=torch.rand(n_clips, N, C, generator=g).lt(0.3).to(dtype),
        block_valid=torch.ones(n_clips, N, dtype=torch.bool),
        atomic_known=torch.ones(n_clips, dtype=torch.bool),
        present=present,
    )
    return {m: inputs[m] for m in modalities}, targets


def rows_of(inputs, targets, rows):
    """The same batch cut to some rows."""
    index = torch.tensor(rows)

    def cut(x):
        if isinstance(x, SceneGraphBatch):
            return SceneGraphBatch(**{k: v[index] for k, v in vars(x).items()})
        return x[index]

    part = ClipLabels(
        activity=targets.activity[index],
        atomic_clip=targets.atomic_clip[index],
        atomic_block=targets.atomic_block[index],
        block_valid=targets.block_valid[index],
        atomic_known=targets.atomic_known[index],
        present={m: v[index] for m, v in targets.present.items()},
    )
    return {m: cut(x) for m, x in inputs.items()}, part
