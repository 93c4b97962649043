"""``ccau import-official``: the authors' files in, files without pickles out, everywhere usable."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.config.config import from_dict
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.evaluation.predictions import load_predictions
from baselines.ccau.evaluation.result_rows import own_rows
from baselines.ccau.runs import checkpoint
from baselines.ccau.runs.build_task import load_nets, model_config
from homage_sdk.cli import run as run_command
from homage_sdk.errors import CheckpointError, ConfigError, UsageError
from homage_sdk.media.spectrograms.jet import clip_columns
from homage_sdk.shards import ShardSet
from tests.unit.ccau.models.authors import AuthorsAudio, AuthorsVideo, stir

SETTINGS = ("model.width=8", "data.size=64", "data.fit=crop", "data.crop=96", "data.n_mels=64")
# 64 mel bands are 2 cells high after VGG19, and 345 columns 10 wide: one more stage, 1 x 5.
AUDIO = {"width": 8, "extra": 1, "positions": 5}
# 128 x 344 as theirs are: 4 x 10 after VGG19, two more stages, 1 x 2.
AUTHORS_AUDIO = {"width": 8, "extra": 2, "positions": 2}


def options(*settings):
    return [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in ("import-official", *arguments)])


@pytest.fixture
def theirs(tmp_path):
    """``theirs(activities, atomic)``: an ego and an audio file, and the modules they hold."""

    def make(activities=5, atomic=7, audio=AUDIO):
        torch.manual_seed(0)
        sizes = {"activities": activities, "atomic": atomic}
        modules = {
            "imgs-0": stir(AuthorsVideo(width=8, side=2, **sizes), 1),
            "audio": stir(AuthorsAudio(**audio, **sizes), 2),
        }
        files = []
        for mode, module in modules.items():
            files.append(tmp_path / f"mode_{mode}_epoch9.pth.tar")
            state = {f"module.{k}": v for k, v in module.state_dict().items()}
            torch.save({"epoch": 9, "mode": mode, "state_dict": state}, files[-1])
        return files, modules

    return make


def test_a_checkpoint_without_pickles_holds_the_authors_weights(theirs, tmp_path):
    files, modules = theirs()
    done = invoke(*files, "--out", tmp_path / "out", *options("model.audio_columns=345"))
    assert done.exit_code == 0, done.output
    assert "epoch 9" in done.output and "5 activities, 7 atomic" in done.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"model.safetensors", "state.json", "manifest.json"}
    opened = checkpoint.load(tmp_path / "out")
    config = from_dict(opened.manifest.config)
    assert config.preset == "official" and config.task.modalities == ("ego", "audio")
    tensors = opened.tensors("model")
    for modality, mode in (("ego", "imgs-0"), ("audio", "audio")):
        original = modules[mode].state_dict()
        for key, tensor in original.items():
            if "cell_list" not in key:
                assert torch.equal(tensors[f"nets.{modality}.{key}"], tensor), key


def test_with_shards_it_is_a_run_that_can_be_judged(theirs, small_shards, tmp_path):
    shards = ShardSet.open(small_shards)
    counts = [len(shards.taxonomy(kind)) for kind in ("activity", "atomic")]
    files, modules = theirs(*counts)
    out = tmp_path / "run"
    done = invoke(*files, "--out", out, "--shards", small_shards, *options())
    assert done.exit_code == 0, done.output
    assert not [p for p in out.rglob("*") if p.name.startswith(".tmp")]
    _, config, nets = load_nets(out, shards)
    frames = torch.randn(2, config.data.blocks, 3, config.data.block_frames, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            nets["ego"](frames).activity, modules["imgs-0"](frames)[0], rtol=1e-4, atol=1e-5
        )
    results = evaluate(out, small_shards, device="cpu", draws=5)
    assert set(results["modalities"]) == {"ego", "audio"}
    for row in own_rows(results):  # log-mel is not what the authors' network learned from
        is_audio = "authors' pictures of sound" in row["modality"]
        assert is_audio == (row["modality"] not in ("Ego", ""))
    assert "Audio (not the authors' pictures of sound)" in (out / "README.md").read_text()
    saved = load_predictions(out / "predictions.npz")
    assert all(np.isfinite(p.activity).all() for p in saved.by_modality.values())


def test_on_the_authors_pictures_of_sound_no_row_is_marked(theirs, jet_shards, tmp_path):
    """One pixel a cell, 344 columns of 128 bands: the sizes of their audio network as it is."""
    shards = ShardSet.open(jet_shards)
    counts = [len(shards.taxonomy(kind)) for kind in ("activity", "atomic")]
    files, modules = theirs(*counts, audio=AUTHORS_AUDIO)
    out = tmp_path / "run"
    small = ("--set", "model.width=8")
    done = invoke(files[1], "--out", out, "--shards", jet_shards, *small)
    assert done.exit_code == 0, done.output
    _, config, nets = load_nets(out, shards)
    splits = tuple(s.sequence for s in shards.samples if s.has_audio)
    loader = open_loader(shards, config, ("audio",), splits, World(), training=False)
    inputs, _ = prepare(next(iter(loader)), config, ("audio",), epoch=0, training=False)
    pictures = inputs["audio"]
    assert pictures.shape[1:] == (3, 128, 344) and 0 <= pictures.min() < pictures.max() <= 1
    with torch.no_grad():  # theirs takes [B, 3, time, bands]
        found = modules["audio"](pictures.transpose(-2, -1))[0]
        torch.testing.assert_close(nets["audio"](pictures).activity, found, rtol=1e-4, atol=1e-5)
    results = evaluate(out, jet_shards, device="cpu", draws=5)
    assert results["marks"] == {}
    assert own_rows(results)[0]["modality"] == "Audio"


def test_shards_of_pictures_of_sound_are_for_networks_that_take_them(tiny, jet_shards):
    shards = ShardSet.open(jet_shards)
    with pytest.raises(ConfigError, match=r"coloured pictures of sound.*audio_channels = 3"):
        model_config(tiny(**{"data.n_mels": 128}), shards)
    taken = tiny(**{"data.n_mels": 128, "model.audio_channels": 3})
    assert model_config(taken, shards).audio_columns == clip_columns(2 * 3 * 3)


def test_other_class_counts_than_the_shards_are_refused(theirs, small_shards, tmp_path):
    files, _ = theirs(5, 7)
    done = invoke(*files, "--out", tmp_path / "run", "--shards", small_shards, *options())
    assert isinstance(done.exception, CheckpointError)
    assert "another number of activity classes" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_shards_of_other_lines_than_the_public_codes_are_refused(theirs, small_shards, tmp_path):
    shards = ShardSet.open(small_shards)
    files, _ = theirs(*(len(shards.taxonomy(kind)) for kind in ("activity", "atomic")))
    padded = options("data.fit=pad", "data.crop=0")
    done = invoke(*files, "--out", tmp_path / "run", "--shards", small_shards, *padded)
    assert isinstance(done.exception, UsageError) and "--size 192" in str(done.exception)
    assert not (tmp_path / "run").exists()
    done = invoke(files[1], "--out", tmp_path / "run", "--shards", small_shards, *padded)
    assert done.exit_code == 0, done.output  # sound has no lines


def test_a_folder_that_holds_something_is_left_alone(theirs, tmp_path):
    files, _ = theirs()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("years of work")
    for out in (tmp_path / "thesis", tmp_path / "thesis" / "chapter"):
        assert isinstance(invoke(*files, "--out", out).exception, ConfigError)
    assert (tmp_path / "thesis" / "chapter").read_text() == "years of work"


class Bomb:
    def __reduce__(self):
        return (open, ("exploded", "w"))


def test_a_bad_file_is_one_line_and_runs_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    hostile = tmp_path / "mode_audio_epoch1.pth.tar"
    torch.save({"mode": "audio", "state_dict": {}, "x": Bomb()}, hostile)
    plain = tmp_path / "mode_audio_epoch2.pth.tar"
    plain.write_bytes(pickle.dumps(Bomb()))
    text = tmp_path / "mode_audio_epoch3.pth.tar"
    text.write_text("<html>not found</html>")
    short = tmp_path / "mode_audio_epoch5.pth.tar"
    short.write_text("hello")
    missing = tmp_path / "mode_audio_epoch4.pth.tar"
    for file in (hostile, plain, text, short, missing):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a remark of torch's would be a second line
            code = run_command(app, ["import-official", str(file), "--out", str(tmp_path / "out")])
        said = capfd.readouterr()
        assert code == 2
        assert said.err.count("\n") == 1 and file.name in said.err, said.err
        assert "Traceback" not in said.err and "found 101" not in said.err
    assert not (tmp_path / "out").exists() and not (tmp_path / "exploded").exists()
