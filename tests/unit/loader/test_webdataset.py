"""The pure stream gives the clips of the index loader, and refuses what it must."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import Batch, ClipLoader, LoaderOptions, webdataset_stream
from homage_sdk.shards import ShardSet
from tests.unit.loader.batches import all_same, rows
from tests.unit.shards.servers import serving

OPTIONS = LoaderOptions(
    modalities=("ego", "third", "audio", "scene_graph"), batch_size=1, blocks=4, size=64
)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_stream_gives_the_clips_of_the_index(shards: ShardSet, mode: str, workers: int) -> None:
    options = OPTIONS.with_(mode=mode, workers=workers)
    for epoch in (0, 1) if mode == "train" else (0,):
        loader = ClipLoader(shards, OPTIONS.with_(mode=mode))
        loader.set_epoch(epoch)
        streamed = list(webdataset_stream(shards.path, options, epoch=epoch))
        assert {type(batch) for batch in streamed} == {Batch}
        assert Counter(rows(streamed)) == Counter(rows(list(loader)))


def test_a_clip_of_each_action_is_not_streamed(shards: ShardSet) -> None:
    """The clips of a sequence would fill the buffer, and batches, by themselves."""
    options = OPTIONS.with_(train_unit="action")
    with pytest.raises(UsageError, match=r"train_unit action.*ClipLoader"):
        next(webdataset_stream(shards.path, options))
    assert next(webdataset_stream(shards.path, options.with_(mode="eval")))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_last_batch_of_an_evaluation_is_padded(shards: ShardSet, workers: int) -> None:
    options = OPTIONS.with_(mode="eval", batch_size=7, workers=workers)
    batches = list(webdataset_stream(shards.path, options))
    assert all(len(batch) == 7 for batch in batches)
    whole = rows(list(ClipLoader(shards, OPTIONS.with_(mode="eval"))))
    assert Counter(rows(batches)) == Counter(whole)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_shards_and_every_clip_is_given_once(
    shards: ShardSet, world_size: int
) -> None:
    seen: list[tuple[object, ...]] = []
    for rank in range(world_size):
        options = OPTIONS.with_(mode="eval", rank=rank, world_size=world_size)
        own = rows(list(webdataset_stream(shards.path, options)))
        assert own
        seen += own
    assert Counter(seen) == Counter(rows(list(ClipLoader(shards, OPTIONS.with_(mode="eval")))))


def test_epochs_come_in_other_orders_and_one_epoch_always_in_the_same(small_shards: Path) -> None:
    def order(epoch: int, seed: int = 0) -> list[str]:
        options = LoaderOptions(("audio",), batch_size=1, blocks=2, seed=seed)
        return [b.sequence[0] for b in webdataset_stream(small_shards, options, epoch=epoch)]

    orders = [order(epoch) for epoch in range(3)]
    assert len({tuple(each) for each in orders}) == 3
    assert len({tuple(sorted(each)) for each in orders}) == 1
    assert order(1) == orders[1] != order(1, seed=7)


@pytest.mark.parametrize("far", [False, True])
def test_some_shards_of_a_folder_may_be_named(shards: ShardSet, far: bool) -> None:
    options = OPTIONS.with_(mode="eval", modalities=("audio",))
    name = shards.manifest.shards[0].name
    expected = {s.sequence for s in shards.samples if s.shard == name and s.has_audio}
    if far:
        pytest.importorskip("aiohttp")
        with serving(shards.path) as (url, requests):
            batches = list(webdataset_stream([f"{url}/{name}"], options))
        assert {path for path, _ in requests} == {"/manifest.json", "/index.parquet", f"/{name}"}
    else:
        batches = list(webdataset_stream(shards.path / name, options))
    assert {sequence for batch in batches for sequence in batch.sequence} == expected != set()


@pytest.mark.parametrize(
    "urls",
    [
        "pipe:cat x.tar",
        "pipe:cat /tmp/x.tar",
        ["pipe:cat a/x.tar", "pipe:cat a/y.tar"],
        "simplecache::pipe:touch trace",
        ["a/x.tar", "b/x.tar"],
        ["a/x.tar", "a/y"],
        [],
    ],
)
def test_addresses_that_run_something_or_are_no_folder_are_refused(
    urls: str | list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        webdataset_stream(urls, OPTIONS)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_streamed_is_refused_before_anything_is_read(shards: ShardSet) -> None:
    for changes in ({"workers": 9}, {"world_size": 9}, {"split": "nowhere"}):
        with pytest.raises(UsageError):
            webdataset_stream(shards.path, OPTIONS.with_(**changes))
    with pytest.raises(UsageError):
        webdataset_stream(shards.path / "other-00000.tar", OPTIONS)
    with pytest.raises(UsageError):
        list(webdataset_stream(shards.path, OPTIONS.with_(batch_size=60)))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("damage", ["a flipped bit", "cut", "a sample less"])
def test_damage_is_one_line_in_its_place(
    barcode_shards: Path, tmp_path: Path, damage: str, workers: int
) -> None:
    """The same whoever decodes; what came before it is given."""
    broken = Path(shutil.copytree(barcode_shards, tmp_path / "broken"))
    shards = ShardSet.open(broken)
    victim = next(s for s in shards.samples if s.shard == "val-00000.tar")
    name, offset, size, _ = shards.locations()[victim.key]["ann.json"]
    data = bytearray((broken / name).read_bytes())
    if damage == "a flipped bit":
        data[offset + size // 2] ^= 1
    elif damage == "cut":
        del data[offset + size // 2 :]
    else:
        data = bytearray(1024)
    (broken / name).write_bytes(data)
    with pytest.raises(ShardError) as caught:
        list(webdataset_stream(broken, OPTIONS.with_(mode="eval", workers=workers)))
    assert caught.value.place is not None and caught.value.place.file.endswith(name)
    assert "\n" not in str(caught.value)


def test_a_stream_that_is_left_early_can_be_begun_again(shards: ShardSet) -> None:
    options = OPTIONS.with_(mode="eval")
    first = webdataset_stream(shards.path, options)
    begun = [next(first), next(first)]
    first.close()  # type: ignore[attr-defined]
    assert all_same(begun, list(webdataset_stream(shards.path, options))[:2])
