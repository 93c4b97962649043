"""Packing keeps its promises: the right frames, the same bytes, nothing half-visible."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import orjson
import pytest

from homage_sdk import Dataset
from homage_sdk.errors import MediaError, ShardError, StorageError, UsageError
from homage_sdk.media.audio import read_flac
from homage_sdk.shards import PackOptions, ShardSet, pack, verify
from homage_sdk.shards.packing.plan import make_plan
from homage_sdk.storage import exclusive
from homage_sdk.storage.commit import LOCK
from tests.unit.media.videos import number_of

SMALL = PackOptions(short_side=96, min_shards=3)


def tree(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_packed_frame_is_the_source_frame_nearest_its_annotation_frame(
    shards: ShardSet, dataset: Dataset
) -> None:
    for sample in shards.samples:
        meta = shards.meta(sample.key)
        sequence = dataset[sample.sequence]
        assert meta.frames == tuple(1 + 3 * k for k in range(sample.n_frames))
        for view, source in zip(sample.views, meta.views, strict=True):
            times = sequence.view(view.number).index.seconds
            with av.open(io.BytesIO(shards.read(sample.key, view.field))) as container:
                shown = [number_of(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
            wanted = [abs(times - (number - 1) / 30).argmin() for number in meta.frames]
            assert shown == wanted[: view.n_frames]
            assert source.times_s == pytest.approx(times[shown], abs=1e-6)


def test_labels_and_facts_read_back_as_the_bytes_that_were_packed(shards: ShardSet) -> None:
    for sample in shards.samples:
        assert shards.meta(sample.key).to_bytes() == shards.read(sample.key, "meta.json")
        assert shards.annotations(sample.key).to_bytes() == shards.read(sample.key, "ann.json")


def test_labels_too_large_to_be_read_are_not_packed(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homage_sdk.shards.packing.sample.MAX_JSON_BYTES", 2000)
    with pytest.raises(ShardError) as caught:
        pack(dataset, tmp_path / "out", SMALL, workers=1)
    assert caught.value.place is not None and caught.value.place.file in dataset.ids


def test_views_of_one_sequence_are_packed_to_their_own_ends(shards: ShardSet) -> None:
    lengths = {s.sequence: {v.number: v.n_frames for v in s.views} for s in shards.samples}
    assert lengths["p0001_r000_a000"] == {0: 100, 2: 100, 5: 97}
    assert lengths["p0001_r001_a002"] == {0: 20}  # 50 frames at 25 a second: 2 s


def test_the_sound_is_the_ego_views_or_the_first_that_has_any(shards: ShardSet) -> None:
    fields = {s.sequence: s.sound.field if s.sound else None for s in shards.samples}
    assert fields == {
        "p0001_r000_a000": "ego.flac",
        "p0001_r000_a001": "v003.flac",
        "p0001_r001_a002": None,
        "p0002_r000_a003": None,
        "p0003_r000_a004": "ego.flac",
    }
    for key, field, begin in (
        ("p0001_r000_a000", "ego.flac", 3.0),
        ("p0001_r000_a001", "v003.flac", 1.0),
    ):
        wave = read_flac(io.BytesIO(shards.read(key, field)), 0, 6)
        heard = np.flatnonzero(np.abs(wave) > 0.25) / 16000
        assert heard[[0, -1]] == pytest.approx([begin, begin + 1], abs=0.003)


def test_members_are_adjacent_and_in_their_fixed_order(shards: ShardSet) -> None:
    assert shards.members("p0001_r000_a000") == (
        "meta.json",
        "ann.json",
        "ego.flac",
        "v000.mp4",
        "v002.mp4",
        "v005.mp4",
    )
    for key, members in shards.locations().items():
        spans = sorted((offset, offset + size) for _, offset, size, _ in members.values())
        for (_, end), (begin, _) in itertools.pairwise(spans):
            assert begin == end + -end % 512 + 512, key


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_writes_the_same_bytes(
    dataset: Dataset, barcode_shards: Path, tmp_path: Path, workers: int
) -> None:
    pack(dataset, tmp_path / "out", SMALL, workers=workers)
    assert tree(tmp_path / "out") == tree(barcode_shards)


def test_a_second_run_does_nothing(dataset: Dataset, barcode_shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(barcode_shards, out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    summary = pack(dataset, out, SMALL, workers=1)
    assert summary.made == 0 and summary.samples == 5
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_an_interrupted_run_goes_on_and_keeps_what_was_whole(
    dataset: Dataset, barcode_shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    class StopError(Exception):
        pass

    def stop_at_three(done: int, total: int) -> None:
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        pack(dataset, out, SMALL, workers=1, progress=stop_at_three)
    kept = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.tar")}
    assert kept
    with pytest.raises(ShardError, match=r"not all packed.*same `homage pack` again"):
        ShardSet.open(out)
    seen: list[int] = []
    summary = pack(dataset, out, SMALL, workers=1, progress=lambda done, total: seen.append(done))
    assert summary.made == 3 - len(kept) and seen[0] > 0 and seen[-1] == 5
    assert tree(out) == tree(barcode_shards)
    assert all((out / name).stat().st_mtime_ns == at for name, at in kept.items())


def test_two_packers_on_one_output_refuse_cleanly(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with exclusive(out / LOCK, out), pytest.raises(StorageError, match="another proc"):
        pack(dataset, out, SMALL, workers=1)
    assert list(out.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1_000, 60_000])
def test_a_full_disk_leaves_nothing_half_visible(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    out, written = tmp_path / "out", 0
    real = Path.open

    def limited(self: Path, mode: str = "r", *rest: object, **more: object) -> object:
        file = real(self, mode, *rest, **more)
        if "w" not in mode or not self.name.startswith(".tmp-"):
            return file
        inner = file.write

        class Full:
            def __getattr__(self, name: str) -> object:
                return getattr(file, name)

            def __enter__(self) -> Full:
                return self

            def __exit__(self, *error: object) -> None:
                file.close()

            def write(self, data: bytes) -> int:
                nonlocal written
                written += len(data)
                if written > after:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return inner(data)

        return Full()

    monkeypatch.setattr(Path, "open", limited)
    with pytest.raises(StorageError, match=r"No space left.*free some space and run the same"):
        pack(dataset, out, SMALL, workers=1)
    monkeypatch.undo()
    assert not list(out.rglob(".tmp-*"))
    pack(dataset, out, SMALL, workers=1)
    assert verify(out) == []


def test_other_options_in_the_same_folder_are_refused(
    dataset: Dataset, barcode_shards: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        pack(dataset, barcode_shards, replace(SMALL, crf=30), workers=1)
    assert (caught.value.found, caught.value.expected) == ("20", "30")
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"not empty.*photo\.jpg"):
        pack(dataset, tmp_path, SMALL, workers=1)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"


def test_a_broken_video_is_listed_and_the_rest_goes_on(
    dataset: Dataset, barcode_catalog: Path, tmp_path: Path
) -> None:
    assert dataset.root is not None
    root = tmp_path / "release"
    shutil.copytree(dataset.root, root)
    videos = root / "action_split_data" / "V1.0"
    cut = videos / "p0001" / "p0001_r000_v002_a000.mkv"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (videos / "p0001" / "p0001_r000_v003_a001.mkv").unlink()
    (videos / "p0003" / "p0003_r000_v000_a004.mkv").write_bytes(b"<html>404</html>")
    moved = Dataset(barcode_catalog, root=root)
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        summary = pack(moved, out, SMALL, workers=workers)
        assert [(q.sequence, q.view) for q in summary.quarantine] == [
            ("p0001_r000_a001", 3),
            ("p0003_r000_a004", 0),
        ]
        shards = ShardSet.open(out)
        (cut_view,) = [v for v in shards["p0001_r000_a000"].views if v.gaps]
        ((begin, end),) = cut_view.gaps
        assert cut_view.number == 2 and end == cut_view.n_frames and 0.3 < begin / end < 0.7
        assert shards.manifest.quarantine == summary.quarantine
        assert [v.number for v in shards["p0001_r000_a000"].views] == [0, 2, 5]
        assert shards["p0003_r000_a004"].sound is None and not verify(out, deep=True)
    assert tree(tmp_path / "out1") == tree(tmp_path / "out2")


def test_media_that_moved_are_not_quarantined_one_by_one(
    barcode_catalog: Path, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match=r"not one of the videos is there.*--root"):
        pack(Dataset(barcode_catalog, root=tmp_path), tmp_path / "out", SMALL, workers=1)
    assert not (tmp_path / "out").exists()


def test_windows_hold_the_frames_and_sound_of_their_span(dataset: Dataset, tmp_path: Path) -> None:
    one = dataset.select(["p0001_r000_a000"])
    for unit, spans in (
        ("action", [(1, 60), (31, 150), (151, 240)]),
        ("clip", [(1, 120), (121, 240), (241, 300)]),
    ):
        out = tmp_path / unit
        pack(one, out, PackOptions(short_side=96, unit=unit), workers=1)
        shards = ShardSet.open(out)
        assert verify(out, deep=True) == []
        assert len(shards.samples) == len(spans)
        for sample, (first, last) in zip(shards.samples, spans, strict=True):
            frames = shards.meta(sample.key).frames
            assert frames[0] == first and last - 3 <= frames[-1] <= last
            with av.open(io.BytesIO(shards.read(sample.key, "v000.mp4"))) as container:
                shown = [number_of(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
            assert shown == [n - 1 for n in frames if n <= 300]
            assert sample.sound is not None
            assert sample.sound.n_samples == round(len(frames) * 3 / 30 * 16000)


def test_choices_of_views_sound_graphs_stride_and_split(dataset: Dataset, tmp_path: Path) -> None:
    options = PackOptions(
        views="third", audio=False, scene_graphs=False, stride=6, split="train", short_side=64
    )
    pack(dataset, tmp_path / "a", options, workers=1)
    shards = ShardSet.open(tmp_path / "a")
    assert {s.split for s in shards.samples} == {"train"}
    assert all(s.ego is None and s.sound is None for s in shards.samples)
    sample = shards["p0001_r000_a000"]
    assert [(v.number, v.n_frames, v.width, v.height) for v in sample.views] == [
        (2, 50, 96, 64),
        (5, 49, 96, 64),
    ]
    assert shards.annotations(sample.key).scene_graphs == ()
    pack(dataset, tmp_path / "b", PackOptions(views=(0,), short_side=96), workers=1)
    assert {v.number for s in ShardSet.open(tmp_path / "b").samples for v in s.views} == {0}


def test_the_plan_depends_on_nothing_but_catalog_and_options(dataset: Dataset) -> None:
    plan = make_plan(dataset, SMALL)
    assert plan == make_plan(Dataset(dataset.path), SMALL)
    assert [shard.name for shard in plan.shards] == [
        "train-00000.tar",
        "train-00001.tar",
        "val-00000.tar",
    ]
    fewer = make_plan(dataset.split("val"), SMALL)
    assert fewer.dataset != plan.dataset


def test_options_refuse_what_cannot_be(dataset: Dataset) -> None:
    for wrong in (
        {"crf": 99},
        {"stride": 0},
        {"short_side": 145},
        {"views": "fisheye"},
        {"unit": "year"},
        {"x264_preset": "medium -f rm"},
    ):
        with pytest.raises(UsageError, match=rf"invalid {next(iter(wrong))}"):
            PackOptions(**wrong)
    with pytest.raises(UsageError, match=r"unknown preset 'huge'.*ccau"):
        PackOptions.preset("huge")
    with pytest.raises(UsageError, match=r"nothing to pack.*none of split 'dev'"):
        make_plan(dataset, PackOptions(split="dev"))
    assert PackOptions.from_json(orjson.loads(orjson.dumps(SMALL.to_json()))) == SMALL


def test_a_kill_after_the_last_write_leaves_nothing_behind(
    barcode_catalog: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pack(Dataset(barcode_catalog), out, SMALL, workers=1)
    whole = sorted(p.name for p in out.iterdir())
    (out / LOCK).touch()  # what a SIGKILL between the manifest and the end leaves
    pack(Dataset(barcode_catalog), out, SMALL, workers=1)
    assert sorted(p.name for p in out.iterdir()) == whole
