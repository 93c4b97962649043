"""A video that has not changed is read once, whatever happens between two ingests."""

from __future__ import annotations

import ast
import importlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from homage_sdk.catalog import Catalog
from homage_sdk.catalog.tables import verify_catalog
from homage_sdk.cli import app, run
from homage_sdk.folders import PROBES_FILE
from homage_sdk.ingest import ingest
from homage_sdk.ingest.known_videos import PROBING
from homage_sdk.media import probe as probing
from tests.command import tree
from tests.unit.ingest.growing import VIEWS, Opened, film, filmed
from tests.unit.release.tiny import Tiny, action


def tables(catalog: Path) -> dict[str, object]:
    """Every file of a catalog but what is known of videos."""
    return {name: data for name, data in tree(catalog).items() if name != PROBES_FILE}


def test_one_touched_label_reads_no_video_again(tmp_path: Path, opened: Opened) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog)
    assert opened.take() == sorted(VIEWS)
    tiny.actions("p0001_r001_a001", action("take cup", 1, 12))
    assert not ingest(tiny.root, catalog).unchanged
    assert opened.take() == []
    ingest(tiny.root, tmp_path / "fresh")
    assert opened.take() == sorted(VIEWS)
    assert tables(catalog) == tables(tmp_path / "fresh")
    assert Catalog(catalog).table("pts").num_rows == 5 + 6 + 7 + 8


def test_only_the_video_that_is_new_or_changed_is_read(tmp_path: Path, opened: Opened) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog)
    opened.take()
    tiny.video("p0002_r001_v004_a002", film(9))
    tiny.video(VIEWS[0], film(3))
    ingest(tiny.root, catalog)
    assert opened.take() == sorted([VIEWS[0], "p0002_r001_v004_a002"])
    ingest(tiny.root, tmp_path / "fresh")
    assert tables(catalog) == tables(tmp_path / "fresh")


def longer(file: Path, data: bytes) -> None:
    file.write_bytes(data + b"\0")


def other_bytes_in(part: slice) -> Callable[[Path, bytes], None]:
    def change(file: Path, data: bytes) -> None:
        state = file.stat()
        changed = bytearray(data)
        changed[part] = bytes(byte ^ 255 for byte in data[part])
        file.write_bytes(changed)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    return change


def touched(file: Path, data: bytes) -> None:
    os.utime(file, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [longer, touched, other_bytes_in(slice(100, 101)), other_bytes_in(slice(-1, None))],
    ids=["size", "time", "head", "tail"],
)
def test_size_time_and_both_ends_tell_a_changed_video(
    tmp_path: Path, opened: Opened, change: Callable[[Path, bytes], None]
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    data = film(5) + random.Random(0).randbytes(200_000)
    file = tiny.video(VIEWS[0], data)
    ingest(tiny.root, catalog)
    opened.take()
    change(file, data)
    ingest(tiny.root, catalog, force=True)
    assert opened.take() == [VIEWS[0]]


def test_another_way_of_probing_reads_all_again(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog)
    opened.take()
    monkeypatch.setattr(av, "__version__", "another")
    ingest(tiny.root, catalog, force=True)
    assert opened.take() == sorted(VIEWS)
    n_lines = len((catalog / PROBES_FILE).read_bytes().split(b"\n"))
    assert n_lines == len(VIEWS), "lines that no longer count are left out"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_log_is_never_an_error_and_never_believed(
    tmp_path: Path, opened: Opened, seed: int
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog)
    expected = tables(catalog)
    log, rng = catalog / PROBES_FILE, random.Random(seed)
    data = bytearray(log.read_bytes())
    if seed == 0:
        data = bytearray(rng.randbytes(5000))
    elif seed == 1:
        data = data[: len(data) * 2 // 3]
    else:
        for _ in range(seed):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    log.write_bytes(data)
    opened.take()
    ingest(tiny.root, catalog, force=True)
    assert opened.take(), "what was damaged is read again"
    assert tables(catalog) == expected
    ingest(tiny.root, catalog, force=True)
    assert opened.take() == []


def test_a_changed_fact_is_not_believed(tmp_path: Path, opened: Opened) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog)
    expected, log = tables(catalog), catalog / PROBES_FILE
    changed = log.read_bytes().replace(b'"width":32', b'"width":33')
    assert changed != log.read_bytes()
    log.write_bytes(changed)
    opened.take()
    ingest(tiny.root, catalog, force=True)
    assert opened.take() == sorted(VIEWS)
    assert tables(catalog) == expected


def test_a_line_that_was_cut_does_not_take_the_next_with_it(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog, workers=1)
    log = catalog / PROBES_FILE
    log.write_bytes(log.read_bytes().strip().rpartition(b"\n")[0][:-40])
    opened.take()
    counted = probing.probe_video

    def stopping(path: Path) -> probing.VideoProbe:
        if opened:
            raise KeyboardInterrupt
        return counted(path)

    monkeypatch.setattr(probing, "probe_video", stopping)
    with pytest.raises(KeyboardInterrupt):
        ingest(tiny.root, catalog, force=True, workers=1)
    known = opened.take()
    monkeypatch.setattr(probing, "probe_video", counted)
    ingest(tiny.root, catalog, force=True)
    assert len(known) == 1
    assert known[0] not in opened.take()


def test_an_empty_log_knows_nothing(tmp_path: Path) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog, media=False)
    (catalog / PROBES_FILE).write_bytes(b"")
    ingest(tiny.root, catalog)
    assert Catalog(catalog).table("pts").num_rows == 26


def test_hashes_are_kept_too_and_the_other_way_of_reading_stays_known(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homage_sdk.ingest import probe

    hashed = []
    real = probe.sha256_file
    monkeypatch.setattr(probe, "sha256_file", lambda path: hashed.append(path) or real(path))
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog, hash_media=True)
    before = tables(catalog)
    assert (len(opened.take()), len(hashed)) == (4, 4)
    ingest(tiny.root, catalog, media=False)
    ingest(tiny.root, catalog, media=False, hash_media=True)
    ingest(tiny.root, catalog, hash_media=True)
    assert (opened.take(), len(hashed)) == ([], 4)
    assert tables(catalog) == before


def test_videos_of_a_disk_that_is_away_are_known_when_it_is_back(
    tmp_path: Path, opened: Opened
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, catalog)
    before = tables(catalog)
    opened.take()
    tiny.videos.rename(tmp_path / "away")
    tiny.video("p0009_r001_v001_a001", film(2))
    ingest(tiny.root, catalog)
    assert opened.take() == ["p0009_r001_v001_a001"]
    (tiny.videos / "p0009" / "p0009_r001_v001_a001.mkv").unlink()
    (tiny.videos / "p0009").rmdir()
    tiny.videos.rmdir()
    (tmp_path / "away").rename(tiny.videos)
    ingest(tiny.root, catalog)
    assert opened.take() == []
    assert tables(catalog) == before


def test_a_video_that_could_not_be_read_is_read_again(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    counted = probing.probe_video

    def broken(path: Path) -> probing.VideoProbe:
        if path.stem == VIEWS[1]:
            raise PermissionError(13, os.strerror(13))
        return counted(path)

    monkeypatch.setattr(probing, "probe_video", broken)
    summary = ingest(tiny.root, catalog)
    assert [p.place.file for p in summary.problems if p.code == "HOM100"] == [
        f"action_split_data/V1.0/p0001/{VIEWS[1]}.mkv"
    ]
    monkeypatch.setattr(probing, "probe_video", counted)
    opened.take()
    assert not ingest(tiny.root, catalog).unchanged
    assert opened.take() == [VIEWS[1]]
    assert ingest(tiny.root, catalog).unchanged


def test_a_video_of_which_only_a_part_could_be_read_is_read_again(
    tmp_path: Path, opened: Opened
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    tiny.video(VIEWS[2], film(60)[:-200])
    assert {p.code for p in ingest(tiny.root, catalog).problems} >= {"HOM600"}
    opened.take()
    ingest(tiny.root, catalog, force=True)
    assert opened.take() == [VIEWS[2]]


PROGRAM = """
import os, sys
from pathlib import Path
from homage_sdk.media import probe
from homage_sdk.cli import app, run
real, done = probe.probe_video, []
def stopping(path):
    if len(done) == 2:
        print("now", flush=True)
        if sys.argv[3] == "kill":
            sys.stdin.read()
        raise KeyboardInterrupt
    done.append(path)
    return real(path)
probe.probe_video = stopping
sys.exit(run(app, ["ingest", sys.argv[1], sys.argv[2], "--workers", "1"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("there", ["an older catalog", "nothing"])
@pytest.mark.parametrize("how", ["kill", "Ctrl-C"])
def test_what_was_read_before_a_stop_is_not_read_again(
    tmp_path: Path, opened: Opened, how: str, there: str
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    ingest(tiny.root, tmp_path / "fresh")
    if there != "nothing":
        ingest(tiny.root, catalog, media=False)
    before = tree(catalog) if catalog.exists() else {}
    worker = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tiny.root), str(catalog), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "now\n"
    if how == "kill":
        worker.send_signal(signal.SIGKILL)
    _, said = worker.communicate()
    assert worker.returncode == (-signal.SIGKILL if how == "kill" else 130), said
    assert tables(catalog) == before, "the catalog is as before"
    opened.take()
    ingest(tiny.root, catalog)
    assert len(opened.take()) == len(VIEWS) - 2
    assert tables(catalog) == tables(tmp_path / "fresh")
    assert verify_catalog(catalog) == []


def test_a_first_ingest_that_was_stopped_is_named_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / PROBES_FILE).touch()
    assert run(app, ["info", str(tmp_path / "c")]) == 2
    assert "homage ingest" in capsys.readouterr().err


def test_files_of_others_in_a_stopped_catalog_are_not_taken_for_it(tmp_path: Path) -> None:
    tiny: Tiny = filmed(tmp_path / "r")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / PROBES_FILE).touch()
    (tmp_path / "c" / "me.jpg").write_text("x")
    assert run(app, ["ingest", str(tiny.root), str(tmp_path / "c")]) == 2
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [PROBES_FILE, "me.jpg"]


def test_all_code_that_probes_decides_whether_a_probe_still_counts() -> None:
    """What ``media.probe`` imports of its own room, and what that imports."""
    found: set[str] = set()
    left = ["homage_sdk.media.probe"]
    while left:
        found.add(name := left.pop())
        file = importlib.import_module(name).__file__
        assert file is not None
        for node in ast.walk(ast.parse(Path(file).read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if module and module.startswith("homage_sdk.media.") and module not in found:
                left.append(module)
    assert found == set(PROBING)
