"""What a half-copied download meets: one line that names the place, and nothing good is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homage_sdk import Dataset, Frame, ViewId
from tests.command import interrupt, refuse, run, succeed, tree


@pytest.fixture
def release(small_release: Path, tmp_path: Path) -> Path:
    """A copy of the small release that a test may break; videos are linked until it does."""
    return Path(shutil.copytree(small_release, tmp_path / "release", copy_function=os.link))


def rewrite(path: Path, data: bytes) -> None:
    """Replace a linked file without touching the one it is linked to."""
    path.unlink()
    path.write_bytes(data)


def test_an_empty_folder_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = refuse("homage", "ingest", tmp_path / "empty", tmp_path / "catalog")
    assert str(tmp_path / "empty") in said
    assert "expected" in said
    assert not (tmp_path / "catalog").exists()


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    said = refuse("homage", "ingest", tmp_path / "nowhere", tmp_path / "catalog")
    assert "nowhere" in said


def test_a_folder_of_holiday_pictures_is_no_release(tmp_path: Path) -> None:
    (tmp_path / "holiday" / "2021").mkdir(parents=True)
    for i in range(5):
        (tmp_path / "holiday" / "2021" / f"IMG_{i}.jpg").write_bytes(b"\xff\xd8\xff")
    said = refuse("homage", "ingest", tmp_path / "holiday", tmp_path / "catalog")
    assert "holiday" in said


def test_a_file_where_the_catalog_should_go_is_left_alone(
    small_release: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    said = refuse("homage", "ingest", small_release, tmp_path / "file" / "catalog", "--no-media")
    assert "file" in said
    assert (tmp_path / "file").read_text() == "mine"


def test_half_a_release_is_read_as_far_as_it_goes(release: Path, tmp_path: Path) -> None:
    videos = sorted(release.rglob("*.mkv"))
    for path in videos[len(videos) // 2 :]:
        path.unlink()
    labels = sorted(release.rglob("*__aa.json"))
    for path in labels[len(labels) // 2 :]:
        path.unlink()
    succeed("homage", "ingest", release, tmp_path / "catalog", codes=(0, 1))
    dataset = Dataset(tmp_path / "catalog")
    assert dataset.table("views").num_rows >= len(videos) // 2
    assert dataset.table("atomic_actions").num_rows > 0
    without = {s for s in dataset if not s.atomic_actions}
    assert without, "sequences without labels are kept"


def test_a_truncated_json_is_named_and_the_rest_is_read(release: Path, tmp_path: Path) -> None:
    cut = sorted(release.rglob("*__aa.json"))[0]
    rewrite(cut, cut.read_bytes()[:-25])
    said = succeed("homage", "ingest", release, tmp_path / "catalog", codes=(1,))
    dataset = Dataset(tmp_path / "catalog")
    files = {row["file"] for row in dataset.table("problems").to_pylist()}
    assert any(cut.name in file for file in files), said
    assert dataset.table("atomic_actions").num_rows > 0


@pytest.mark.slow
def test_a_video_cut_in_the_middle_is_named_and_its_head_is_usable(
    release: Path, tmp_path: Path
) -> None:
    video = max(release.rglob("*.mkv"), key=lambda p: p.stat().st_size)
    rewrite(video, video.read_bytes()[: video.stat().st_size // 2])
    for other in release.rglob("*.mkv"):
        if ViewId.parse(other.stem).sequence != ViewId.parse(video.stem).sequence:
            other.unlink()  # that much less to pack
    succeed("homage", "ingest", release, tmp_path / "catalog", codes=(0, 1))
    dataset = Dataset(tmp_path / "catalog")
    rows = [r for r in dataset.table("problems").to_pylist() if video.name in r["file"]]
    assert rows, "the cut is reported"
    view = next(v for s in dataset for v in s.views if v.path and v.path.name == video.name)
    if view.n_frames:
        assert view.image(Frame(view.n_frames // 2 + 1)).ndim == 3
    done = run("homage", "pack", tmp_path / "catalog", tmp_path / "shards")
    assert done.returncode in (0, 1), done.stderr
    succeed("homage", "verify", tmp_path / "shards")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 384 KiB; where mounting is not allowed the test is skipped."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=384k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_nothing_half_visible(
    small_release: Path, small_catalog: Path, small_disk: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (360 << 10))
    said = refuse("homage", "ingest", small_release, small_disk / "catalog")
    assert "not enough space" in said
    assert str(small_disk / "catalog") in said
    assert not (small_disk / "catalog").exists()
    filler.unlink()
    said = refuse("homage", "pack", small_catalog, small_disk / "shards")
    assert "disk is full" in said
    assert not list(small_disk.rglob("*.tar")) or not (small_disk / "shards/manifest.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("after_s", [1.2])
def test_a_stopped_ingest_leaves_the_good_catalog_as_it_was(
    small_release: Path, small_catalog: Path, tmp_path: Path, sent: int, after_s: float
) -> None:
    catalog = Path(shutil.copytree(small_catalog, tmp_path / "catalog"))
    before = tree(catalog)
    code = interrupt(
        "homage", "ingest", small_release, catalog, "--force", after_s=after_s, with_signal=sent
    )
    assert code in {0, 1, 130, -signal.SIGKILL, -signal.SIGINT}  # 1, -2: still starting
    tables = {k: v for k, v in tree(catalog).items() if k.endswith(".parquet")}
    # What a killed writer had staged is nobody's yet, and the next writer removes it.
    assert {k: v for k, v in tables.items() if not k.startswith(".tmp-new/")} == {
        k: v for k, v in before.items() if k.endswith(".parquet")
    }, "the same release gives the same tables, whether the old or the new ones are there"
    succeed("homage", "ingest", small_release, catalog, "--force", codes=(0, 1))
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".tmp-")], "no leftovers"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "pack", "report"])
def test_media_that_are_not_where_they_are_said_to_be(command, small_catalog, tmp_path):
    out = [] if command == "sync" else [tmp_path / "out"]
    done = run("homage", command, small_catalog, *out, "--root", tmp_path / "moved")
    assert done.returncode == 2
    assert str(tmp_path / "moved") in done.stderr
    assert not (tmp_path / "out").exists()
