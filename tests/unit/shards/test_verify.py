"""Every planted corruption is found and the sample named; repair makes just that again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from homage_sdk import Dataset
from homage_sdk.errors import MediaError, ShardError, UsageError
from homage_sdk.problems import Place, Problem
from homage_sdk.shards import PackOptions, ShardSet, pack, repair, verify
from homage_sdk.shards.format.index import index_bytes
from homage_sdk.shards.format.manifest import MANIFEST, read_manifest
from homage_sdk.shards.format.tar import read_members
from tests.unit.shards.test_pack import SMALL, tree


@pytest.fixture
def copy(barcode_shards: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(barcode_shards, tmp_path / "copy"))


def named(problems: list[Problem]) -> set[tuple[str, str]]:
    return {(p.code, p.place.pointer.lstrip("/") or p.place.file) for p in problems}


def patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_whole_shards_have_no_problem(copy: Path) -> None:
    assert verify(copy) == [] and verify(copy, deep=True) == []


def test_a_flipped_bit_anywhere_is_found_and_its_sample_named(copy: Path) -> None:
    shards = ShardSet.open(copy)
    draw = np.random.default_rng(0)
    for key, members in shards.locations().items():
        for field, (name, offset, size, _) in members.items():
            at = offset + int(draw.integers(size))
            original = (copy / name).read_bytes()
            patch(copy / name, at, bytes([original[at] ^ 1 << int(draw.integers(8))]))
            assert named(verify(copy)) == {("HOM904", name), ("HOM907", f"{key}.{field}")}
            (copy / name).write_bytes(original)


def test_damaged_headers_padding_and_ends_are_found(copy: Path) -> None:
    shards = ShardSet.open(copy)
    name, offset, size, _ = shards.locations()["p0001_r000_a000"]["ego.flac"]
    path = copy / name
    whole = path.read_bytes()
    patch(path, offset - 512, b"p9999")
    assert ("HOM906", "p0001_r000_a000.ego.flac") in named(verify(copy))
    path.write_bytes(whole)
    patch(path, len(whole) - 1, b"x")
    assert named(verify(copy)) == {("HOM904", name), ("HOM906", name)}
    path.write_bytes(whole)
    if size % 512:
        patch(path, offset + size, b"x")
        assert ("HOM904", name) in named(verify(copy))
    path.write_bytes(whole)


@pytest.mark.parametrize("where", ["member", "inside", "header"])
def test_a_cut_shard_names_the_samples_that_are_gone(copy: Path, where: str) -> None:
    shards = ShardSet.open(copy)
    rows = sorted(
        (offset, size, f"{key}.{field}")
        for key, members in shards.locations().items()
        for field, (name, offset, size, _) in members.items()
        if name == "train-00000.tar"
    )
    offset, size, _ = rows[len(rows) // 2]
    at = {"member": offset - 512, "inside": offset + size // 2, "header": offset - 200}[where]
    path = copy / "train-00000.tar"
    path.write_bytes(path.read_bytes()[:at])
    gone = {member for offset, _, member in rows[len(rows) // 2 :]}
    found = {pointer for code, pointer in named(verify(copy)) if code == "HOM907"}
    assert found == gone
    with pytest.raises(ShardError, match="another size"):
        ShardSet.open(copy)


def test_missing_extra_and_linked_files_are_found(copy: Path, tmp_path: Path) -> None:
    (copy / "val-00000.tar").rename(tmp_path / "elsewhere.tar")
    (copy / "val-00000.tar").symlink_to(tmp_path / "elsewhere.tar")
    (copy / "notes.txt").write_text("mine")
    assert {("HOM902", "val-00000.tar"), ("HOM913", "notes.txt")} <= named(verify(copy))
    with pytest.raises(ShardError, match="missing"):
        ShardSet.open(copy)
    (copy / "val-00000.tar").unlink()
    assert ("HOM902", "val-00000.tar") in named(verify(copy))


def reseal(folder: Path, **changes: object) -> None:
    """Make a manifest agree with the files again, as a careless or hostile hand would."""
    manifest = read_manifest(folder)
    shards = []
    records = []
    for shard in manifest.shards:
        data = (folder / shard.name).read_bytes()
        with (folder / shard.name).open("rb") as file:
            members = [member for member, _ in read_members(file, shard.name)]
        records.append((shard.name, members))
        shards.append(
            shard.model_copy(
                update={"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            )
        )
    index = index_bytes(records)
    (folder / "index.parquet").write_bytes(index)
    sealed = manifest.index.model_copy(
        update={"bytes": len(index), "sha256": hashlib.sha256(index).hexdigest()}
    )
    update = {"shards": tuple(shards), "index": sealed, **changes}
    (folder / MANIFEST).write_bytes(manifest.model_copy(update=update).to_bytes())


def test_deep_finds_payload_that_no_hash_can(copy: Path) -> None:
    """Content replaced before it was hashed: only decoding tells."""
    shards = ShardSet.open(copy)
    located = shards.locations()
    planted = {}
    for key, field, code in (
        ("p0001_r000_a000", "v002.mp4", "HOM911"),
        ("p0001_r000_a001", "v003.flac", "HOM912"),
        ("p0002_r000_a003", "ann.json", "HOM910"),
        ("p0003_r000_a004", "meta.json", "HOM910"),
    ):
        name, offset, size, _ = located[key][field]
        patch(copy / name, offset + size // 2, bytes(size - size // 2))
        planted[key, field] = code
    reseal(copy)
    assert verify(copy) == []
    expected = {(code, f"{key}.{field}") for (key, field), code in planted.items()}
    assert named(verify(copy, deep=True)) == expected


def test_deep_finds_labels_and_facts_of_another_sample(copy: Path) -> None:
    """Well-formed members that the manifest does not describe."""
    samples = [
        s.model_copy(update={"n_atomic_actions": s.n_atomic_actions + 1})
        if s.key == "p0002_r000_a003"
        else s
        for s in read_manifest(copy).samples
    ]
    reseal(copy, samples=tuple(samples))
    assert verify(copy) == []
    members = {f"p0002_r000_a003.{field}" for field in ("ann.json", "meta.json")}
    assert named(verify(copy, deep=True)) == {("HOM910", member) for member in members}


def test_a_sample_without_a_required_member_is_named(copy: Path) -> None:
    manifest = read_manifest(copy)
    samples = [
        s.model_copy(update={"views": (*s.views, s.views[0].model_copy(update={"number": 9}))})
        if s.key == "p0002_r000_a003"
        else s
        for s in manifest.samples
    ]
    reseal(copy, samples=tuple(samples))
    card = ("HOM915", "README.md")  # which speaks of the samples as they were
    assert named(verify(copy)) == {("HOM908", "p0002_r000_a003.v009.mp4"), card}


def test_a_damaged_index_or_manifest_is_found(copy: Path) -> None:
    patch(copy / "index.parquet", 40, b"????")
    assert named(verify(copy)) == {("HOM904", "index.parquet")}
    for content, pointer in (
        (b"{", ""),
        (b"[]", ""),
        (b'{"format":"tars","schema_version":1}', "/format"),
        (b'{"format":"homage-shards","schema_version":99}', "/schema_version"),
        (b'{"format":"homage-shards","schema_version":3}', "/made_by"),
    ):
        (copy / MANIFEST).write_bytes(content)
        assert named(verify(copy)) == {("HOM901", MANIFEST)}
        with pytest.raises(ShardError) as caught:
            ShardSet.open(copy)
        assert caught.value.place == Place(str(copy / MANIFEST), pointer=pointer)


def test_repair_makes_just_the_broken_again(
    copy: Path, barcode_shards: Path, dataset: Dataset
) -> None:
    kept = copy / "train-00001.tar"
    before = kept.stat().st_mtime_ns
    path = copy / "train-00000.tar"
    path.write_bytes(path.read_bytes()[:10_000])
    (copy / "val-00000.tar").unlink()
    (copy / "index.parquet").write_bytes(b"nothing")
    summary = repair(copy, dataset)
    assert summary.rebuilt == ("train-00000.tar", "val-00000.tar") and summary.changed == ()
    assert tree(copy) == tree(barcode_shards) and kept.stat().st_mtime_ns == before
    assert repair(copy, dataset).rebuilt == ()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["lost", "cut", "garbled"])
def test_a_lost_manifest_comes_back_from_the_index(
    copy: Path, barcode_shards: Path, dataset: Dataset, how: str
) -> None:
    path = copy / MANIFEST
    if how == "lost":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if how == "cut" else data.replace(b"key", b"kay"))
    (copy / "val-00000.tar").write_bytes(b"broken too")
    with pytest.raises(ShardError):
        ShardSet.open(copy)
    summary = repair(copy, dataset)
    assert summary.recovered and summary.rebuilt == ("val-00000.tar",)
    assert tree(copy) == tree(barcode_shards)


def test_a_lost_manifest_of_other_labels_is_not_made_up(
    copy: Path, small_catalog: Path, dataset: Dataset
) -> None:
    (copy / MANIFEST).unlink()
    with pytest.raises(UsageError, match=r"not empty.*`homage repair"):
        pack(dataset, copy, SMALL, workers=1)
    before = tree(copy)
    with pytest.raises(ShardError, match="not the one that these shards were packed from"):
        repair(copy, Dataset(small_catalog))
    assert tree(copy) == before
    index = copy / "index.parquet"
    index.write_bytes(index.read_bytes()[:-9])
    before = tree(copy)
    with pytest.raises(ShardError, match=r"both lost.*pack again into a new folder"):
        repair(copy, dataset)
    assert tree(copy) == before


def test_repair_does_not_make_a_shard_without_its_videos(
    copy: Path, barcode_catalog: Path, barcode_shards: Path, tmp_path: Path
) -> None:
    (copy / "val-00000.tar").write_bytes(b"broken")
    before = tree(copy)
    with pytest.raises(MediaError, match=r"not there.*--root"):
        repair(copy, Dataset(barcode_catalog, root=tmp_path))
    assert tree(copy) == before


def test_repair_clears_up_after_a_repair_that_was_killed(
    copy: Path, barcode_shards: Path, dataset: Dataset
) -> None:
    stage = copy / ".parts" / "0123456789abcdef"
    stage.mkdir(parents=True)
    stage.with_name(f"{stage.name}.val-00000.tar.json").write_bytes(b"half")
    (stage / ".tmp-val-00000.tar-123").write_bytes(b"half")
    (copy / "val-00000.tar").write_bytes(b"broken")
    assert repair(copy, dataset, workers=2).rebuilt == ("val-00000.tar",)
    assert tree(copy) == tree(barcode_shards)
    assert not (copy / ".parts").exists() and verify(copy) == []


def test_repair_brings_back_a_sample_that_the_manifest_lost(
    dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "windows"
    pack(dataset.split("val"), out, PackOptions(short_side=64, unit="clip", clip_s=2.0), workers=1)
    before = tree(out)
    manifest = read_manifest(out)
    (out / MANIFEST).write_bytes(
        manifest.model_copy(update={"samples": manifest.samples[1:]}).to_bytes()
    )
    summary = repair(out, dataset, workers=1)
    assert summary.recovered and summary.rebuilt == ()
    assert tree(out) == before and verify(out, deep=True) == []


def change_manifest(folder: Path, what: str) -> None:
    """As a hand or a program may: whole JSON that says something else."""
    written = orjson.loads((folder / MANIFEST).read_bytes())
    sample = next(each for each in written["samples"] if each["views"])
    if what == "gaps":
        sample["views"][0]["gaps"] = [[0, 3]]
    else:
        sample["participant"] += 1
    (folder / MANIFEST).write_bytes(orjson.dumps(written))


def change_copy(folder: Path) -> None:
    """Another digit in the copy of the manifest that the index keeps."""
    path = folder / "index.parquet"
    data = path.read_bytes()
    at = data.index(b'"participant":') + len(b'"participant":')
    patch(path, at, b"7")


@pytest.mark.parametrize("what", ["gaps", "participant"])
def test_repair_takes_back_what_was_changed_in_the_manifest(
    copy: Path, barcode_shards: Path, dataset: Dataset, what: str
) -> None:
    change_manifest(copy, what)
    assert verify(copy)
    summary = repair(copy, dataset, workers=1)
    assert summary.recovered and summary.rebuilt == ()
    assert tree(copy) == tree(barcode_shards) and verify(copy, deep=True) == []


@pytest.mark.parametrize("both", [False, True])
def test_repair_believes_no_copy_in_an_index_that_was_changed_itself(
    copy: Path, barcode_shards: Path, dataset: Dataset, both: bool
) -> None:
    change_copy(copy)
    if both:
        change_manifest(copy, "gaps")
    summary = repair(copy, dataset, workers=1)
    assert not summary.recovered and summary.changed == ()
    assert tree(copy) == tree(barcode_shards) and verify(copy, deep=True) == []


def test_repair_refuses_another_catalog(copy: Path, dataset: Dataset, small_catalog: Path) -> None:
    with pytest.raises(ShardError, match="not the one that these shards were packed from"):
        repair(copy, dataset.split("train"))
    with pytest.raises(ShardError, match="not the one that these shards were packed from"):
        repair(copy, Dataset(small_catalog))


def test_repair_of_a_part_works_from_the_whole_catalog(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "val"
    pack(dataset.split("val"), out, SMALL, workers=1)
    before = tree(out)
    (out / "val-00000.tar").write_bytes(b"")
    assert repair(out, dataset).rebuilt == ("val-00000.tar",)
    assert tree(out) == before


def test_pack_says_how_to_mend_what_it_finds_broken(copy: Path, dataset: Dataset) -> None:
    (copy / "val-00000.tar").unlink()
    with pytest.raises(ShardError) as caught:
        pack(dataset, copy, SMALL, workers=1)
    assert "homage repair" in (caught.value.hint or "")


def test_the_manifest_is_plain_json_that_states_everything(copy: Path) -> None:
    raw = orjson.loads((copy / MANIFEST).read_bytes())
    assert raw["schema_version"] == 3 and len(raw["samples"]) == 5 and raw["quarantine"] == []
    for shard in raw["shards"]:
        data = (copy / shard["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["bytes"], shard["sha256"])
    assert [c["name"] for c in raw["taxonomy"]["atomic"]] == [
        "take_cup",
        "pour_tea",
        "fold_towel/cloth",
    ]


def test_a_manifest_that_says_anything_else_than_the_index_keeps_is_refused(
    barcode_shards: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(barcode_shards, tmp_path / "shards")
    written = orjson.loads((copy / MANIFEST).read_bytes())
    (library, version), *_ = written["made_by"].items()
    for change in (
        {"made_by": {**written["made_by"], library: version + "0"}},
        {"taxonomy": {**written["taxonomy"], "atomic": written["taxonomy"]["atomic"][::-1]}},
        {"samples": [{**each, "split": "val"} for each in written["samples"]]},
    ):
        (copy / MANIFEST).write_bytes(orjson.dumps({**written, **change}))
        assert verify(copy), change
        shards = ShardSet.open(copy)
        with pytest.raises(ShardError, match="manifest was changed"):
            shards.read(shards.manifest.samples[0].key, "ann.json")
    (copy / MANIFEST).write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2))
    assert not verify(copy), "white space says nothing"
