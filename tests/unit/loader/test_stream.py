"""The stream gives the clips of the index loader, in an order that can be resumed and shared."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import pytest
import torch

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import Batch, ClipLoader, LoaderOptions, StreamLoader
from homage_sdk.shards import ShardSet
from homage_sdk.shards import stream as stream_module
from homage_sdk.shards.remote import Remote
from tests.unit.loader.batches import all_same, rows, take

OPTIONS = LoaderOptions(
    modalities=("ego", "third", "audio", "scene_graph"), batch_size=1, blocks=4, size=64
)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The shards that streams open, and from which byte."""
    found: list[tuple[str, int]] = []
    bare = Remote.open

    def noting(self: Remote, name: str, begin: int = 0, size: int | None = None) -> object:
        if name.endswith(".tar"):
            found.append((name, begin))
        return bare(self, name, begin, size)

    monkeypatch.setattr(Remote, "open", noting)
    return found


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_stream_gives_the_clips_of_the_index(shards: ShardSet, mode: str) -> None:
    chosen = OPTIONS.with_(mode=mode)
    streamed = rows(list(StreamLoader(shards.path, chosen)))
    assert Counter(streamed) == Counter(rows(list(ClipLoader(shards, chosen))))


def test_batches_are_of_one_type(shards: ShardSet) -> None:
    streamed = next(iter(StreamLoader(shards.path, OPTIONS)))
    indexed = next(iter(ClipLoader(shards, OPTIONS)))
    assert type(streamed) is type(indexed) is Batch
    assert {k: v.shape for k, v in streamed.video.items()} == {
        k: v.shape for k, v in indexed.video.items()
    }
    assert isinstance(streamed.logmel, torch.Tensor)


def test_the_order_depends_on_seed_and_epoch_alone(barcode_shards: Path) -> None:
    def order(seed: int, epoch: int) -> list[tuple[object, ...]]:
        loader = StreamLoader(barcode_shards, OPTIONS.with_(seed=seed))
        loader.set_epoch(epoch)
        return rows(list(loader))

    assert order(0, 1) == order(0, 1) and order(0, 1) != order(0, 2) != order(1, 2)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_number_of_workers_changes_nothing(barcode_shards: Path, mode: str) -> None:
    chosen = OPTIONS.with_(mode=mode, batch_size=2)
    alone = list(StreamLoader(barcode_shards, chosen))
    assert len(alone) > 1
    for workers in (1, 2):
        assert all_same(alone, list(StreamLoader(barcode_shards, chosen.with_(workers=workers))))


def test_epochs_follow_one_another_by_themselves(barcode_shards: Path) -> None:
    loader = StreamLoader(barcode_shards, OPTIONS)
    first, second = list(loader), list(loader)
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == (2, 0)
    assert not all_same(first, second)
    again = StreamLoader(barcode_shards, OPTIONS)
    again.set_epoch(1)
    assert all_same(second, list(again))


@pytest.mark.parametrize(("workers", "buffer"), [(0, 64), (0, 2), (2, 64)])
@pytest.mark.parametrize("skip_bytes", [0, 1 << 20])
def test_a_resumed_stream_is_bitwise_the_same(
    barcode_shards: Path,
    workers: int,
    buffer: int,
    skip_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "_SKIP_BYTES", skip_bytes)
    chosen = OPTIONS.with_(workers=workers)

    def loader() -> StreamLoader:
        return StreamLoader(barcode_shards, chosen, buffer=buffer)

    whole = take(StreamLoader(barcode_shards, OPTIONS, buffer=buffer), 11)
    for stop in (3, 9) if workers else (1, 3, 4, 9):
        first = loader()
        take(first, stop)
        state = pickle.loads(pickle.dumps(first.state_dict()))
        second = loader()
        second.load_state_dict(state)
        assert all_same(whole[stop:], take(second, 11 - stop))


def test_an_evaluation_is_resumed_too(barcode_shards: Path) -> None:
    chosen = OPTIONS.with_(mode="eval", batch_size=3)
    whole = list(StreamLoader(barcode_shards, chosen))
    loader = StreamLoader(barcode_shards, chosen)
    loader.load_state_dict({"seed": 0, "epoch": 0, "position": 2})
    assert all_same(whole[2:], list(loader))


def test_a_resume_neither_decodes_nor_reads_what_was_given(
    barcode_shards: Path, opened: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "_SKIP_BYTES", 0)
    decoded: list[str] = []
    from homage_sdk.loader import assemble as clips

    bare = clips.decode_clip

    def noting(*args: object, **named: object) -> None:
        decoded.append(str(named["place"]))
        bare(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(clips, "decode_clip", noting)
    loader = StreamLoader(barcode_shards, OPTIONS, buffer=1)
    order = [row.sample for (row,) in loader.rows(0) if row]
    last = order[-1]
    loader.load_state_dict({"seed": 0, "epoch": 0, "position": len(order) - 1})
    assert len(list(loader)) == 1
    assert decoded and all(place.startswith(last.key) for place in decoded)
    position = [s.key for s in loader._layout.samples(last.shard)].index(last.key)
    assert [name for name, _ in opened] == [last.shard]
    assert (opened[0][1] > 0) == (position > 0)


def test_a_state_of_another_seed_is_refused(barcode_shards: Path) -> None:
    with pytest.raises(UsageError, match="another stream"):
        StreamLoader(barcode_shards, OPTIONS).load_state_dict(
            {"seed": 1, "epoch": 0, "position": 0}
        )


@pytest.mark.parametrize("skip_bytes", [0, 1 << 20])
@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_ranks_see_the_same_number_of_batches_and_every_row_once(
    shards: ShardSet, world_size: int, skip_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with more ranks than shards, shards of uneven size, and ranks that get padding only."""
    monkeypatch.setattr(stream_module, "_SKIP_BYTES", skip_bytes)
    assert world_size < 7 or world_size > len(shards.manifest.shards)
    lengths, seen = set(), []
    for rank in range(world_size):
        chosen = OPTIONS.with_(mode="eval", rank=rank, world_size=world_size, batch_size=3)
        loader = StreamLoader(shards.path, chosen)
        batches = list(loader)
        assert all(len(batch) == 3 for batch in batches)
        lengths.add((len(loader), len(batches)))
        seen += rows(batches)
    assert len(lengths) == 1
    assert Counter(seen) == Counter(rows(list(ClipLoader(shards, OPTIONS.with_(mode="eval")))))


@pytest.mark.parametrize("world_size", [2, 4])
def test_training_ranks_share_one_order(barcode_shards: Path, world_size: int) -> None:
    alone = rows(list(StreamLoader(barcode_shards, OPTIONS, buffer=3)))
    shared: list[tuple[object, ...]] = []
    lengths = set()
    for rank in range(world_size):
        chosen = OPTIONS.with_(rank=rank, world_size=world_size)
        batches = list(StreamLoader(barcode_shards, chosen, buffer=3))
        lengths.add(len(batches))
        shared += rows(batches)
    assert lengths == {len(alone) // world_size}
    assert shared == alone[: len(shared)]


def test_a_loop_that_is_left_early_leaves_nothing_running(barcode_shards: Path) -> None:
    import threading

    loader = StreamLoader(barcode_shards, OPTIONS.with_(workers=1, prefetch=1))
    batches = iter(loader)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "shard stream"]


def test_an_error_comes_in_its_place_and_names_the_sample(
    barcode_shards: Path, tmp_path: Path
) -> None:
    """Batches before the damaged one are given, whoever decodes; then one line."""
    import shutil

    broken = Path(shutil.copytree(barcode_shards, tmp_path / "broken"))
    chosen = OPTIONS.with_(mode="eval")
    loader = StreamLoader(barcode_shards, chosen)
    order = [row.sample for (row,) in loader.rows(0) if row]
    victim = order[-1]
    before = next(i for i, sample in enumerate(order) if sample.key == victim.key)
    name, offset, size, _ = ShardSet.open(broken).locations()[victim.key]["ann.json"]
    data = bytearray((broken / name).read_bytes())
    data[offset + size // 2] ^= 1
    (broken / name).write_bytes(data)
    for workers in (0, 2):
        given = 0
        with pytest.raises(ShardError, match=rf"{victim.key}\.ann\.json: a member is damaged") as e:
            for _ in StreamLoader(broken, chosen.with_(workers=workers)):
                given += 1
        assert given == before and "\n" not in str(e.value)


def test_verify_compares_each_shard_with_its_hash(
    barcode_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what no clip needs, and shards of which a rank wants but a part."""
    import shutil

    monkeypatch.setattr(stream_module, "_SKIP_BYTES", 0)
    broken = Path(shutil.copytree(barcode_shards, tmp_path / "broken"))
    chosen = OPTIONS.with_(mode="eval", modalities=("audio",))
    assert len(list(StreamLoader(broken, chosen, verify=True))) > 1
    shards = ShardSet.open(broken)
    name, offset, size, _ = shards.locations()["p0001_r000_a000"]["v000.mp4"]
    data = bytearray((broken / name).read_bytes())
    data[offset + size // 2] ^= 1  # a view that is not asked for
    (broken / name).write_bytes(data)
    assert list(StreamLoader(broken, chosen))
    for workers in (0, 2):
        with pytest.raises(ShardError, match=f"{name}: the shard is not the one of the manifest"):
            list(StreamLoader(broken, chosen.with_(workers=workers), verify=True))


def test_samples_that_wait_have_a_bound(barcode_shards: Path) -> None:
    with pytest.raises(ShardError, match=r"larger than the memory allowed.*smaller buffer"):
        list(StreamLoader(barcode_shards, OPTIONS, memory_bytes=10_000))


def test_what_is_not_there_is_named(barcode_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest\.json: no such file"):
        StreamLoader(tmp_path, OPTIONS)
    with pytest.raises(UsageError, match="fewer sequences than one batch"):
        StreamLoader(barcode_shards, OPTIONS.with_(batch_size=9))
    with pytest.raises(UsageError, match="at least one sample"):
        StreamLoader(barcode_shards, OPTIONS, buffer=0)
    (tmp_path / "manifest.json").write_bytes((barcode_shards / "manifest.json").read_bytes())
    with pytest.raises(ShardError, match=r"index\.parquet: no such file"):
        StreamLoader(tmp_path, OPTIONS)
    (tmp_path / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(ShardError, match=r"index\.parquet: the index is not the one"):
        StreamLoader(tmp_path, OPTIONS)
