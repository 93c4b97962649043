"""What a command says: quiet in a log, and errors that name the option that was typed."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

from baselines.ccau.cli import app as ccau
from homage_sdk.cli import console
from homage_sdk.cli.command import app as homage
from homage_sdk.errors import HomageError
from homage_sdk.version import __version__


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a log file holds: standard error that is no terminal."""
    written = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=written, soft_wrap=True))
    monkeypatch.setattr(sys, "stderr", written)
    return written


def test_a_log_hears_of_long_work_only(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("homage_sdk.cli.console.time.monotonic", lambda: clock[0])
    with console.progress("reading") as step:
        for done in range(50):
            step(done, 100)
        assert log.getvalue() == ""
        clock[0] += console.QUIET_S + 1
        for done in range(50, 101):
            step(done, 100)
    lines = log.getvalue().splitlines()
    assert lines[0].startswith("reading: 50/100") and lines[-1] == "reading: 100/100"
    assert len(lines) == 6, "each tenth"


@pytest.mark.parametrize("app", [homage, ccau], ids=["homage", "ccau"])
def test_both_commands_say_their_version_and_complete(app: object) -> None:
    run = CliRunner().invoke
    assert run(app, ["--version"]).output.strip() == f"homage_sdk {__version__}"  # type: ignore[arg-type]
    assert "--install-completion" in run(app, ["--help"]).output  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "task.foo=1"], "--set task.foo=1"),
        (["--set", "run.seed=3", "--set", "optim.epochs=x"], "--set optim.epochs=x"),
        (["--set", "task.kind=static_kd"], "--set task.kind=static_kd"),
        (["--size", "huge"], "expected one of paper, tiny"),
    ],
)
def test_an_error_of_a_setting_names_the_setting(words: list[str], said: str) -> None:
    done = CliRunner().invoke(ccau, ["train", "demo", "--shards", "s", "--out", "o", *words])
    assert isinstance(done.exception, HomageError)
    assert said in str(done.exception) and "demo.toml" not in str(done.exception)


def test_a_closed_standard_output_is_no_error() -> None:
    start = (
        "import sys; from homage_sdk.cli import main; sys.argv[1:] = ['explain', 'HOM001']; main()"
    )
    command = [sys.executable, "-c", start]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
