"""What a clip is drawn from and where it begins: options beside the defaults, as the public code.

Oracles are plain loops over frame numbers.
"""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest
import torch

from homage_sdk import Dataset
from homage_sdk.errors import UsageError
from homage_sdk.loader import ClipLoader
from homage_sdk.loader.clip_targets import SampleLabels
from homage_sdk.loader.grid import Grid, eval_starts
from homage_sdk.shards import PackOptions, ShardSet, pack
from tests.conftest import once
from tests.unit.loader.batches import all_same
from tests.unit.loader.test_loader import options

SHORT = "p0001_r001_a002"  # 60 annotation frames, 20 packed ones


@pytest.fixture(scope="session")
def every_frame(shared_folder: Path, barcode_catalog: Path) -> Path:
    """Shards of stride 1. Read only."""

    def make(out: Path) -> None:
        chosen = PackOptions(short_side=32, stride=1, min_shards=1, audio=False)
        pack(Dataset(barcode_catalog), out, chosen, workers=1)

    return once(shared_folder, "every_frame", make)


def drawn(loader: ClipLoader, epoch: int) -> list[tuple[str, int, int, int, torch.Tensor]]:
    """Sequence, action, first and last frame shown, and the clip's labels, of every row."""
    loader.set_epoch(epoch)
    return [
        (batch.sequence[b], int(batch.clip[b]), *batch.frames[b].flatten()[[0, -1]].tolist(),
         batch.atomic_clip[b])
        for batch in loader
        for b in range(len(batch))
    ]  # fmt: skip


def test_an_epoch_of_actions_has_a_clip_of_each(shards: ShardSet, dataset: Dataset) -> None:
    """Within an action that is long enough, around the middle of one that is not."""
    chosen = options(
        train_unit="action", batch_size=1, modalities=("ego",), require="any", block_frames=3
    )
    loader = ClipLoader(shards, chosen)
    used = [sample.sequence for sample in loader.samples]
    wanted = {(s, n): a for s in used for n, a in enumerate(dataset[s].atomic_actions)}
    starts: dict[tuple[str, int], set[int]] = collections.defaultdict(set)
    for epoch in range(6):
        rows = drawn(loader, epoch)
        assert sorted(row[:2] for row in rows) == sorted(wanted)
        for sequence, number, first, last, labels in rows:
            action, end = wanted[sequence, number], 3 * shards[sequence].n_frames
            starts[sequence, number].add(first)
            assert labels[shards.taxonomy("atomic").index(action.class_id)] == 1
            assert last <= end
            if action.last_frame - action.first_frame >= 36:
                assert action.first_frame - 2 <= first and last <= action.last_frame
            else:  # 30 frames: 34 shown, of which the middle lies within a step of its own
                middle = (action.first_frame + action.last_frame) / 2
                assert abs((first + last) / 2 - middle) <= 3 or first == 1 or last >= end - 2
    assert any(len(found) > 2 for found in starts.values())
    assert loader.n_clips == len(wanted) == len(loader)


def test_actions_are_shared_by_ranks_and_workers(shards: ShardSet) -> None:
    chosen = options(train_unit="action", batch_size=1)
    whole = list(ClipLoader(shards, chosen))
    assert all_same(whole, list(ClipLoader(shards, chosen.with_(workers=2))))
    shared = [list(ClipLoader(shards, chosen.with_(rank=r, world_size=2))) for r in range(2)]
    pairs = [batch for both in zip(*shared, strict=True) for batch in both]
    assert all_same(whole[: len(pairs)], pairs)


def test_actions_are_drawn_from_whole_sequences(barcode_catalog: Path, tmp_path: Path) -> None:
    pack(Dataset(barcode_catalog), tmp_path / "w", PackOptions(short_side=32, unit="clip"))
    with pytest.raises(UsageError, match=r"whole sequences.*--unit clip.*--unit sequence"):
        ClipLoader(ShardSet.open(tmp_path / "w"), options(train_unit="action"))


def test_a_state_of_actions_is_none_of_sequences(shards: ShardSet) -> None:
    for own, other in (("action", "sequence"), ("sequence", "action")):
        state = ClipLoader(shards, options(train_unit=other)).state_dict()
        with pytest.raises(UsageError, match=f"found train_unit {other}"):
            ClipLoader(shards, options(train_unit=own)).load_state_dict(state)


def test_clips_begin_at_any_frame_where_every_frame_is_packed(
    every_frame: Path, shards: ShardSet
) -> None:
    wanted = options(modalities=("ego",), starts="any", stride=3, size=16, batch_size=1)
    with pytest.raises(UsageError, match=r"any frame.*every 3rd frame.*--stride 1"):
        ClipLoader(shards, wanted)
    ClipLoader(shards, wanted.with_(mode="eval"))  # its windows begin at packed frames
    loader = ClipLoader(ShardSet.open(every_frame), wanted)
    first = [int(batch.frames[0, 0, 0]) for _ in range(12) for batch in loader]
    steps = {int(step) for batch in loader for step in batch.frames[0].flatten().diff()}
    assert {number % 3 for number in first} == {0, 1, 2} and steps == {3}


def test_windows_lie_so_far_apart_and_the_tail_is_dropped(shards: ShardSet) -> None:
    grid = Grid(4, 5, 1)  # 60 frames
    for n_frames in range(1, 200):
        expected, start = [], 0
        while start + 60 <= 3 * n_frames:
            expected.append(start // 3)
            start += 45
        assert eval_starts(n_frames, grid, 15) == (expected or [0])
    loader = ClipLoader(shards, options(mode="eval", modalities=("ego",), eval_every=45))
    found = [
        (batch.sequence[b], int(batch.frames[b, 0, 0]))
        for batch in loader
        for b in range(len(batch))
        if batch.sequence[b]
    ]
    assert found == [
        (sample.sequence, 1 + 3 * start)
        for sample in loader.samples
        for start in eval_starts(sample.n_frames, grid, 15)
    ]
    with pytest.raises(UsageError, match="eval_every 50; expected a multiple of 3"):
        ClipLoader(shards, options(mode="eval", eval_every=50))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_what_is_too_short_for_a_clip_is_squeezed(shards: ShardSet, mode: str) -> None:
    """The step is 0.95 of the frames that are left over the frames that are shown."""
    made = {"mode": mode, "modalities": ("ego",), "blocks": 8, "sequences": (SHORT,)}
    padded, squeezed = (
        next(iter(ClipLoader(shards, options(**made, batch_size=1, short=short))))
        for short in ("pad", "squeeze")
    )
    n = shards[SHORT].n_frames
    expected = [1 + 3 * int(k * (n / 40 * 0.95)) for k in range(40)]
    assert squeezed.frames[0].flatten().tolist() == expected
    assert squeezed.block_valid.all() and not padded.block_valid.all()
    assert expected[-1] <= 3 * n - 2 and squeezed.present["ego"].all()
    pictures = squeezed.video["ego"][0].flatten(0, 1)
    shown = [(a - 1) // 3 for a in expected]
    whole = padded.video["ego"][0].flatten(0, 1)
    assert all(torch.equal(pictures[k], whole[at]) for k, at in enumerate(shown))


def test_squeezing_changes_nothing_that_is_long_enough(shards: ShardSet) -> None:
    long = tuple(s.sequence for s in shards.samples if s.sequence != SHORT)
    for mode in ("train", "eval"):
        made = [
            list(ClipLoader(shards, options(mode=mode, short=short, sequences=long)))
            for short in ("pad", "squeeze")
        ]
        assert all_same(*made)


def test_ends_inside_are_those_of_the_public_code() -> None:
    """Its loops: labels from 1 are taken for numbers from 0, the last of each range is left out."""
    draw = np.random.default_rng(0)
    n_differ = 0
    for _ in range(300):
        spans = [sorted(draw.integers(1, 40, size=2).tolist()) for _ in range(4)]
        labels = SampleLabels(
            np.array([a for a, _ in spans]), np.array([b for _, b in spans]), np.arange(4), ()
        )
        frames = np.sort(draw.integers(1, 42, size=(3, 4)), axis=1)
        at: list[set[int]] = [set() for _ in range(50)]
        for action, (a, b) in enumerate(spans):
            for j in range(a, b):
                at[j].add(action)
        expected = np.zeros((3, 4), np.float32)
        for block, shown in enumerate(frames):
            for j in range(shown[0] - 1, max(shown[-1] - 1, shown[0])):  # at least one frame
                expected[block, list(at[j])] = 1
        inside, both = labels.atomic(frames, 4, inside=True), labels.atomic(frames, 4)
        assert np.array_equal(inside, expected)
        assert (inside <= both).all()
        n_differ += int((inside != both).sum())
    assert n_differ > 50


def test_a_block_of_one_frame_has_the_action_that_fills_it() -> None:
    labels = SampleLabels(np.array([1, 9]), np.array([20, 20]), np.arange(2), ())
    still = np.full((1, 3), 9)
    assert labels.atomic(still, 2, inside=True).tolist() == [[1, 0]]


def test_a_clip_with_ends_inside_lasts_from_its_first_to_its_last_frame(shards: ShardSet) -> None:
    """Also between blocks, where no block shows a frame."""
    made = {"mode": "eval", "modalities": ("ego",), "batch_size": 1}
    for batch in ClipLoader(shards, options(**made, action_ends="inside")):
        labels = shards.annotations(batch.sequence[0]).atomic_actions
        valid = batch.frames[0][batch.block_valid[0]].flatten().tolist()
        expected = {
            action.column
            for action in labels
            for frame in range(valid[0], valid[-1])
            if action.first_frame < frame <= action.last_frame
        }
        assert set(batch.atomic_clip[0].nonzero().flatten().tolist()) == expected
