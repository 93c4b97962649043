"""The loader keeps its promises: the right pixels, an exact order, exact resume, fair ranks."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from homage_sdk import Dataset
from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import Batch, ClipLoader, LoaderOptions
from homage_sdk.loader.grid import Grid, eval_starts
from homage_sdk.loader.sampling import stream
from homage_sdk.shards import ShardSet
from tests.unit.media.videos import number_of
from tests.unit.shards.test_verify import reseal

ALL = ("ego", "third", "audio", "scene_graph")


def options(**changes: object) -> LoaderOptions:
    base = {"modalities": ALL, "batch_size": 2, "blocks": 4, "block_frames": 5, "size": 64}
    return LoaderOptions(**{**base, **changes})


def same(a: Batch, b: Batch) -> bool:
    """Whether two batches are equal in every bit."""

    def flat(value: object) -> list[object]:
        if isinstance(value, torch.Tensor):
            return [value]
        if isinstance(value, dict):
            return [part for key in sorted(value) for part in (key, *flat(value[key]))]
        if hasattr(value, "__dataclass_fields__"):
            return [
                part for name in value.__dataclass_fields__ for part in flat(getattr(value, name))
            ]
        return [value]

    left, right = flat(a), flat(b)
    return len(left) == len(right) and all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(left, right, strict=True)
    )


def whole_picture(**changes: object) -> LoaderOptions:
    """Crop 96 x 96 of the 144 x 96 pictures: enough of the barcode to compare with."""
    return options(size=96, **changes)


def reference(dataset: Dataset, sequence: str, view: int, numbers: list[int]) -> np.ndarray:
    """The same frames by another road: the original video, at its own size."""
    handle = dataset[sequence].view(view)
    times = handle.index.seconds
    return handle.reader.frames([int(abs(times - (n - 1) / 30).argmin()) for n in numbers])


@pytest.mark.parametrize("flip", [False, True])
def test_pixels_are_those_of_the_annotation_frames_named(
    shards: ShardSet, dataset: Dataset, flip: bool
) -> None:
    """Cropped clips match the original videos, scaled by OpenCV, at the crop that fits best."""
    import cv2

    mode = "train" if flip else "eval"
    seen_flip = set()
    for epoch in range(3 if flip else 1):
        wanted = whole_picture(mode=mode, modalities=("ego", "third"))
        loader = ClipLoader(shards, wanted)
        loader.set_epoch(epoch)
        for batch in loader:
            for kind in ("ego", "third"):
                for b in torch.nonzero(batch.present[kind]).flatten().tolist():
                    numbers = batch.frames[b].flatten().tolist()
                    view = int(batch.view[kind][b])
                    last = shards[batch.sequence[b]].views
                    n_frames = next(v.n_frames for v in last if v.number == view)
                    numbers = [min(n, 1 + 3 * (n_frames - 1)) for n in numbers]
                    shown = slice(None, None, 3)
                    numbers = numbers[shown]
                    source = reference(dataset, batch.sequence[b], view, numbers)
                    small = [cv2.resize(x, (144, 96), interpolation=cv2.INTER_AREA) for x in source]
                    clip = batch.video[kind][b].flatten(0, 1).numpy()[shown].astype(int)
                    errors = {
                        (x, mirror): np.abs(
                            np.stack(small)[:, :, x : x + 96][:, :, :: -1 if mirror else 1] - clip
                        ).mean()
                        for x in range(0, 49, 2 if flip else 8)
                        for mirror in (False, True)
                    }
                    best = min(errors, key=errors.__getitem__)
                    assert errors[best] < 6
                    seen_flip.add(best[1])
                    if not flip:
                        assert best == (24, False)
    assert seen_flip == ({True, False} if flip else {False})


def test_the_sound_of_a_clip_is_the_sound_of_its_time(shards: ShardSet) -> None:
    """The tone of 3 s to 4 s is loud in just the columns of that second."""
    loader = ClipLoader(
        shards,
        options(mode="eval", modalities=("audio",), sequences=("p0001_r000_a000",), blocks=10),
    )
    (batch,) = list(loader)
    assert batch.logmel is not None and batch.frames[0, 0, 0] == 1
    clip = batch.logmel[0].amax(dim=0)
    seconds = torch.arange(len(clip)) * 160 / 16000
    loud = seconds[clip > -20]
    assert loud[0] == pytest.approx(3.0, abs=0.05) and loud[-1] == pytest.approx(4.0, abs=0.05)
    assert batch.present["audio"].tolist() == [True, False]  # the second is digital silence


def test_targets_are_those_of_the_dataset(shards: ShardSet, dataset: Dataset) -> None:
    taxonomy = dataset.taxonomy("activity")
    for mode in ("train", "eval"):
        for batch in ClipLoader(shards, options(mode=mode)):
            for b, sequence in enumerate(batch.sequence):
                if not sequence:
                    continue
                handle = dataset[sequence]
                valid = batch.block_valid[b].numpy()
                truth = handle.targets.blocks(batch.frames[b].numpy()) * valid[:, None]
                assert np.array_equal(batch.atomic_block[b].numpy(), truth)
                assert np.array_equal(batch.atomic_clip[b].numpy(), truth.max(axis=0))
                assert bool(batch.atomic_known[b]) == bool(handle.atomic_actions)
                assert handle.activity is not None
                assert batch.activity[b] == taxonomy.index(handle.activity.id)


def test_scene_graphs_are_those_of_their_blocks(shards: ShardSet) -> None:
    loader = ClipLoader(
        shards,
        options(mode="eval", batch_size=1, third_views="first", sequences=("p0001_r000_a000",)),
    )
    found = {}
    for batch in loader:
        graph = batch.scene_graph
        assert graph is not None
        for n in range(4):
            if graph.present[0, n]:
                found[batch.frames[0, n, 0].item()] = (
                    graph.object_class[0, n].tolist(),
                    graph.object_box[0, n, -1].tolist(),
                    graph.subject[0, n].tolist() + graph.object[0, n].tolist(),
                )
    # annotated are 10, 40, 44, 120 and 200; 40 lies nearer the middle of 31..45 than 44
    assert list(found) == [1, 31, 106, 196]
    person, cup = shards.taxonomy("object").find("person"), shards.taxonomy("object").find("cup")
    columns = [shards.taxonomy("object").index(c.id) for c in (person, cup)]
    assert [c for c in found[1][0] if c >= 0] == columns[:1]
    assert found[31][0] == columns
    assert found[31][1] == pytest.approx([0.5, 0.25, 1.0, 0.5])
    assert found[31][2] == [0, 1]


def test_short_sequences_are_padded_and_marked(shards: ShardSet) -> None:
    loader = ClipLoader(
        shards, options(mode="eval", blocks=8, batch_size=1, sequences=("p0001_r001_a002",))
    )
    (batch,) = list(loader)
    assert batch.block_valid.tolist() == [[True] * 4 + [False] * 4]  # 20 packed frames
    assert batch.frames[0, 4:].unique().tolist() == [1 + 3 * 19]
    video = batch.video["ego"][0].flatten(0, 1)
    assert torch.equal(video[20:], video[19:20].expand(20, -1, -1, -1))
    assert not batch.atomic_block[0, 4:].any() and batch.atomic_block[0, :4].any()
    assert not batch.present["third"].any() and not batch.present["audio"].any()
    assert not batch.logmel.any()


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_number_of_workers_changes_nothing(shards: ShardSet, mode: str) -> None:
    alone = list(ClipLoader(shards, options(mode=mode)))
    for workers in (1, 2):
        shared = list(ClipLoader(shards, options(mode=mode, workers=workers)))
        assert len(alone) == len(shared)
        assert all(same(a, b) for a, b in zip(alone, shared, strict=True))


def test_the_order_is_a_pure_function_of_seed_and_epoch(shards: ShardSet) -> None:
    def order(seed: int, epoch: int) -> list[tuple[object, ...]]:
        loader = ClipLoader(shards, options(seed=seed, batch_size=1))
        loader.set_epoch(epoch)
        return [
            (*b.sequence, int(b.frames[0, 0, 0]), int(b.view["third"][0]), b.video["ego"].sum())
            for b in loader
        ]

    assert order(0, 4) == order(0, 4)
    assert order(0, 4) != order(0, 5) and order(0, 4) != order(1, 4)
    assert {row[0] for row in order(0, 4)} == {s.sequence for s in shards.samples}


def test_epochs_follow_one_another_by_themselves(shards: ShardSet) -> None:
    loader = ClipLoader(shards, options())
    first, second = list(loader), list(loader)
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == (2, 0)
    assert not all(same(a, b) for a, b in zip(first, second, strict=True))
    again = ClipLoader(shards, options())
    again.set_epoch(1)
    assert all(same(a, b) for a, b in zip(second, again, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_stream_is_bitwise_the_same(shards: ShardSet, workers: int) -> None:
    def run(loader: ClipLoader, batches: int) -> list[Batch]:
        out: list[Batch] = []
        while len(out) < batches:
            for batch in loader:
                out.append(batch)
                if len(out) == batches:
                    break
        return out

    chosen = options(batch_size=1, workers=workers)
    whole = run(ClipLoader(shards, chosen), 13)
    for stop in (5, 12) if workers else (1, 5, 7, 12):
        loader = ClipLoader(shards, chosen)
        run(loader, stop)
        state = pickle.loads(pickle.dumps(loader.state_dict()))
        fresh = ClipLoader(shards, chosen)
        fresh.load_state_dict(state)
        rest = run(fresh, 13 - stop)
        assert all(same(a, b) for a, b in zip(whole[stop:], rest, strict=True))


def test_a_state_of_another_seed_is_refused(shards: ShardSet) -> None:
    with pytest.raises(UsageError, match="another loader"):
        ClipLoader(shards, options(seed=1)).load_state_dict({"seed": 0, "epoch": 0, "position": 0})


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_evaluation_row_exactly_once_over_all_ranks(
    shards: ShardSet, world_size: int, batch_size: int
) -> None:
    expected = {
        (s.sequence, clip, view.number if view else -1)
        for s in shards.samples
        for clip in range(len(eval_starts(s.n_frames, Grid(4, 5, 1))))
        for view in (s.third or (None,))
    }
    counted: collections.Counter[tuple[str, int, int]] = collections.Counter()
    egos: collections.Counter[tuple[str, int]] = collections.Counter()
    lengths = set()
    for rank in range(world_size):
        chosen = options(mode="eval", rank=rank, world_size=world_size, batch_size=batch_size)
        loader = ClipLoader(shards, chosen)
        batches = list(loader)
        lengths.add((len(loader), len(batches)))
        for batch in batches:
            assert len(batch) == batch_size
            for b, sequence in enumerate(batch.sequence):
                if not sequence:
                    assert not any(flags[b] for flags in batch.present.values())
                    continue
                clip = int(batch.clip[b])
                assert clip < batch.n_clips[b]
                if any(flags[b] for flags in batch.present.values()):
                    counted[sequence, clip, int(batch.view["third"][b])] += 1
                egos[sequence, clip] += int(batch.present["ego"][b])
    assert len(lengths) == 1 and set(counted.values()) == {1}
    # a view that ends before a clip begins gives an absent row, never a frozen picture
    gone = expected - set(counted)
    assert all(view == 5 and clip == 4 for _, clip, view in gone) and len(gone) <= 1
    assert set(egos.values()) <= {0, 1}


def test_dense_clips_cover_every_frame() -> None:
    for length in range(1, 400):
        for grid in (Grid(8, 5, 1), Grid(4, 5, 2), Grid(1, 1, 1)):
            starts = eval_starts(length, grid)
            shown = {
                min(p + d, length - 1)
                for s in starts
                for p in grid.positions(s)
                for d in range(grid.step)
            }
            assert shown >= set(range(length - grid.step + 1))
            assert len(starts) == max(1, -(-length // grid.span)) == len(set(starts))


@pytest.mark.parametrize("world_size", [1, 2])
def test_training_ranks_share_an_epoch_without_overlap(shards: ShardSet, world_size: int) -> None:
    seen: list[str] = []
    lengths = set()
    for rank in range(world_size):
        loader = ClipLoader(shards, options(rank=rank, world_size=world_size))
        batches = list(loader)
        lengths.add(len(batches))
        seen += [sequence for batch in batches for sequence in batch.sequence]
    assert len(lengths) == 1 and len(seen) == len(set(seen)) == 4


def test_training_starts_are_spread_over_the_whole_sequence(shards: ShardSet) -> None:
    loader = ClipLoader(
        shards, options(modalities=("ego",), sequences=("p0002_r000_a003",), batch_size=1)
    )
    starts = []
    for epoch in range(300):
        starts.append(loader.rows(epoch, 0)[0].start)  # type: ignore[union-attr]
    room = 134 - 20  # 400 frames packed to 134
    assert min(starts) <= 5 and max(starts) >= room - 5 and max(starts) <= room
    assert np.mean(starts) == pytest.approx(room / 2, abs=8)


def test_streams_of_random_numbers_do_not_touch_each_other() -> None:
    names = [(0, "crop", kind, epoch) for kind in ("ego", "third") for epoch in range(20)]
    draws = {name: stream(*name).integers(1 << 60) for name in names}
    assert len(set(draws.values())) == len(names)
    assert all(stream(*name).integers(1 << 60) == draw for name, draw in draws.items())


def test_clips_of_a_modality_do_not_depend_on_the_others(shards: ShardSet) -> None:
    together = list(ClipLoader(shards, options(require="all", modalities=("ego", "third"))))
    keep = tuple(s.sequence for s in shards.samples if s.ego and s.third)
    alone = list(ClipLoader(shards, options(modalities=("ego",), sequences=keep)))
    for a, b in zip(together, alone, strict=True):
        assert a.sequence == b.sequence
        if torch.equal(a.frames, b.frames):
            assert torch.equal(a.video["ego"], b.video["ego"])


def test_a_damaged_sample_is_named_in_one_line(barcode_shards: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(barcode_shards, broken)
    shards = ShardSet.open(broken)
    name, offset, size, _ = shards.locations()["p0002_r000_a003"]["v000.mp4"]
    data = bytearray((broken / name).read_bytes())
    data[offset : offset + size] = bytes(size)
    (broken / name).write_bytes(data)
    for workers in (0, 2):
        with pytest.raises(ShardError, match=r"p0002_r000_a003\.v000\.mp4") as caught:
            list(ClipLoader(shards, options(mode="eval", workers=workers)))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", ["all of it", "behind its head"])
def test_a_damaged_sound_names_its_member_and_what_to_do(
    barcode_shards: Path, tmp_path: Path, where: str
) -> None:
    import shutil

    broken = Path(shutil.copytree(barcode_shards, tmp_path / "broken"))
    shards = ShardSet.open(broken)
    sample = next(sample for sample in shards.samples if sample.sound)
    name, offset, size, _ = shards.locations()[sample.key][sample.sound.field]
    kept = 0 if where == "all of it" else 50
    with (broken / name).open("r+b") as file:
        file.seek(offset + kept)
        file.write(np.random.default_rng(0).bytes(size - kept))
    reseal(broken)  # it was packed so: its checksum is right
    with pytest.raises(ShardError) as caught:
        list(ClipLoader(ShardSet.open(broken), options(mode="eval", modalities=("audio",))))
    said = str(caught.value)
    assert said.startswith(f"{sample.key}.{sample.sound.field}: a sound that cannot be decoded")
    assert "homage verify SHARDS --deep" in said and "BytesIO" not in said and "\n" not in said


def test_impossible_wishes_are_refused(shards: ShardSet) -> None:
    for changes, words in (
        ({"split": "dev"}, "no sequence fits"),
        ({"sequences": ("p9999_r000_a000",)}, "do not hold.*p9999_r000_a000"),
        ({"stride": 4}, "a multiple of 3"),
        ({"batch_size": 64}, "fewer sequences than one batch.*smaller batch_size"),
        ({"modalities": ("smell",)}, "unknown modality .smell."),
        ({"rank": 2, "world_size": 2}, "invalid rank"),
        ({"mode": "train", "third_views": "all"}, "random or first while training"),
    ):
        with pytest.raises(UsageError, match=words):
            ClipLoader(shards, options(**changes))


def test_a_wider_stride_shows_every_second_packed_frame(shards: ShardSet) -> None:
    loader = ClipLoader(shards, options(mode="eval", stride=6, size=96, modalities=("ego",)))
    batch = next(iter(loader))
    assert batch.frames[0].flatten().tolist() == [1 + 6 * k for k in range(20)]
    assert number_of(batch.video["ego"][0, 0, 0].numpy()) is not None


def test_another_size_scales_the_crop(shards: ShardSet) -> None:
    loader = ClipLoader(shards, options(mode="eval", crop=96, size=48, modalities=("ego",)))
    full = ClipLoader(shards, options(mode="eval", size=96, modalities=("ego",)))
    small, large = next(iter(loader)).video["ego"], next(iter(full)).video["ego"]
    assert small.shape[-3:] == (48, 48, 3)
    pooled = large.float().unfold(-3, 2, 2).unfold(-3, 2, 2).mean(dim=(-1, -2))
    assert (pooled - small.float()).abs().max() <= 2
