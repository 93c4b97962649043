"""Shards from a stranger: everything is refused with a reason, nothing runs, nothing is written.

Each attack goes through every door: opening, the index loader, the stream, and ``verify``.
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import ClipLoader, LoaderOptions, webdataset_stream
from homage_sdk.shards import ShardSet, verify
from homage_sdk.shards.format.index import INDEX_SCHEMA
from homage_sdk.shards.format.tar import MAX_MEMBER_BYTES, ShardWriter, read_members
from tests.faults.hostile import (
    OPTIONS,
    Bomb,
    append,
    bounded,
    copy,
    first_shard,
    info,
    mp4,
    refused_by_stream,
    replace,
    reseal,
)

__all__ = ["bounded", "copy"]  # fixtures


PICKLES = ["x.pkl", "x.pyd", "x.pickle", "x.pth", "x.npy", "x.cls", "meta.pyd"]


def test_pickles_under_any_name_are_never_loaded(copy: Path, tmp_path: Path) -> None:
    shard = first_shard(copy)
    with shard.open("rb") as file:
        key = next(read_members(file, shard.name))[0].key
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))
    append(shard, *((info(f"{key}.{field}", len(bomb)), bomb) for field in PICKLES))
    reseal(copy)
    opened = ShardSet.open(copy)
    assert all(opened.read(key, field) == bomb for field in PICKLES)  # bytes are bytes
    chosen = LoaderOptions(mode="eval", batch_size=1, sequences=(opened[key].sequence,))
    assert len(next(iter(ClipLoader(opened, chosen)))) == 1
    assert len(next(webdataset_stream(copy, chosen))) == 1
    verify(copy, deep=True)


def test_a_pickle_in_place_of_labels_is_refused(copy: Path, tmp_path: Path) -> None:
    shards = ShardSet.open(copy)
    key = shards.samples[0].key
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))
    for field in ("ann.json", "meta.json", shards.samples[0].views[0].field):
        name, offset, size, _ = shards.locations()[key][field]
        with (copy / name).open("r+b") as file:
            file.seek(offset)
            file.write((bomb + bytes(size))[:size])
    reseal(copy)
    with pytest.raises(ShardError, match=key):
        list(ClipLoader(ShardSet.open(copy), OPTIONS))
    assert {p.code for p in verify(copy, deep=True)} >= {"HOM910", "HOM911"}


@pytest.mark.parametrize(
    "url",
    [
        "pipe:touch trace",
        "pipe: curl http://example.org/x.tar",
        "file:///x/{000..999}.tar::pipe:touch trace",
        "gopen:trace",
        "ftp://example.org/shards",
        "simplecache::pipe:touch trace",
        "ssh://example.org/x",
        "local-shell:touch trace",
    ],
)
def test_addresses_that_would_run_something_are_refused(url: str, tmp_path: Path) -> None:
    for door in (lambda: ShardSet.open(url, cache=tmp_path), lambda: webdataset_stream(url)):
        with pytest.raises(UsageError):
            door()
    assert not list(tmp_path.iterdir())


def test_braces_are_part_of_a_name_and_expand_to_nothing(tmp_path: Path) -> None:
    evil = tmp_path / "{a..z}" / "`touch trace`" / "$(touch trace)"
    for door in (ShardSet.open, webdataset_stream):
        with pytest.raises(ShardError) as caught:
            door(evil)
        assert caught.value.place is not None and str(evil) in caught.value.place.file


EVIL_NAMES = [
    "../trace.json",
    "../../etc/trace.json",
    "/tmp/trace.json",
    "a/b.json",
    "./x.json",
    "x..json",
    ".hidden",
    "no_extension",
    "x.json\x01",
    "e\u0301.json",
    "x" * 99,
    "p0002_r001_a007.JSON",
    "x.a b",
    "-rf.$(touch trace)",
]


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_that_are_no_member_names_are_refused(copy: Path, tmp_path: Path, name: str) -> None:
    append(first_shard(copy), (info(name, 5), b"hello"))
    reseal(copy)
    assert "a member name that no shard holds" in refused_by_stream(copy)
    assert any(p.severity == "error" for p in verify(copy))
    assert {p.name for p in tmp_path.iterdir()} == {"shards"}


KINDS = {
    "symbolic link": (tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": (tarfile.LNKTYPE, "../../etc/passwd"),
    "device": (tarfile.CHRTYPE, ""),
    "block device": (tarfile.BLKTYPE, ""),
    "pipe": (tarfile.FIFOTYPE, ""),
    "folder": (tarfile.DIRTYPE, ""),
    "long name": (tarfile.GNUTYPE_LONGNAME, ""),
    "long link": (tarfile.GNUTYPE_LONGLINK, ""),
    "sparse": (tarfile.GNUTYPE_SPARSE, ""),
    "pax header": (tarfile.XHDTYPE, ""),
    "global pax header": (tarfile.XGLTYPE, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_members_that_are_no_regular_files_are_refused(copy: Path, kind: str) -> None:
    code, link = KINDS[kind]
    append(first_shard(copy), info("p0001_r000_a000.json", 0, code, link))
    assert "no regular file" in refused_by_stream(copy)
    assert any(p.severity == "error" for p in verify(copy))


def test_the_same_member_twice_is_refused(copy: Path) -> None:
    shard = first_shard(copy)
    with shard.open("rb") as file:
        member, content = next(read_members(file, shard.name))
    append(shard, (info(member.name, member.size), content))
    assert shard.name in refused_by_stream(copy)
    reseal(copy)
    with pytest.raises(ShardError, match="there twice"):
        ShardSet.open(copy).members(member.key)
    assert any(p.code == "HOM905" for p in verify(copy))


def test_a_sample_of_another_shard_is_refused(copy: Path) -> None:
    shard = first_shard(copy)
    append(shard, (info("p9999_r000_a000.meta.json", 2), b"{}"))
    assert shard.name in refused_by_stream(copy)
    reseal(copy)
    assert any(p.code == "HOM909" for p in verify(copy))


@pytest.mark.parametrize("size", [MAX_MEMBER_BYTES + 1, 2**40, 2**62])
def test_absurd_sizes_are_refused_before_memory_is_taken(copy: Path, size: int) -> None:
    shard = first_shard(copy)
    append(shard, info("p0001_r000_a000.v000.mp4", size))
    assert "too large" in refused_by_stream(copy)


def test_a_size_beyond_the_file_takes_no_memory(copy: Path) -> None:
    append(first_shard(copy), info("p0001_r000_a000.v000.mp4", MAX_MEMBER_BYTES - 1))
    assert "cut short" in refused_by_stream(copy)


def test_a_tar_cut_anywhere_is_refused(copy: Path) -> None:
    """webdataset gives a short last sample and no error; we give an error."""
    shard = first_shard(copy)
    whole = shard.read_bytes()
    with shard.open("rb") as file:
        ends = [member.offset + member.size for member, _ in read_members(file, shard.name)]
    cuts = [0, 100, 512, len(whole) - 512, len(whole) - 1024, len(whole) - 1]
    for end in ends[:6]:
        cuts += [end, end + -end % 512, end + -end % 512 + 200]
    for cut in cuts:
        shard.write_bytes(whole[:cut])
        with pytest.raises(ShardError, match="another size"):
            ShardSet.open(copy)
        assert "cut short" in refused_by_stream(copy)
        assert any(p.code == "HOM903" for p in verify(copy))


def test_an_index_that_points_elsewhere_is_refused(copy: Path) -> None:
    manifest = orjson.loads((copy / "manifest.json").read_bytes())
    table = pq.read_table(copy / "index.parquet").to_pydict()
    attacks: list[Callable[[dict[str, list[object]]], None]] = [
        lambda t: t["shard"].__setitem__(0, "../../../etc/passwd"),
        lambda t: t["shard"].__setitem__(0, "/etc/passwd"),
        lambda t: t["offset"].__setitem__(0, 2**60),
        lambda t: t["offset"].__setitem__(0, -1),
        lambda t: t["size"].__setitem__(0, 2**60),
        lambda t: t["size"].__setitem__(0, -5),
        lambda t: t["member"].__setitem__(1, t["member"][0]),
    ]
    for attack in attacks:
        columns = {name: list(values) for name, values in table.items()}
        attack(columns)
        pq.write_table(pa.table(columns, schema=INDEX_SCHEMA), copy / "index.parquet")
        data = (copy / "index.parquet").read_bytes()
        manifest["index"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (copy / "manifest.json").write_bytes(orjson.dumps(manifest))
        with pytest.raises(ShardError):
            ShardSet.open(copy).read(manifest["samples"][0]["key"], "meta.json")
        assert any(p.severity == "error" for p in verify(copy))


def test_a_manifest_that_names_paths_is_refused(copy: Path) -> None:
    whole = orjson.loads((copy / "manifest.json").read_bytes())
    attacks: list[Callable[[dict[str, object]], object]] = [
        lambda m: m["shards"][0].__setitem__("name", "../x-00000.tar"),
        lambda m: m["shards"][0].__setitem__("name", "/etc/passwd"),
        lambda m: m["shards"][0].__setitem__("name", "pipe:touch trace|-00000.tar"),
        lambda m: m["index"].__setitem__("name", "../index.parquet"),
        lambda m: m["samples"][0].__setitem__("key", "../x"),
        lambda m: m["samples"][0].__setitem__("shard", "other-00000.tar"),
        lambda m: m["samples"][0]["views"][0].__setitem__("width", 10**9),
        lambda m: m["samples"][0]["views"][0].__setitem__("n_frames", -1),
        lambda m: m["shards"].append(m["shards"][0]),
        lambda m: m.__setitem__("surprise", 1),
        lambda m: m.__setitem__("samples", {"a": 1}),
        lambda m: m.__setitem__("options", []),
    ]
    for attack in attacks:
        manifest = orjson.loads(orjson.dumps(whole))
        attack(manifest)
        (copy / "manifest.json").write_bytes(orjson.dumps(manifest))
        with pytest.raises(ShardError) as caught:
            ShardSet.open(copy)
        assert "\n" not in str(caught.value)
        assert [p.code for p in verify(copy)] == ["HOM901"]
    for content in (b"", b"\x80\x04.", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe"):
        (copy / "manifest.json").write_bytes(content)
        with pytest.raises(ShardError):
            ShardSet.open(copy)


def test_a_link_in_place_of_a_shard_is_refused(copy: Path, tmp_path: Path) -> None:
    shard = first_shard(copy)
    outside = tmp_path / "outside.tar"
    shutil.move(shard, outside)
    shard.symlink_to(outside)
    with pytest.raises(ShardError, match="missing"):
        ShardSet.open(copy)
    shard.unlink()
    shutil.copy(outside, shard)
    opened = ShardSet.open(copy)
    shard.unlink()
    shard.symlink_to(outside)  # swapped after opening
    key = next(s.key for s in opened.samples if s.shard == shard.name)
    with pytest.raises(ShardError, match="cannot be opened"):
        opened.read(key, "meta.json")


@pytest.mark.slow
def test_very_many_tiny_members_take_bounded_memory_and_time(tmp_path: Path) -> None:
    path = tmp_path / "train-00000.tar"
    with path.open("wb") as file:
        writer = ShardWriter(file.write)
        for n in range(40_000):
            writer.add(f"k{n}", "x", b"")
        writer.finish()
    start, count = time.process_time(), 0
    with path.open("rb") as file:
        for _ in read_members(file, path.name):
            count += 1
    assert count == 40_000 and time.process_time() - start < 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["huge picture", "many frames", "other size", "no frames", "text"])
def test_videos_crafted_to_explode_are_refused(copy: Path, kind: str) -> None:
    content = {
        "huge picture": lambda: mp4(8192, 4608, 1),
        "many frames": lambda: mp4(160, 120, 3000),
        "other size": lambda: mp4(64, 48, 130),
        "no frames": lambda: mp4(160, 120, 1),
        "text": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
    }[kind]()
    shards = ShardSet.open(copy)
    sample = next(s for s in shards.samples if s.ego and s.n_frames > 20)
    replace(copy, sample.shard, f"{sample.key}.v000.mp4", content)
    (problem,) = (p for p in verify(copy, deep=True) if p.code == "HOM911")
    assert problem.place.pointer == f"/{sample.key}.v000.mp4"
    chosen = LoaderOptions(
        mode="eval", batch_size=1, blocks=2, size=64, sequences=(sample.sequence,)
    )
    if kind == "many frames":  # what is asked for is there; nothing more is decoded
        for _ in ClipLoader(ShardSet.open(copy), chosen):
            pass
        return
    with pytest.raises(ShardError, match=sample.key):
        for _ in ClipLoader(ShardSet.open(copy), chosen):
            pass


LIES: dict[str, Callable[[dict[str, list[dict[str, object]]]], object]] = {
    "a column beyond": lambda a: a["atomic_actions"][0].update(column=10**6),
    "a column below": lambda a: a["atomic_actions"][0].update(column=-1),
    "a word for a column": lambda a: a["atomic_actions"][0].update(column="x"),
    "a word for a frame": lambda a: a["atomic_actions"][0].update(first_frame="x"),
    "another type": lambda a: a.update(atomic_actions={"a": 1}),
    "a missing key": lambda a: a.pop("scene_graphs"),
}


@pytest.mark.parametrize("lie", LIES)
def test_labels_that_lie_are_refused(copy: Path, lie: str) -> None:
    shards = ShardSet.open(copy)
    sample = next(s for s in shards.samples if s.n_atomic_actions)
    labels = orjson.loads(shards.read(sample.key, "ann.json"))
    LIES[lie](labels)
    replace(copy, sample.shard, f"{sample.key}.ann.json", orjson.dumps(labels))
    with pytest.raises(ShardError, match=sample.key) as caught:
        list(ClipLoader(ShardSet.open(copy), OPTIONS))
    assert "\n" not in str(caught.value)
