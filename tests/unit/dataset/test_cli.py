"""homage show, query, find, export: rows for people and for programs, one line for an error."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from homage_sdk.cli import app, run
from homage_sdk.errors import CatalogError, HomageError, QueryError, UnknownIdError, UsageError
from tests.command import BIN, ENVIRONMENT


def homage(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(app, [str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_show_prints_a_sheet_with_lanes(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = homage(capsys, "show", example, "p0001_r001_a001", "--width", "100")
    assert code == 0
    for part in (
        "p0001_r001_a001  make tea",
        "split train, 6.0 s (180 annotation frames)",
        "v004 third  640x480",
        "atomic actions: 4, at most 2 at once",
        "121-150  drink from cup",
        "scene graphs: 4 frames of v001, 12 boxes, 8 relationships",
        "3  person holding cup",
    ):
        assert part in out
    bars = [line for line in out.splitlines() if "━" in line]
    assert len(bars) == 2 and all(len(line) <= 100 for line in out.splitlines())


def test_bars_stand_where_their_frames_are(tmp_path: Path) -> None:
    from homage_sdk import Dataset
    from homage_sdk.cli.sheet import sheet
    from homage_sdk.testing import TakeSpec, make_catalog

    take = TakeSpec("p0001_r001_a001", seconds=96 / 30, actions=[("a", 1, 24), ("b", 49, 96)])
    seq = Dataset(make_catalog(tmp_path / "catalog", [take]))[0]
    (bar,) = [line for line in sheet(seq, width=100) if "━" in line]
    assert bar == "  ┣1" + "━" * 22 + " " * 24 + "┣2" + "━" * 46


def test_show_works_for_every_kind_of_absence(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, ids, _ = homage(capsys, "show", example)
    assert len(ids.split()) == 6
    for each in ids.split():
        code, out, _ = homage(capsys, "show", example, each)
        assert code == 0 and each in out
    assert "views: none, labels only" in homage(capsys, "show", example, "p0003_r001_a001")[1]
    assert "scene graphs: none" in homage(capsys, "show", example, "p0003_r001_a009")[1]


def test_query_prints_tables_csv_and_json(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ("query", example, "SELECT split, count(*) AS n FROM sequences GROUP BY 1 ORDER BY 1")
    code, out, _ = homage(capsys, *ask, "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[0] == {"split": "test", "n": "1"} and rows[-1] == {"split": "", "n": "1"}
    _, out, _ = homage(capsys, *ask, "--format", "json")
    assert [json.loads(line) for line in out.splitlines()][1] == {"split": "train", "n": 3}
    _, out, _ = homage(capsys, *ask)
    assert out.splitlines()[0].split() == ["split", "n"]
    assert out.splitlines()[2].split() == ["train", "3"]
    _, out, err = homage(capsys, "query", example, "FROM classes", "--limit", "2")
    assert len(out.splitlines()) == 3 and "more of 13 rows" in err
    _, out, err = homage(capsys, "query", example, "FROM classes", "--limit", "0")
    assert len(out.splitlines()) == 14 and not err


def test_an_sql_sum_is_a_number_in_json(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT sum(n) AS n, 1.5 AS x, (2::HUGEINT ** 80)::HUGEINT AS big FROM range(4) t(n)"
    _, out, _ = homage(capsys, "query", example, sql, "--format", "json")
    assert json.loads(out) == {"n": 6, "x": 1.5, "big": str(2**80)}


def test_query_restricts_to_a_split(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ("query", example, "SELECT count(*) AS n FROM atomic_actions", "--format", "csv")
    assert homage(capsys, *ask, "--split", "test")[1].split() == ["n", "2"]


def test_find_takes_the_pattern_of_the_issue(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ("find", example, "pour*", "--before", "drink*", "--within", "2")
    code, out, _ = homage(capsys, *ask, "--showing", "person,holding,cup", "--format", "json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [r["sequence"] for r in rows] == ["p0001_r001_a001", "p0001_r001_a002"]
    assert rows[0]["frames"] == [31, 60, 90] and rows[0]["action_2"] == "drink from cup"
    code, out, _ = homage(capsys, *ask, "--explain")
    assert code == 0 and "SELECT" in out and "-- pour*" in out


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        (("show", "CAT", "p0001_r001_a003"), UnknownIdError, "p0001_r001_a001"),
        (("show", "NOWHERE", "x"), CatalogError, "nowhere"),
        (("query", "CAT", "DELETE FROM sequences"), QueryError, "DELETE"),
        (("query", "CAT", "SELECT * FROM read_csv('/etc/passwd')"), QueryError, "passwd"),
        (("query", "CAT", "SELEC"), QueryError, "SELEC"),
        (("find", "CAT", "poor*"), UnknownIdError, "poor*"),
        (("find", "CAT", "pour*", "--within", "2"), UsageError, "--before"),
        (("find", "CAT", "pour*", "--showing", "cup"), UsageError, "--showing"),
        (("export", "CAT", "OUT", "--to", "voc"), UnknownIdError, "voc"),
        (("query", "CAT", "SELECT 1", "--split", "dev"), UnknownIdError, "dev"),
    ],
)
def test_an_error_is_one_line_and_exit_code_two(
    arguments: tuple[str, ...],
    error: type[HomageError],
    named: str,
    example: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line says its code, and names what is wrong or what to take instead."""
    places = {"CAT": example, "NOWHERE": tmp_path / "nowhere", "OUT": tmp_path / "out"}
    code, out, err = homage(capsys, *(places.get(a, a) for a in arguments))
    assert code == 2 and err.startswith(f"error {error.kind.code}: ") and out == ""
    assert named in err
    assert len(err.splitlines()) == 1 and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_export_writes_and_says_what_it_wrote(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to, name in (("coco", "out.json"), ("action-genome", "ag"), ("csv", "csv")):
        code, out, _ = homage(capsys, "export", example, tmp_path / name, "--to", to)
        assert code == 0 and (tmp_path / name).exists() and "wrote" in out
    _, out, _ = homage(capsys, "export", example, tmp_path / "ag", "--to", "action-genome")
    left_out = next(line for line in out.splitlines() if "do not start at a person" in line)
    assert left_out.split()[-1] == "5"


def test_ctrl_c_stops_a_runaway_query_at_once(tmp_path: Path) -> None:
    import signal
    import sys

    from homage_sdk.testing import make_catalog
    from tests.factories import random_takes

    folder = make_catalog(tmp_path / "catalog", random_takes(1, n=60))
    endless = (
        "SELECT count(*) FROM frames a, frames b, frames c, frames d, frames e, frames f"
        " WHERE hash(a.frame + b.frame * c.frame + d.frame * e.frame * f.frame) = 3"
    )
    code = """
import sys
from homage_sdk.cli import app, run
from homage_sdk.query.sql import SqlSession

begin = SqlSession.run

def told(*arguments):
    print("begins", flush=True)
    return begin(*arguments)

SqlSession.run = told
sys.exit(run(app, sys.argv[1:]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, "query", str(folder), endless],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "begins\n"
    begun_s = sum(psutil.Process(process.pid).cpu_times()[:2])
    while sum(psutil.Process(process.pid).cpu_times()[:2]) < begun_s + 0.5:  # the query is at work
        assert process.poll() is None, "the query was meant to run for ever"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err


def test_help_has_a_place_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = homage(capsys, "--help")
    assert code == 0
    places = [said.index(f"│ {name} ") for name in ("validate", "ingest", "stats", "pack", "synth")]
    assert places == sorted(places)
    for panel in ("Your download", "Look and ask", "Shards for training", "Without the dataset"):
        assert panel in said


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_is_not_utf8_is_no_reason_to_stop(example: Path, encoding: str) -> None:
    done = subprocess.run(
        [BIN / "homage", "show", example, "p0001_r001_a001"],
        capture_output=True,
        env={**ENVIRONMENT, "PYTHONIOENCODING": encoding},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"121-150  drink from cup" in done.stdout
