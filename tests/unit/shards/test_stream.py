"""The stream gives the clips of the index loader, from disk, http and any fsspec file system."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
import torch

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.shards import Batch, ClipLoader, LoaderOptions, ShardSet, StreamLoader

OPTIONS = LoaderOptions(
    modalities=("ego", "third", "audio", "scene_graph"), batch_size=1, blocks=4, size=64
)
Row = tuple[object, ...]


def rows(batches: Iterator[Batch]) -> list[Row]:
    """Everything about each row, in a form that can be counted."""
    found = []
    for batch in batches:
        for b, sequence in enumerate(batch.sequence):
            if not sequence:
                continue
            tensors = [batch.frames, batch.atomic_block, batch.activity, batch.clip, batch.logmel]
            tensors += [*batch.video.values(), *batch.view.values(), *batch.present.values()]
            found.append((sequence, *(hash(t[b].numpy().tobytes()) for t in tensors)))  # type: ignore[index]
    return found


@pytest.fixture
def http(barcode_shards: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(barcode_shards)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def memory(barcode_shards: Path) -> str:
    for path in barcode_shards.iterdir():
        with fsspec.open(f"memory://bucket/shards/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    return "memory://bucket/shards"


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_stream_gives_the_clips_of_the_index(shards: ShardSet, mode: str) -> None:
    chosen = OPTIONS.with_(mode=mode)
    assert Counter(rows(StreamLoader(shards.path, chosen))) == Counter(
        rows(ClipLoader(shards, chosen))
    )


def test_http_and_object_stores_give_the_same_stream(
    barcode_shards: Path, http: str, memory: str
) -> None:
    pytest.importorskip("aiohttp")
    local = rows(StreamLoader(barcode_shards, OPTIONS))
    assert rows(StreamLoader(http, OPTIONS)) == local
    assert rows(StreamLoader(memory, OPTIONS)) == local


def test_an_object_store_gives_the_same_stream(barcode_shards: Path, memory: str) -> None:
    assert rows(StreamLoader(memory, OPTIONS)) == rows(StreamLoader(barcode_shards, OPTIONS))


def test_the_order_depends_on_seed_and_epoch_alone(barcode_shards: Path) -> None:
    def order(seed: int, epoch: int) -> list[Row]:
        loader = StreamLoader(barcode_shards, OPTIONS.with_(seed=seed))
        loader.set_epoch(epoch)
        return rows(iter(loader))

    assert order(0, 1) == order(0, 1) and order(0, 1) != order(0, 2) != order(1, 2)


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_see_the_same_number_of_batches_and_every_row_once(
    barcode_shards: Path, shards: ShardSet, world_size: int
) -> None:
    lengths, seen = set(), []
    for rank in range(world_size):
        chosen = OPTIONS.with_(mode="eval", rank=rank, world_size=world_size, batch_size=3)
        loader = StreamLoader(barcode_shards, chosen)
        batches = list(loader)
        lengths.add((len(loader), len(batches)))
        seen += rows(iter(batches))
    assert len(lengths) == 1
    assert Counter(seen) == Counter(rows(ClipLoader(shards, OPTIONS.with_(mode="eval"))))


def test_what_is_not_there_is_named(barcode_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest\.json: no such file"):
        StreamLoader(tmp_path, OPTIONS)
    with pytest.raises(UsageError, match="fewer sequences than one batch"):
        StreamLoader(barcode_shards, OPTIONS.with_(batch_size=9))
    with pytest.raises(UsageError, match="in this process"):
        StreamLoader(barcode_shards, OPTIONS.with_(workers=2))


def test_batches_are_of_one_type(shards: ShardSet) -> None:
    streamed = next(iter(StreamLoader(shards.path, OPTIONS)))
    indexed = next(iter(ClipLoader(shards, OPTIONS)))
    assert type(streamed) is type(indexed) is Batch
    assert {k: v.shape for k, v in streamed.video.items()} == {
        k: v.shape for k, v in indexed.video.items()
    }
    assert isinstance(streamed.logmel, torch.Tensor)
