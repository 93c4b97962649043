"""Payloads from a stranger: playlists, sounds, labels and indexes made to explode or to escape."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.loader import ClipLoader, LoaderOptions, webdataset_stream
from homage_sdk.shards import SampleInfo, ShardSet, verify
from homage_sdk.shards.format.index import INDEX_SCHEMA
from homage_sdk.shards.format.tar import ShardWriter, read_members
from tests.faults.hostile import OPTIONS, Bomb, bounded, copy, replace, reseal, unwatch, watch
from tests.unit.shards.servers import serving

__all__ = ["bounded", "copy"]  # fixtures


def refused(folder: Path, chosen: LoaderOptions) -> list[str]:
    """What the index loader and the stream say; each refuses in one line, in short time."""
    said = []
    doors: list[Callable[[], object]] = [
        lambda: list(ClipLoader(ShardSet.open(folder), chosen)),
        lambda: list(webdataset_stream(folder, chosen)),
    ]
    for door in doors:
        start = time.monotonic()
        with pytest.raises(HomageError) as caught:
            door()
        assert time.monotonic() - start < 20
        assert "\n" not in str(caught.value)
        said.append(str(caught.value))
    return said


def whole_sample(folder: Path) -> tuple[SampleInfo, LoaderOptions]:
    """A sample with a view, sound and labels, and options that read just it."""
    sample = next(s for s in ShardSet.open(folder).samples if s.ego and s.sound and s.n_frames > 20)
    return sample, OPTIONS.with_(batch_size=1, sequences=(sample.sequence,))


def test_the_watch_itself_sees_what_it_should(tmp_path: Path) -> None:
    noted = watch(tmp_path / "allowed")
    subprocess.run(["true"], check=True)
    pickle.loads(pickle.dumps(Bomb(tmp_path / "x")))
    (tmp_path / "y").write_text("")
    unwatch()
    assert {event for event, _ in noted} >= {"subprocess.Popen", "pickle.find_class", "open"}
    watch(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["m3u8", "ffconcat", "mpd", "sdp", "file list"])
@pytest.mark.parametrize("member", ["view", "sound"])
def test_playlists_open_nothing(copy: Path, tmp_path: Path, kind: str, member: str) -> None:
    """FFmpeg knows formats that are lists of addresses, or of ports to listen at."""
    sample, chosen = whole_sample(copy)
    assert sample.ego and sample.sound
    with serving(tmp_path) as (url, requests):
        text = {
            "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/x.ts\n#EXT-X-ENDLIST\n",
            "file list": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n",
            "ffconcat": f"ffconcat version 1.0\nfile {url}/x.mp4\n",
            "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
            f'<AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>{url}/y'
            "</BaseURL></Representation></AdaptationSet></Period></MPD>",
            "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
            "m=audio 5004 RTP/AVP 96\na=rtpmap:96 L16/16000\n",
        }[kind]
        field = sample.ego.field if member == "view" else sample.sound.field
        replace(copy, sample.shard, f"{sample.key}.{field}", text.encode())
        for said in refused(copy, chosen):
            assert sample.key in said
        start = time.monotonic()
        (problem,) = (p for p in verify(copy, deep=True) if p.code in ("HOM911", "HOM912"))
        assert problem.place.pointer == f"/{sample.key}.{field}"
        assert time.monotonic() - start < 8
        assert requests == []


def flac(seconds: int, rate: int = 16000) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as out:
        stream = out.add_stream("flac", rate=rate, layout="mono")
        for begin in range(0, seconds * rate, 4096):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = rate, begin
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.slow
def test_hours_of_silence_are_not_decoded(copy: Path) -> None:
    """Two hours of sound in 1.4 MB: a clip reads its own seconds, verify refuses the rest."""
    sample, chosen = whole_sample(copy)
    assert sample.sound
    content = flac(2 * 3600)
    assert len(content) < 1_500_000
    replace(copy, sample.shard, f"{sample.key}.{sample.sound.field}", content)
    start = time.process_time()
    assert list(ClipLoader(ShardSet.open(copy), chosen.with_(modalities=("audio",))))
    assert time.process_time() - start < 5
    start = time.process_time()
    (problem,) = (p for p in verify(copy, deep=True) if p.code == "HOM912")
    assert problem.place.pointer == f"/{sample.key}.{sample.sound.field}"
    assert time.process_time() - start < 10


@pytest.mark.parametrize("content", [b"fLaC", b"fLaC" + bytes(300), b"OggS" * 99, b"RIFF" * 99])
def test_sound_of_another_kind_is_refused(copy: Path, content: bytes) -> None:
    sample, chosen = whole_sample(copy)
    assert sample.sound
    replace(copy, sample.shard, f"{sample.key}.{sample.sound.field}", content)
    for said in refused(copy, chosen):
        assert sample.key in said


@pytest.mark.parametrize("depth", [200, 100_000])
def test_labels_nested_without_end_are_refused(copy: Path, depth: int) -> None:
    sample, chosen = whole_sample(copy)
    nested = b'{"atomic_actions":' * depth + b"[]" + b"}" * depth
    replace(copy, sample.shard, f"{sample.key}.ann.json", nested)
    for said in refused(copy, chosen):
        assert sample.key in said


def graph(frame: int, count: int) -> dict[str, object]:
    """A scene graph of so many objects, each related to the first."""
    named = {"class_id": 1, "column": 0, "name": "cup"}
    return {
        "frame": frame,
        "view": 0,
        "width": 160,
        "height": 120,
        "objects": [named | {"id": n, "box": [0, 0, 1, 1]} for n in range(count)],
        "relationships": [named | {"subject": n, "object": 0} for n in range(count)],
    }


@pytest.mark.slow
@pytest.mark.parametrize("count", [20_000, 200_000])
def test_a_scene_graph_of_absurdly_many_objects_is_refused(copy: Path, count: int) -> None:
    """A batch is padded to its largest graph: one liar would fill the memory."""
    shards = ShardSet.open(copy)
    sample, chosen = whole_sample(copy)
    chosen = chosen.with_(modalities=("scene_graph",), require="any")
    labels = orjson.loads(shards.read(sample.key, "ann.json"))
    labels["scene_graphs"] = [graph(sample.first_frame, 2)]
    replace(copy, sample.shard, f"{sample.key}.ann.json", orjson.dumps(labels))
    assert list(ClipLoader(ShardSet.open(copy), chosen))
    labels["scene_graphs"] = [graph(sample.first_frame, count)]
    replace(copy, sample.shard, f"{sample.key}.ann.json", orjson.dumps(labels))
    for said in refused(copy, chosen):
        assert sample.key in said


GRAPH_LIES: dict[str, Callable[[dict[str, object]], object]] = {
    "no objects": lambda g: g.pop("objects"),
    "objects that are none": lambda g: g.update(objects=[1, 2]),
    "a word for a column": lambda g: g["objects"][0].update(column="x"),  # type: ignore[index]
    "a column beyond": lambda g: g["objects"][0].update(column=10**6),  # type: ignore[index]
    "a predicate beyond": lambda g: g["relationships"][0].update(column=10**6),  # type: ignore[index]
    "a key that nobody knows": lambda g: g.update(surprise=1),
    "a huge column": lambda g: g["objects"][0].update(column=2**63),  # type: ignore[index]
    "a list for a name": lambda g: g["objects"][0].update(id=[1]),  # type: ignore[index]
    "a box of three": lambda g: g["objects"][0].update(box=[1, 2, 3]),  # type: ignore[index]
    "a box of words": lambda g: g["objects"][0].update(box=list("abcd")),  # type: ignore[index]
    "no width": lambda g: g.update(width=0),
    "a word for a width": lambda g: g.update(width="x"),
    "a word for a frame": lambda g: g.update(frame="x"),
    "no column": lambda g: g["relationships"][0].pop("column"),  # type: ignore[index]
}


@pytest.mark.parametrize("lie", GRAPH_LIES)
def test_scene_graphs_that_lie_are_refused(copy: Path, lie: str) -> None:
    sample, chosen = whole_sample(copy)
    labels = orjson.loads(ShardSet.open(copy).read(sample.key, "ann.json"))
    liar = graph(sample.first_frame, 2)
    GRAPH_LIES[lie](liar)
    labels["scene_graphs"] = [liar]
    replace(copy, sample.shard, f"{sample.key}.ann.json", orjson.dumps(labels, default=str))
    for said in refused(copy, chosen.with_(modalities=("scene_graph", "ego"))):
        assert sample.key in said


@pytest.mark.parametrize("name", ["manifest.json", "index.parquet", "shard"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder", "device", "empty"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    copy: Path, tmp_path: Path, kind: str, name: str
) -> None:
    sample, chosen = whole_sample(copy)
    path = copy / (sample.shard if name == "shard" else name)
    outside = path.rename(tmp_path / "outside")
    make: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(outside),
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "empty": path.touch,
    }
    make[kind]()
    with pytest.raises(ShardError):
        list(webdataset_stream(copy, chosen))
    if (kind, name) != ("link", "manifest.json"):  # a link to a manifest is a manifest by index
        with pytest.raises(ShardError):
            ShardSet.open(copy).read(sample.key, "meta.json")
    if kind not in ("link",):
        assert any(p.severity == "error" for p in verify(copy))


def sealed_index(folder: Path, table: pa.Table) -> None:
    """Put an index in place, with its hash in the manifest."""
    pq.write_table(table, folder / "index.parquet", compression="zstd")
    data = (folder / "index.parquet").read_bytes()
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    manifest["index"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))


@pytest.mark.parametrize("kind", ["rows", "names"])
def test_an_index_that_unfolds_to_gigabytes_is_refused(copy: Path, kind: str) -> None:
    count = 5_000_000 if kind == "rows" else 50_000
    word = "k" if kind == "rows" else "k" * 50_000
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([word]))
    zeros = pa.array(np.zeros(count, np.int64))
    table = pa.table([words, words, words, zeros, zeros, zeros], names=INDEX_SCHEMA.names)
    sealed_index(copy, table)
    assert (copy / "index.parquet").stat().st_size < 300_000
    start = time.process_time()
    _, chosen = whole_sample(copy)
    for said in refused(copy, chosen):
        assert "too l" in said
    assert any(p.code == "HOM905" for p in verify(copy))
    assert time.process_time() - start < 10


@pytest.mark.slow
def test_a_sample_of_very_many_tiny_members(copy: Path) -> None:
    """The members that are asked for are read, nothing else."""
    count = 30_000
    sample, chosen = whole_sample(copy)
    path = copy / sample.shard
    rebuilt = io.BytesIO()
    writer = ShardWriter(rebuilt.write)
    done = False
    with path.open("rb") as file:
        for member, data in read_members(file, path.name):
            if member.key == sample.key and not done:
                for n in range(count):
                    writer.add(member.key, f"x{n}", b"")
                done = True
            writer.add(member.key, member.field, data)
    writer.finish()
    path.write_bytes(rebuilt.getvalue())
    reseal(copy)
    start = time.process_time()
    assert list(webdataset_stream(copy, chosen))
    assert time.process_time() - start < 5
    start = time.process_time()
    assert list(ClipLoader(ShardSet.open(copy), chosen))
    verify(copy)
    assert time.process_time() - start < 12


def test_an_index_of_half_a_million_members_is_read_in_bounded_memory_and_time(copy: Path) -> None:
    sample, chosen = whole_sample(copy)
    table = pq.read_table(copy / "index.parquet")
    count = 500_000
    zeros = pa.array(np.zeros(count, np.int64))
    one, shard = (pa.repeat(pa.scalar(word), count) for word in (sample.key, sample.shard))
    first = pa.array(np.full(count, 512))  # where the first payload of a shard lies
    columns = [one, pa.array(np.arange(count)).cast(pa.string()), shard, first, zeros, zeros]
    whole = pa.concat_tables([table.cast(INDEX_SCHEMA), pa.table(columns, schema=INDEX_SCHEMA)])
    sealed_index(copy, whole)
    del columns, whole
    start = time.process_time()
    assert list(ClipLoader(ShardSet.open(copy), chosen))
    assert time.process_time() - start < 15
