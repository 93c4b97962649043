"""What is kept of trained arms, and what the page says of them: of one code, none left unsaid."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.instrument import run_all as runs
from baselines.ccau.instrument import sources
from baselines.ccau.instrument.run_all import jobs, path_of, read_all, run_all
from baselines.ccau.instrument.sources import PACKAGE, SOURCES, code_version
from baselines.ccau.instrument.trials import Trial, run_job
from baselines.ccau.report import instrument_page
from baselines.ccau.report.instrument_page import write_page
from homage_sdk.errors import UsageError
from tests.unit.ccau.instrument.test_instrument import GOOD, SMALL, made

PLUS = Trial("plus", "single", 1)


@pytest.fixture
def one_job(monkeypatch):
    """Only one arm is trained, and it takes no time."""
    trained = []

    def train(job, protocol):
        trained.append(job)
        return {"protocol": protocol.fingerprint, "accuracy": {}}

    monkeypatch.setattr(runs, "run_job", train)
    monkeypatch.setattr(runs, "ARMS", [("plus", "single")])
    monkeypatch.setattr(runs, "TRAINED", {})
    return trained


@pytest.mark.parametrize("change", ["torch", "a source", "before there was a code"])
def test_results_of_other_code_do_not_count_and_are_trained_again(
    tmp_path, monkeypatch, one_job, change
):
    copy = tmp_path / "ccau"
    for name in SOURCES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((PACKAGE / name).read_bytes())
    monkeypatch.setattr(sources, "PACKAGE", copy)
    for _ in range(2):
        run_all(SMALL, tmp_path, (1,))
    assert one_job == [PLUS]
    path = path_of(tmp_path, PLUS)
    written = json.loads(path.read_text())
    assert written["code"] == code_version()
    if change == "torch":
        monkeypatch.setattr(sources.torch, "__version__", "9.9")
    elif change == "a source":
        with (copy / "losses" / "alignment.py").open("a") as file:
            file.write("# changed\n")
    else:
        del written["code"]
        path.write_text(json.dumps(written))
    assert read_all(SMALL, tmp_path, (1,)) == {}
    run_all(SMALL, tmp_path, (1,))
    assert one_job == [PLUS, PLUS]
    assert json.loads(path.read_text())["code"] == code_version()


def test_every_module_that_an_arm_runs_is_in_the_digest():
    ran: set[Path] = set()

    def noting(frame, event, _):
        if event == "call":
            ran.add(Path(frame.f_code.co_filename))

    trials, before = list(jobs(SMALL, (1,))), sys.getprofile()
    sys.setprofile(noting)
    try:
        for job in trials:
            run_job(job, SMALL)
    finally:
        sys.setprofile(before)
    ours = {
        path.relative_to(PACKAGE.parents[1]).as_posix()
        for path in ran
        if path.is_relative_to(PACKAGE) or "homage_sdk" in path.parts
    }
    protocol = "baselines/ccau/instrument/protocol.py"  # its values have a fingerprint
    assert "baselines/ccau/losses/alignment.py" in ours
    assert ours - {f"baselines/ccau/{name}" for name in SOURCES} == {protocol}


CODE = {"sources": "abcdef", "torch": "1.2.3", "numpy": "4.5"}


def results(effects=GOOD):
    """Complete results of made-up gains."""
    found = made(effects)
    for result in found.values():
        result |= {"code": CODE, "cpu_s": 1.0}
    return found


@pytest.fixture
def protocol():
    return replace(SMALL, seeds=replace(SMALL.seeds, confirmatory=tuple(range(12)), mutants=()))


@pytest.mark.parametrize("name", ["page.md", "two words (1).md"])
def test_the_page_names_the_code_and_shows_the_figure_beside_it(tmp_path, protocol, name):
    page = tmp_path / name
    write_page(results(), protocol, page)
    text = page.read_text()
    assert all(version in text for version in CODE.values())
    (link,) = (line for line in text.splitlines() if line.startswith("!["))
    shown = link.partition("](")[2].removesuffix(")").replace("%20", " ")
    shown = shown.replace("%28", "(").replace("%29", ")")
    assert (tmp_path / shown).read_text().startswith("<svg")


def test_a_page_that_is_not_markdown_is_refused_before_anything_is_trained(
    tmp_path, protocol, monkeypatch
):
    with pytest.raises(UsageError, match="Markdown"):
        write_page(results(), protocol, tmp_path / "page.svg")
    monkeypatch.setattr(runs, "run_all", lambda *_, **__: (tmp_path / "trained").touch())
    command = ["instrument", "--out", str(tmp_path / "out"), "--page", str(tmp_path / "page.html")]
    said = CliRunner().invoke(app, command)
    assert said.exit_code != 0 and isinstance(said.exception, (UsageError, SystemExit))
    assert not list(tmp_path.iterdir())


def test_what_failed_is_found_once_and_the_command_prints_it(tmp_path, protocol, monkeypatch):
    bad = {**GOOD, ("null", "coop"): 2.0}
    findings = write_page(results(bad), protocol, tmp_path / "page.md")
    claims = ["null: coop - single, ego", "null: coop - single, third"]
    assert findings.failed_claims == claims
    unnoticed = [line for line in findings.failures if line not in claims]
    assert unnoticed and all("partner shuffled" in u or "clock" in u for u in unnoticed)
    assert f"not: {'; '.join(claims)}." in (tmp_path / "page.md").read_text()
    monkeypatch.setattr("baselines.ccau.instrument.protocol.read_protocol", lambda _: protocol)
    monkeypatch.setattr(runs, "run_all", lambda *_, **__: results(bad))
    said = CliRunner().invoke(app, ["instrument", "--out", str(tmp_path / "out")])
    assert said.exit_code == 1
    printed = [line.removeprefix("failed: ") for line in said.output.splitlines()]
    assert [line for line in findings.failures if line not in printed] == []


def test_an_alignment_without_effect_that_passes_is_a_failure(tmp_path, protocol, monkeypatch):
    monkeypatch.setattr(instrument_page, "without_effect", dict)
    findings = write_page(results(), protocol, tmp_path / "page.md")
    assert "unnoticed: an alignment without effect" in findings.failures
    assert "still passes: **not caught**" in (tmp_path / "page.md").read_text()
