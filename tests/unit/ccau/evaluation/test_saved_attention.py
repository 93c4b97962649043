"""Predictions hold where each network looked, block by block."""

import dataclasses

import numpy as np
import pytest
import torch

from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.evaluation.predictions import (
    SavedPredictions,
    load_predictions,
    save_predictions,
)
from baselines.ccau.runs.build_task import class_names, make_nets
from homage_sdk.shards import ShardSet


@pytest.fixture
def shards(small_shards):
    return ShardSet.open(small_shards)


def judged(config, shards, modalities):
    names = tuple(sorted({sample.sequence for sample in shards.samples}))
    nets = {m: net.eval() for m, net in make_nets(config, shards).items()}
    return nets, Judge(shards, config, modalities, names, world=World())(nets)


def saved(shards, found):
    names = sorted({name for each in found.values() for name in each.sequences})
    split = dict.fromkeys(names, "test")
    classes = class_names(shards)
    return SavedPredictions(found, split, classes, {k: np.ones(len(v)) for k, v in classes.items()})


def test_the_weights_of_each_block_of_each_clip_are_those_of_the_network(tiny, shards):
    config = tiny(**{"data.size": 64, "model.attention_tau": 0.05})
    nets, found = judged(config, shards, ("ego", "third", "audio"))
    assert found["audio"].clip_attention is None  # one vector a clip attends to nothing
    loader = open_loader(
        shards, config, ("third",), found["third"].sequences, World(), training=False
    )
    batch = next(iter(loader))
    inputs, _ = prepare(batch, config, ("third",), epoch=0, training=False)
    with torch.no_grad():
        output = nets["third"](inputs["third"], batch.block_valid)
    third = found["third"]
    assert third.clip_attention.dtype == np.float16
    assert third.clip_attention.shape == (len(third.clip_number), 2, 4)
    names = [third.sequences[row] for row in third.clip_sequence]
    rows = list(zip(names, third.clip_view.tolist(), third.clip_number.tolist(), strict=True))
    for b, key in enumerate(
        zip(batch.sequence, batch.view["third"].tolist(), batch.clip.tolist(), strict=True)
    ):
        shown = third.clip_attention[rows.index(key)]
        np.testing.assert_allclose(shown, output.attention[b], atol=1e-3)
        np.testing.assert_allclose(shown.sum(axis=-1, dtype=float), 1, atol=2e-3)
    assert np.ptp(third.clip_attention.astype(float), axis=-1).max() > 0.01
    # The last block's weights are those behind the context of the clip.
    again = (output.attention[:, -1].unsqueeze(1) @ output.grid).squeeze(1)
    torch.testing.assert_close(again, output.clip)


def test_they_are_kept_with_their_clips_and_in_the_file(tiny, shards, tmp_path):
    _, found = judged(tiny(**{"data.size": 64}), shards, ("third", "audio"))
    save_predictions(tmp_path / "p.npz", saved(shards, found))
    again = load_predictions(tmp_path / "p.npz").by_modality
    np.testing.assert_array_equal(again["third"].clip_attention, found["third"].clip_attention)
    assert again["audio"].clip_attention is None
    some = again["third"].only(found["third"].sequences[1:2])
    of_it = found["third"].clip_sequence == 1
    np.testing.assert_array_equal(some.clip_attention, found["third"].clip_attention[of_it])
    assert len(some.one_view().clip_attention) == len(some.one_view().clip_number)
    assert again["audio"].one_view().clip_attention is None


def test_a_file_of_before_is_read_without_them(tiny, shards, tmp_path):
    _, found = judged(tiny(**{"data.size": 64}), shards, ("third",))
    save_predictions(tmp_path / "new.npz", saved(shards, found))
    with np.load(tmp_path / "new.npz") as file:
        members = {name: file[name] for name in file.files if "attention" not in name}
        assert len(members) == len(file.files) - 1
    np.savez_compressed(tmp_path / "old.npz", **members)
    old = load_predictions(tmp_path / "old.npz").by_modality["third"]
    assert old.clip_attention is None
    for field in dataclasses.fields(old):
        if field.name != "clip_attention":
            left, right = (np.asarray(getattr(x, field.name)) for x in (old, found["third"]))
            np.testing.assert_array_equal(left, right)


def test_a_network_without_attention_saves_none(tiny, shards):
    _, found = judged(tiny(**{"model.attention": "none"}), shards, ("third",))
    assert found["third"].clip_attention is None
