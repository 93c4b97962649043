"""Without the packages of an extra: the labels' commands work, the others say what to install."""

import os
import subprocess
import sys

import pytest

from homage_sdk import Dataset
from tests.unit.ccau.report.test_embedding import write_run

TRAIN = ("torch", "librosa", "webdataset")


def without_extras(entry, *words, hidden=TRAIN):
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden!r}));"
    code = f"{hide} sys.argv = {[entry, *map(str, words)]!r}; "
    module = {"homage": "homage_sdk.cli", "ccau": "baselines.ccau.cli"}[entry]
    return subprocess.run(
        [sys.executable, "-c", f"{code} from {module} import main; main()"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        check=False,
    )


@pytest.mark.parametrize("command", ["train", "doctor"])
def test_ccau_without_torch_says_what_to_install(command, small_shards, tmp_path):
    out = ["--out", tmp_path / "run"] if command == "train" else []
    done = without_extras("ccau", command, "demo", "--shards", small_shards, *out)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "torch" in done.stderr
    assert "pip install 'homage-sdk[train]'" in done.stderr


@pytest.mark.parametrize("hidden", ["jinja2", "markupsafe"])
def test_a_page_without_the_figures_extra_says_what_to_install(hidden, small_catalog, tmp_path):
    done = without_extras("homage", "report", small_catalog, tmp_path / "p.html", hidden=(hidden,))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "pip install 'homage-sdk[figures]'" in done.stderr
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(("hidden", "extra"), [("sklearn", "train"), ("matplotlib", "figures")])
def test_figure_4_without_an_extra_says_what_to_install(hidden, extra, tmp_path):
    run = write_run(tmp_path / "run")
    done = without_extras("ccau", "tsne", run, "--out", tmp_path / "out", hidden=(hidden,))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"pip install 'homage-sdk[{extra}]'" in done.stderr


def test_a_page_that_plays_needs_no_extra(small_catalog, tmp_path):
    words = [small_catalog, Dataset(small_catalog).ids[0], "-o", tmp_path / "p.html"]
    done = without_extras("homage", "view", *words, hidden=("jinja2", "markupsafe", *TRAIN))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.html").stat().st_size > 100_000


@pytest.mark.slow
def test_packing_and_checking_shards_need_no_torch(small_catalog, tmp_path):
    done = without_extras("homage", "pack", small_catalog, tmp_path / "s", "--limit", "1")
    assert done.returncode in (0, 1), done.stderr
    done = without_extras("homage", "verify", tmp_path / "s", "--deep")
    assert done.returncode == 0, done.stderr
