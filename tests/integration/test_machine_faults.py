"""Every command on a full disk, in a folder that is read-only, without permission to read, and with
24 open files: one line that says what, where and what to do, nothing half-written that passes for
whole, and the same result once the fault is gone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
import typer

from baselines.ccau.cli import app as ccau_app
from homage_sdk.cli.command import app as homage_app
from homage_sdk.ingest import ingest
from tests.command import tree
from tests.conftest import once
from tests.integration.machine_faults import (
    as_any_user,
    disk,
    fill,
    read_only,
    start,
    with_open_files,
)
from tests.unit.ccau.models.authors import AuthorsAudio, stir

pytestmark = pytest.mark.slow

SETTINGS = (
    "task.kind=single", 'task.modalities=["audio"]', "model.width=2", "model.dim=8",
    "data.batch_size=2", "data.n_mels=32", "data.blocks=2", "data.block_frames=3",
    "run.selection=last", "run.device=cpu", "run.bootstrap_draws=10", "data.novel_share=0.3",
    "optim.max_steps=1", "optim.schedule=constant",
)  # fmt: skip
OFFICIAL = ("model.width=8", "data.size=64", "data.fit=crop", "data.crop=96", "data.n_mels=64")
VIDEOS, LABELS, TARS = "release/**/*.mkv", "release/**/*__aa.json", "shards/*.tar"
FROM_DISK = "--root {w}/release"
VOLATILE = re.compile(r"(^|/)(metrics\.jsonl|\.probes\.log|ccau_instrument\.md|seed-\d+/.*\.json)$")
"""Files that hold the time of day or how long something took."""


def sets(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


SMALL_PROTOCOL = """
[world]
train = 64
test = 64
[training]
epochs = 1
[seeds]
confirmatory = [1, 2]
mutants = [1, 2]
"""
VERSION_1 = Path(__file__).parents[1] / "unit/catalog/version_1"
"""A catalog that homage_sdk 0.1 wrote."""


@dataclass(frozen=True)
class Case:
    """A command: ``{w}`` is what it reads, ``{o}`` the folder it writes (none: it only prints)."""

    words: str
    more: tuple[str, ...] = ()
    hidden: str = ""
    """The files below ``{w}`` that may not be read."""
    refused: int = 2
    """Its exit code then."""
    begun: dict[str, str] = field(default_factory=dict)
    """What lies below ``{o}`` before: name to what of ``{w}`` it is a copy of."""

    def command(self, name: str, w: Path, o: Path) -> list[str]:
        words = [*name.split(":", maxsplit=1)[0].split(), *self.words.split()]
        return [word.format(w=w, o=o) for word in words] + list(self.more)

    @property
    def writes(self) -> bool:
        return "{o}" in self.words


CASES = {
    "homage validate": Case("{w}/release --output {o}/report.txt", hidden=LABELS, refused=1),
    "homage explain": Case(""),
    "homage ingest": Case("{w}/release {o}/catalog --workers 2", hidden=LABELS, refused=1),
    "homage info": Case("{w}/catalog", hidden="catalog/catalog.json"),
    "homage migrate": Case("{o}/old", begun={"old": "old"}),
    "homage stats": Case("{w}/catalog --output {o}/stats.txt", hidden="catalog/views.parquet"),
    "homage show": Case("{w}/catalog", hidden="catalog/sequences.parquet"),
    "homage find": Case("{w}/catalog *", hidden="catalog/atomic_actions.parquet"),
    "homage query": Case(
        "{w}/catalog --format csv", ("select * from views",), hidden="catalog/views.parquet"
    ),
    "homage sync": Case(f"{{w}}/catalog {FROM_DISK}", hidden=VIDEOS, refused=1),
    "homage view": Case(
        f"{{w}}/catalog p0002_r000_a003 -o {{o}}/page.html {FROM_DISK}", hidden=VIDEOS, refused=1
    ),
    "homage report": Case(f"{{w}}/catalog {{o}}/page.html {FROM_DISK}", hidden=VIDEOS, refused=1),
    "homage export": Case(
        f"{{w}}/catalog {{o}}/coco.json --to coco --pictures {{o}}/pictures {FROM_DISK}",
        hidden=VIDEOS,
        refused=1,
    ),
    "homage pack": Case(
        f"{{w}}/catalog {{o}}/shards --limit 2 --workers 2 {FROM_DISK}", hidden=VIDEOS, refused=1
    ),
    "homage verify": Case("{w}/shards", hidden=TARS),
    "homage repair": Case(
        f"{{o}}/shards {{w}}/catalog --workers 2 {FROM_DISK}",
        hidden=VIDEOS,
        refused=1,
        begun={"shards": "broken"},
    ),
    "homage synth": Case("{o}/release --sequences 1 --size 160x120 --seconds 4 4"),
    "ccau train": Case("demo --shards {w}/shards --out {o}/run", tuple(sets(*SETTINGS)), TARS),
    "ccau evaluate": Case(
        "{o}/run --shards {w}/shards --device cpu", hidden=TARS, begun={"run": "trained"}
    ),
    "ccau fewshot": Case(
        "{o}/run --shards {w}/shards --device cpu --k 1", hidden=TARS, begun={"run": "trained"}
    ),
    "ccau compare": Case("{w}/judged {w}/judged --draws 20", hidden="judged/predictions.npz"),
    "ccau arms": Case(
        "{w}/shards {o}/arms --size tiny --seeds 1 --only single_activity",
        tuple(sets(*SETTINGS)),
        TARS,
    ),
    "ccau tables": Case("{o}/arms", begun={"arms": "arms"}),
    "ccau instrument": Case("--protocol {w}/small.toml --out {o}/run", hidden="small.toml"),
    "ccau tsne": Case("{w}/judged --out {o}/tsne", hidden="judged/predictions.npz"),
    "ccau localise": Case(
        "{o}/run --shards {w}/shards --draws 20", hidden=TARS, begun={"run": "attending"}
    ),
    "ccau info": Case("{w}/judged", hidden="judged/config.json"),
    "ccau doctor": Case("demo --shards {w}/shards", tuple(sets(*SETTINGS)), TARS),
    "ccau report": Case(
        f"{{w}}/catalog {{w}}/judged {{o}}/page.html {FROM_DISK}", hidden="judged/results.json"
    ),
    "ccau import-official": Case(
        "{w}/mode_audio_epoch9.pth.tar --out {o}/imported",
        tuple(sets(*OFFICIAL, "model.audio_columns=345")),
        "mode_audio_epoch9.pth.tar",
    ),
}
WRITING = [name for name, case in CASES.items() if case.writes]
READING = [name for name, case in CASES.items() if case.hidden]


def test_every_command_is_listed_here() -> None:
    apps = {"homage": homage_app, "ccau": ccau_app}
    there = {
        f"{name} {command}"
        for name, app in apps.items()
        for command in typer.main.get_command(app).commands  # type: ignore[attr-defined]
    }
    assert there == CASES.keys()


@pytest.fixture(scope="session")
def world(shared_folder: Path, small_release: Path, small_shards: Path, worker_id: str) -> Path:
    """A release, its catalog (made elsewhere, so that --root counts), shards, runs. Read only."""

    def succeed(*words: str) -> None:
        done = start(list(words))
        assert done.returncode == 0, done.stderr

    def make(w: Path) -> None:
        w.mkdir()
        shutil.copytree(small_release, w / "origin", copy_function=os.link)
        ingest(w / "origin", w / "catalog")
        (w / "origin").rename(w / "release")
        shutil.copytree(VERSION_1, w / "old")
        (w / "small.toml").write_text(SMALL_PROTOCOL)
        shutil.copytree(small_shards, w / "shards")
        shutil.copytree(small_shards, w / "broken")
        cut = min((w / "broken").glob("*.tar"))
        cut.write_bytes(cut.read_bytes()[:-30_000])
        shards = f"{w}/shards"
        succeed(
            "ccau", "train", "demo", "--shards", shards, "--out", f"{w}/trained", *sets(*SETTINGS)
        )
        shutil.copytree(w / "trained", w / "judged")
        succeed("ccau", "evaluate", f"{w}/judged", "--shards", shards, "--device", "cpu")
        third = sets(*SETTINGS, 'task.modalities=["third"]')
        succeed("ccau", "train", "demo", "--shards", shards, "--out", f"{w}/attending", *third)
        succeed("ccau", "evaluate", f"{w}/attending", "--shards", shards, "--device", "cpu")
        arms = ("--size", "tiny", "--seeds", "1", "--only", "single_activity", *sets(*SETTINGS))
        succeed("ccau", "arms", shards, f"{w}/arms", *arms)
        for table in (w / "arms").glob("tables.*"):
            table.unlink()
        net = stir(AuthorsAudio(width=8, extra=1, positions=5, activities=5, atomic=7), 2)
        state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
        whole = {"epoch": 9, "mode": "audio", "state_dict": state}
        torch.save(whole, w / "mode_audio_epoch9.pth.tar")

    return once(shared_folder, "machine", make)


def prepare(case: Case, world: Path, out: Path) -> dict[str, bytes]:
    out.mkdir(parents=True)
    for name, source in case.begun.items():
        shutil.copytree(world / source, out / name)
    return tree(out)


@dataclass(frozen=True)
class Healthy:
    """What a command does where nothing is refused."""

    code: int
    before: dict[str, bytes]
    after: dict[str, bytes]

    def require_same(self, code: int, out: Path) -> None:
        found = tree(out)
        assert code == self.code
        assert found.keys() == self.after.keys()
        other = [name for name, data in found.items() if data != self.after[name]]
        assert [name for name in other if not VOLATILE.search(name)] == []


@pytest.fixture
def healthy(shared_folder: Path, world: Path) -> Callable[[str], Healthy]:
    def ask(name: str) -> Healthy:
        case = CASES[name]

        def make(folder: Path) -> None:
            prepare(case, world, folder / "out")
            done = start(case.command(name, world, folder / "out"))
            assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
            (folder / "code.json").write_text(json.dumps(done.returncode))

        folder = once(shared_folder, f"healthy-{name.replace(' ', '-')}", make)
        before = {
            f"{to}/{path}": data
            for to, source in case.begun.items()
            for path, data in tree(world / source).items()
        }
        return Healthy(json.loads((folder / "code.json").read_text()), before, tree(folder / "out"))

    return ask


def refusal(done: subprocess.CompletedProcess[str], *, code: int = 2) -> str:
    """The line that a command refuses with: what, and in brackets what to do."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error HOM")]
    assert len(lines) == 1, done.stderr
    assert lines[0].endswith(")"), f"and what to do? {lines[0]}"
    return lines[0]


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("share", [0.0, 0.5], ids=["no room", "half the room"])
def test_a_full_disk(
    name: str, share: float, world: Path, tmp_path: Path, healthy: Callable[[str], Healthy]
) -> None:
    case, well = CASES[name], healthy(name)
    needs = sum(map(len, well.after.values())) - sum(map(len, well.before.values()))
    if share and needs < 16_384:
        return  # it writes a page or two: there is no half of that
    with disk(tmp_path / "disk") as why_not:
        if why_not:
            pytest.skip(f"cannot mount a small disk: {why_not}")
        out = tmp_path / "disk" / "out"
        before = prepare(case, world, out)
        filler = fill(tmp_path / "disk", leaving=int(share * needs))
        line = refusal(start(case.command(name, world, out)))
        assert str(out) in line
        assert "free some space" in line
        filler.unlink()
        if tree(out) != before:
            well.require_same(start(case.command(name, world, out)).returncode, out)


@pytest.mark.parametrize("name", [name for name in CASES if name not in WRITING])
def test_a_full_disk_where_it_prints(name: str, world: Path, tmp_path: Path) -> None:
    done = start(CASES[name].command(name, world, tmp_path), stdout="/dev/full")
    assert "standard output" in (line := refusal(done)) and "free some space" in line


@pytest.mark.parametrize("name", WRITING)
def test_a_read_only_folder(
    name: str, world: Path, tmp_path: Path, healthy: Callable[[str], Healthy]
) -> None:
    case, out = CASES[name], tmp_path / "out"
    before = prepare(case, world, out)
    with read_only(out):
        line = refusal(start(case.command(name, world, out), before=as_any_user))
    assert str(out) in line and "choose another folder or change its rights" in line
    assert tree(out) == before


@pytest.mark.parametrize("name", READING)
def test_files_that_may_not_be_read(name: str, world: Path, tmp_path: Path) -> None:
    case, out, here = CASES[name], tmp_path / "out", tmp_path / "world"
    prepare(case, world, out)
    shutil.copytree(world, here, copy_function=os.link)
    hidden = sorted(here.glob(case.hidden))
    assert hidden
    for path in hidden:
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        path.chmod(0)
    done = start(case.command(name, here, out), before=as_any_user)
    said = done.stdout + done.stderr
    if case.refused == 2:
        refusal(done)
    assert done.returncode == case.refused, said
    assert "Traceback" not in said
    said += "".join(path.read_text("utf-8") for path in out.glob("*.txt"))
    assert any(path.name in said for path in hidden), said
    assert "ermission denied" in said, said


@pytest.mark.parametrize("name", CASES)
def test_24_open_files(
    name: str, world: Path, tmp_path: Path, healthy: Callable[[str], Healthy]
) -> None:
    """What 24 are enough for, 64 are."""
    case, out = CASES[name], tmp_path / "out"
    prepare(case, world, out)
    done = start(case.command(name, world, out), before=with_open_files(24))
    healthy(name).require_same(done.returncode, out)


@pytest.mark.parametrize(
    ("name", "most"), [("homage ingest", 8), ("homage report", 12), ("homage pack", 14)]
)
def test_too_few_open_files_are_no_fault_of_a_file(
    name: str, most: int, world: Path, tmp_path: Path, healthy: Callable[[str], Healthy]
) -> None:
    """No video is left out, reported or marked as damaged for want of a free handle."""
    case, out = CASES[name], tmp_path / "out"
    before = prepare(case, world, out)
    done = start(case.command(name, world, out), before=with_open_files(most))
    line = refusal(done)
    assert "HOM005" in line and f"{most} files may be open" in line and "ulimit -n" in line
    if tree(out) != before:
        healthy(name).require_same(start(case.command(name, world, out)).returncode, out)
