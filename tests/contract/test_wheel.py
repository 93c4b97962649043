"""The wheel: what it installs, and that it leaves room for other people's baselines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files as an installer lays them out."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(ROOT), *options], check=True, timeout=300
    )
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def interpreters() -> list[str]:
    """This Python, and the newest one that the machine has, where that is another."""
    newer = [shutil.which(f"python3.{minor}") for minor in range(20, sys.version_info.minor, -1)]
    works = ["-c", "import venv, ensurepip, ssl, sqlite3"]
    found = (path for path in newer if path and not subprocess.run([path, *works]).returncode)
    return [sys.executable, *list(found)[:1]]


@pytest.mark.slow
@pytest.mark.parametrize("python", interpreters(), ids=lambda path: Path(path).name)
def test_the_wheel_works_in_an_empty_environment(
    python: str, installed: Path, tmp_path: Path
) -> None:
    """The core dependencies alone: no extra, no torch."""
    (wheel,) = installed.parent.glob("*.whl")
    own = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: object) -> str:
        done = subprocess.run(
            list(map(str, words)), cwd=tmp_path, env=own, capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    run(python, "-m", "venv", tmp_path / "venv")
    run(tmp_path / "venv/bin/python", "-m", "pip", "install", "--quiet", wheel)
    homage = tmp_path / "venv/bin/homage"
    run(homage, "synth", "release", "--sequences", "2", "--size", "160x120", "--seconds", "4", "4")
    run(homage, "ingest", "release", "catalog")
    asked = "SELECT min(sequence) AS id FROM sequences"
    sequence = run(homage, "query", "catalog", asked, "--format", "csv").split()[-1]
    shown = run(homage, "show", "catalog", sequence)
    assert "atomic actions" in shown
    run(homage, "pack", "catalog", "shards")
    listed = run(tmp_path / "venv/bin/python", "-m", "pip", "list")
    assert "torch" not in listed and "librosa" not in listed


def files_of(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob(pattern)}


@pytest.mark.slow
def test_the_wheel_holds_the_product_and_nothing_else(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"homage_sdk", "baselines"}
    for top in ("homage_sdk", "baselines/ccau"):
        source = files_of(ROOT / top, "*.py") | files_of(ROOT / top, "*.toml")
        assert files_of(installed / top, "*.py") | files_of(installed / top, "*.toml") == source
        assert (installed / top / "py.typed").is_file()
    pages = ROOT / "homage_sdk/explore/assets"
    assert {path.name for path in (installed / "homage_sdk/explore/assets").iterdir()} == {
        path.name for path in pages.iterdir()
    }
    assert {path.name for path in (installed / "baselines").iterdir()} == {"ccau"}
    (entries,) = installed.glob("*.dist-info/entry_points.txt")
    assert {"homage", "ccau"} <= {line.partition(" ")[0] for line in entries.open()}


@pytest.mark.slow
def test_another_distribution_may_have_its_own_folder_in_baselines(
    installed: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "baselines" / "other").mkdir(parents=True)
    (theirs / "baselines" / "other" / "__init__.py").write_text("NAME = 'of others'\n")
    code = (
        "import baselines.other, baselines.ccau.config.config as config\n"
        "print(baselines.other.NAME, config.__file__, config.read_config('demo').name, sep='|')"
    )
    for path in ((installed, theirs), (theirs, installed)):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        other, file, config = done.stdout.strip().split("|")
        assert (other, config) == ("of others", "demo")
        assert Path(file).is_relative_to(installed)
