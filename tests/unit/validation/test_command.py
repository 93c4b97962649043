"""`homage validate` and `homage explain` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from homage_sdk.cli import app
from homage_sdk.codes import explain
from homage_sdk.errors import HomageError, ReleaseError, UnknownIdError, UsageError
from tests.faults.clean import make_clean
from tests.faults.kit import Copy


@pytest.fixture
def faulty(shared_folder: Path, tmp_path: Path) -> Path:
    """Two errors, in a label file and in a list."""
    copy = Copy(make_clean(shared_folder, "hacgen"), tmp_path / "release")
    copy.set(copy.actions[0], -29, 0, "frame_start")
    copy.append(copy.split("train"), copy.lines(copy.split("train"))[0])
    return copy.root


def _run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, HomageError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def test_a_clean_release_exits_0_and_a_faulty_one_1(shared_folder: Path, faulty: Path) -> None:
    code, said = _run("validate", make_clean(shared_folder, "hacgen"), "--deep")
    assert code == 0 and "HOM" not in said and "6 sequences" in said
    code, said = _run("validate", faulty)
    assert code == 1 and "HOM300" in said and "HOM203" in said


def test_what_is_not_there_is_said(shared_folder: Path, tmp_path: Path) -> None:
    copy = Copy(make_clean(shared_folder, "hacgen"), tmp_path / "release")
    copy.remove(*copy.videos, *copy.sensors, *copy.files("_list.csv"))
    code, said = _run("validate", copy.root)
    assert code == 0
    assert all(part in said for part in ("split lists", "videos", "sensors"))


def test_what_cannot_run_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError):
        _run("validate", tmp_path)
    (tmp_path / "known.json").write_text("{}")
    with pytest.raises(UsageError):
        _run("validate", tmp_path, "--baseline", tmp_path / "known.json")
    with pytest.raises(UnknownIdError):
        _run("validate", tmp_path, "--select", "HOM999")


def test_every_format_holds_the_same_problems(faulty: Path, tmp_path: Path) -> None:
    codes = ["HOM300", "HOM203"]
    _, text = _run("validate", faulty, "--format", "json")
    assert [p["code"] for p in json.loads(text)["problems"]] == codes
    code, _ = _run("validate", faulty, "--format", "csv", "--output", tmp_path / "p.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text())))
    assert (code, [row["code"] for row in rows]) == (1, codes)
    _run("validate", faulty, "--format", "junit", "--output", tmp_path / "p.xml")
    suite = ElementTree.parse(tmp_path / "p.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "2"


def test_strict_stops_at_the_first(faulty: Path) -> None:
    code, text = _run("validate", faulty, "--strict", "--format", "json")
    assert (code, len(json.loads(text)["problems"])) == (1, 1)


def test_a_baseline_takes_known_problems_away_and_shows_new_ones(
    faulty: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known.json"
    assert _run("validate", faulty, "--write-baseline", known)[0] == 0
    code, text = _run("validate", faulty, "--baseline", known, "--format", "json")
    assert code == 0 and json.loads(text)["known"] == 2
    copy = next((faulty / "annotation_files").rglob("*_aa.json"))
    new = copy.with_name("kitchen__aa.json")
    new.write_text("[]")
    code, text = _run("validate", faulty, "--baseline", known, "--format", "json")
    assert code == 1
    assert [p["code"] for p in json.loads(text)["problems"]] == ["HOM130"]


def test_select_and_ignore_choose_codes(faulty: Path) -> None:
    _, text = _run("validate", faulty, "--select", "HOM2", "--format", "json")
    assert [p["code"] for p in json.loads(text)["problems"]] == ["HOM203"]
    assert _run("validate", faulty, "--ignore", "hom300,HOM203")[0] == 0


def test_a_catalog_tells_what_its_ingest_found(small_catalog: Path) -> None:
    code, text = _run("validate", small_catalog, "--format", "json")
    recorded = json.loads((small_catalog / "catalog.json").read_text())["problems"]
    found: dict[str, int] = {}
    for problem in json.loads(text)["problems"]:
        found[problem["code"]] = found.get(problem["code"], 0) + 1
    assert (code, found) == (1, recorded)


def test_explain_says_what_a_code_means() -> None:
    code, said = _run("explain", "hom203")
    assert code == 0 and said == explain("HOM203")
    assert "HOM440" in _run("explain", "relationship")[1]
    for code in ("HOM030", "HOM117", "HOM907"):
        assert code in _run("explain", code)[1]
        assert code in _run("explain")[1]
    with pytest.raises(HomageError, match="HOM914"):
        _run("explain", "HOM202333")
