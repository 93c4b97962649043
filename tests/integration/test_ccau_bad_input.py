"""What ``ccau`` is handed by mistake: one line that says which and what to do, and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from baselines.ccau.cli import app
from homage_sdk import Dataset
from homage_sdk.cli import run
from homage_sdk.shards import PackOptions, pack
from homage_sdk.storage import sha256_file

SETTINGS = (
    "task.kind=single", 'task.modalities=["audio"]', "model.width=2", "model.dim=8",
    "data.batch_size=2", "data.n_mels=32", "data.blocks=2", "data.block_frames=3",
    "run.selection=last", "run.device=cpu", "run.bootstrap_draws=10",
    "optim.max_steps=1", "optim.schedule=constant",
)  # fmt: skip
Command = Callable[..., str]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def words(command: str, *arguments: object, settings: tuple[str, ...] = ()) -> list[str]:
    return [command, *map(str, arguments), *(w for s in settings for w in ("--set", s))]


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str]) -> Command:
    """The one line that the command refuses with."""

    def ask(command: str, *arguments: object, settings: tuple[str, ...] = ()) -> str:
        capsys.readouterr()
        code = run(app, words(command, *arguments, settings=settings))
        said = capsys.readouterr().err
        assert code == 2, said
        assert "Traceback" not in said
        lines = [line for line in said.splitlines() if line.startswith("error HOM")]
        assert len(lines) == 1, said
        assert lines[0].endswith(")") or "expected" in lines[0], f"and what to do? {lines[0]}"
        return said

    return ask


@pytest.fixture(scope="module")
def trained(small_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step. Read only."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    asked = words("train", "demo", "--shards", small_shards, "--out", folder, settings=SETTINGS)
    assert run(app, asked) in (0, None)
    return folder


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """The folder of a run that may be broken."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def shards(small_shards: Path, tmp_path: Path) -> Path:
    """Shards whose manifest may be changed; the rest is linked."""
    copy = Path(shutil.copytree(small_shards, tmp_path / "shards", copy_function=os.link))
    text = (copy / "manifest.json").read_text()
    (copy / "manifest.json").unlink()
    (copy / "manifest.json").write_text(text)
    return copy


def change(path: Path, edit: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


def test_shards_of_another_schema(shards: Path, trained: Path, tmp_path: Path, refuse: Command):
    change(shards / "manifest.json", lambda m: m.update(schema_version=99))
    for command in (("train", "demo", "--out", tmp_path / "new"), ("evaluate", trained)):
        said = refuse(*command, "--shards", shards)
        assert "another schema version" in said and "99" in said
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_no_shards(tmp_path: Path, refuse: Command):
    said = refuse("train", "demo", "--shards", tmp_path, "--out", tmp_path / "new")
    assert str(tmp_path) in said and "homage pack" in said


@pytest.mark.parametrize("missing", ["audio", "third", "scene_graph"])
def test_a_modality_that_the_shards_do_not_hold(
    missing: str, small_catalog: Path, tmp_path: Path, refuse: Command
):
    options = PackOptions(
        views="ego" if missing == "third" else (1,) if missing == "audio" else "ego",
        audio=missing != "audio",
        scene_graphs=missing != "scene_graph",
    )
    filmed = Dataset(small_catalog).where("n_views > 1")[:2]
    pack(filmed, tmp_path / "shards", options, workers=1)
    other = "third" if missing == "audio" else "ego"
    for modalities in (f'["{missing}"]', f'["{other}", "{missing}"]'):
        settings = (*SETTINGS, f"task.modalities={modalities}")
        said = refuse(
            "train", "demo", "--shards", tmp_path / "shards", "--out", tmp_path / "run",
            settings=settings,
        )  # fmt: skip
        assert missing in said and "pack" in said and "task.modalities" in said, said
        assert not (tmp_path / "run" / "config.json").exists()


def test_a_class_list_that_differs_from_the_checkpoints(
    shards: Path, trained: Path, refuse: Command
):
    def rename(manifest: dict) -> None:  # type: ignore[type-arg]
        manifest["taxonomy"]["activity"][1]["name"] = "juggling"

    change(shards / "manifest.json", rename)
    said = refuse("evaluate", trained, "--shards", shards)
    assert "activity" in said and "juggling" in said and "column 1" in said


@pytest.mark.parametrize(
    ("setting", "near"), [("optim.learning_rate=1", "optim"), ("optim.epoch=3", "optim.epochs")]
)
def test_a_key_that_nobody_reads(
    setting: str, near: str, small_shards: Path, tmp_path: Path, refuse: Command
):
    asked = ("--shards", small_shards, "--out", tmp_path / "run")
    said = refuse("train", "demo", *asked, settings=(setting,))
    assert "unknown key" in said and setting.partition("=")[0] in said and near in said
    section, _, key = setting.partition("=")[0].partition(".")
    (tmp_path / "mine.toml").write_text(f"[{section}]\n{key} = 1\n")
    said = refuse("train", tmp_path / "mine.toml", *asked)
    assert "mine.toml" in said and key in said
    assert not (tmp_path / "run").exists()


class Trap:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_a_checkpoint_that_is_a_pickle(
    model: Path, small_shards: Path, tmp_path: Path, refuse: Command
):
    weights = model / "checkpoint-last" / "model.safetensors"
    torch.save({"weights": Trap(tmp_path / "sprung")}, weights)
    entry = {"bytes": weights.stat().st_size, "sha256": sha256_file(weights)}
    change(
        model / "checkpoint-last" / "manifest.json",
        lambda m: m["files"].update({"model.safetensors": entry}),
    )
    said = refuse("evaluate", model, "--shards", small_shards)
    assert "pickle" in said and "model.safetensors" in said and "import-official" in said
    torch.save({"state_dict": Trap(tmp_path / "sprung")}, tmp_path / "mode_audio_epoch1.pth.tar")
    said = refuse(
        "import-official", tmp_path / "mode_audio_epoch1.pth.tar", "--out", tmp_path / "official"
    )
    assert "mode_audio_epoch1.pth.tar" in said
    assert not (tmp_path / "sprung").exists() and not (tmp_path / "official").exists()


def test_a_checkpoint_that_is_cut(model: Path, small_shards: Path, refuse: Command):
    weights = model / "checkpoint-last" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    said = refuse("evaluate", model, "--shards", small_shards)
    assert "cut" in said and "model.safetensors" in said
    (model / "checkpoint-last" / "manifest.json").unlink()
    assert "manifest.json" in refuse("evaluate", model, "--shards", small_shards)


def test_a_checkpoint_of_another_model(
    model: Path, small_shards: Path, tmp_path: Path, refuse: Command
):
    weights = model / "checkpoint-last" / "model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in tensors if name.endswith("final_fc_video.0.weight"))
    save_file({**tensors, name: torch.zeros(3, 3)}, weights)
    entry = {"bytes": weights.stat().st_size, "sha256": sha256_file(weights)}
    change(
        model / "checkpoint-last" / "manifest.json",
        lambda m: m["files"].update({"model.safetensors": entry}),
    )
    said = refuse("evaluate", model, "--shards", small_shards)
    assert "HOM070" in said  # the run ended with other weights
    change(model / "run.json", lambda m: m.update(model_sha256=entry["sha256"]))
    said = refuse("evaluate", model, "--shards", small_shards)
    assert "another model" in said and "final_fc_video.0.weight" in said and "[3, 3]" in said
    # As a teacher: a run that never trained what it is to teach.
    said = refuse(
        "train", "static_kd_activity", "--shards", small_shards, "--out", tmp_path / "new",
        settings=(
            *(s for s in SETTINGS if not s.startswith("task.")),
            f"task.teachers.third={model}", f"task.teachers.audio={model}",
            'task.modalities=["ego", "third", "audio"]',
        ),
    )  # fmt: skip
    assert str(model) in said and "trained no third" in said


def test_a_run_that_is_none_or_not_finished(
    model: Path, small_shards: Path, tmp_path: Path, refuse: Command
):
    assert "not a run folder" in refuse("evaluate", tmp_path, "--shards", small_shards)
    (model / "run.json").unlink()
    assert "not ended" in refuse("evaluate", model, "--shards", small_shards)
    assert "ccau train" in refuse("fewshot", model, "--shards", small_shards)
