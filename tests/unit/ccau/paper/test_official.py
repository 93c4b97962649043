"""The authors' checkpoints load, give the authors' numbers, and bad files are refused plainly."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from baselines.ccau.config.config import from_dict
from baselines.ccau.models.build_nets import build_nets
from baselines.ccau.paper.authors_weights import import_official
from homage_sdk.errors import CheckpointError
from tests.unit.ccau.models.authors import AuthorsAudio, AuthorsVideo, stir

OFFICIAL = from_dict({"preset": "official"}).model
SMALL = replace(OFFICIAL, width=8, size=64, n_mels=64, audio_columns=130)


def save(folder: Path, mode: str, module: torch.nn.Module, **extra: object) -> Path:
    path = folder / f"mode_{mode}_epoch90.pth.tar"
    state = {f"module.{k}": v for k, v in module.state_dict().items()}
    torch.save({"epoch": 90, "mode": mode, "net": "resnet18", "state_dict": state, **extra}, path)
    return path


@pytest.fixture
def video() -> AuthorsVideo:
    torch.manual_seed(1)
    return stir(AuthorsVideo(width=8, side=2, activities=5, atomic=7), 1)


@pytest.fixture
def audio() -> AuthorsAudio:
    torch.manual_seed(2)
    return stir(AuthorsAudio(width=8, extra=1, positions=2, activities=5, atomic=7), 2)


def test_parameter_counts_are_the_authors() -> None:
    nets = build_nets(OFFICIAL, ("ego", "audio"), 75, 448, seed=0)

    def count(part: torch.nn.Module) -> int:
        return sum(p.numel() for p in part.parameters())

    ego, audio = nets["ego"], nets["audio"]
    assert count(ego) == 14_820_854
    parts = {name: count(part) for name, part in ego.named_children()}
    assert parts == {
        "backbone": 14_057_536,
        "agg": 393_984,
        "attention_fn": 17_760,
        "final_bn": 512,
        "final_fc": 85_067,
        "final_fc_video": 85_067,
        "final_fc_atomic": 180_928,
    }
    assert count(audio) == 25_370_518
    assert count(audio.get_submodule("features")) == 24_757_056
    assert count(audio.get_submodule("flatten")) == 262_400


def test_state_dict_keys_and_shapes_are_the_authors_at_full_width() -> None:
    nets = build_nets(OFFICIAL, ("third", "audio"), 75, 448, seed=0)
    with torch.device("meta"):
        theirs = {"third": AuthorsVideo(), "audio": AuthorsAudio(d=256)}
    for modality, module in theirs.items():
        shapes = {k: v.shape for k, v in module.state_dict().items() if "cell_list" not in k}
        assert {k: v.shape for k, v in nets[modality].state_dict().items()} == shapes


def test_imported_weights_give_the_authors_outputs(
    tmp_path: Path, video: AuthorsVideo, audio: AuthorsAudio
) -> None:
    torch.manual_seed(3)
    third = stir(AuthorsVideo(width=8, side=2, activities=5, atomic=7), 3)
    files = [
        save(tmp_path, "imgs-0", video, optimizer={"state": {}}, iteration=7),
        save(tmp_path, "imgs-1", third),
        save(tmp_path, "audio", audio),
    ]
    found = import_official(files, config=SMALL)
    assert (found.n_activities, found.n_atomic) == (5, 7)
    assert found.epochs == {"ego": 90, "third": 90, "audio": 90}
    frames = torch.randn(3, 4, 3, 5, 64, 64)
    sound = torch.randn(3, 3, 130, 64)  # time x mel, as the authors cut their pictures
    for modality, theirs, x in (
        ("ego", video, frames),
        ("third", third, frames),
        ("audio", audio, sound),
    ):
        with torch.no_grad():
            activity, atomic = theirs(x)
            out = found.nets[modality](x if modality != "audio" else x.transpose(2, 3))
        torch.testing.assert_close(out.activity, activity, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(out.atomic, atomic, rtol=1e-4, atol=1e-5)
        assert activity.std() > 0.05  # the comparison is of something


def test_training_mode_forward_and_statistics_are_the_authors(video: AuthorsVideo) -> None:
    net = build_nets(SMALL, ("ego",), 5, 7, seed=0)["ego"]
    state = {k: v for k, v in video.state_dict().items() if "cell_list" not in k}
    net.load_state_dict(state)
    for part in [*net.modules(), *video.modules()]:
        if hasattr(part, "p"):
            part.p = 0.0
    net.train()
    video.train()
    x = torch.randn(3, 4, 3, 5, 64, 64)
    torch.testing.assert_close(net(x).activity, video(x)[0], rtol=2e-4, atol=2e-5)
    for key, value in net.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, video.state_dict()[key], rtol=1e-4, atol=1e-5)


def test_a_file_without_its_mode_is_known_by_its_name(tmp_path: Path, audio: AuthorsAudio) -> None:
    path = tmp_path / "mode_audio_epoch3.pth.tar"
    torch.save({"state_dict": audio.state_dict()}, path)
    assert list(import_official([path], config=SMALL).nets) == ["audio"]


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch exploded",))


def test_a_checkpoint_that_holds_code_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = tmp_path / "mode_audio_epoch1.pth.tar"
    torch.save({"mode": "audio", "state_dict": {}, "x": Bomb()}, hostile)
    plain = tmp_path / "mode_audio_epoch2.pth.tar"
    plain.write_bytes(pickle.dumps(Bomb()))
    for file in (hostile, plain):
        with pytest.raises(CheckpointError, match="not safe to load"):
            import_official([file])
    assert not (tmp_path / "exploded").exists()


def test_every_bad_checkpoint_is_one_line_that_says_what_to_do(
    tmp_path: Path, video: AuthorsVideo, audio: AuthorsAudio
) -> None:
    whole = save(tmp_path, "imgs-0", video)
    cut = tmp_path / "mode_imgs-1_cut.pth.tar"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    empty = tmp_path / "mode_imgs-1_empty.pth.tar"
    empty.write_bytes(b"")
    text = tmp_path / "mode_imgs-1_text.pth.tar"
    text.write_text("<html>not found</html>")
    nameless = tmp_path / "best.pth.tar"
    torch.save({"state_dict": video.state_dict()}, nameless)
    lacking, unknown, shaped = (dict(video.state_dict()) for _ in range(3))
    del lacking["backbone.layer3.0.conv1.weight"]
    unknown["extra.weight"] = torch.zeros(1)
    shaped["agg.ConvGRUCell_00.out_gate.bias"] = torch.zeros(3)
    shaped["agg.cell_list.0.out_gate.bias"] = torch.zeros(3)
    twins = dict(video.state_dict())
    twins["agg.cell_list.0.out_gate.bias"] = torch.ones_like(twins["agg.cell_list.0.out_gate.bias"])
    headless = {k: v for k, v in video.state_dict().items() if "fc_atomic" not in k}
    paths = {}
    for name, state in {
        "lacking": lacking,
        "unknown": unknown,
        "shaped": shaped,
        "twins": twins,
        "headless": headless,
        "listed": {"a": [1, 2]},
    }.items():
        paths[name] = tmp_path / f"mode_imgs-0_{name}.pth.tar"
        torch.save({"state_dict": state}, paths[name])
    torch.save([1, 2], tmp_path / "mode_audio_list.pth.tar")
    cases = [
        ([], "no checkpoint to import"),
        ([tmp_path / "mode_audio_none.pth.tar"], "No such file"),
        ([tmp_path], "cannot be read"),
        ([cut], "cut or damaged|not safe"),
        ([empty], "cut or damaged|not safe"),
        ([text], "not safe to load|cut or damaged"),
        ([tmp_path / "mode_audio_list.pth.tar"], "not a checkpoint"),
        ([nameless], "cannot tell the modality"),
        ([whole, whole], "two files for ego"),
        ([paths["lacking"]], "lacks 1 .*backbone.layer3.0.conv1.weight"),
        ([paths["unknown"]], "unknown 1 .*extra.weight"),
        ([paths["shaped"]], r"agg.ConvGRUCell_00.out_gate.bias is \[3\] instead of \[32\]"),
        ([paths["twins"]], "hold different numbers"),
        ([paths["headless"]], "compositional"),
        ([paths["listed"]], "not a tensor"),
        ([whole, save(tmp_path, "audio", AuthorsAudio(8, 1, 2, 6, 7))], "disagree"),
    ]
    for files, message in cases:
        with pytest.raises(CheckpointError, match=message) as caught:
            import_official(files, config=SMALL)
        assert "\n" not in str(caught.value)


LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)  # torch's old header


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02.",
        b"\x80\x02]e.",
        b"\x80\x02J\x00.",
        LEGACY + b"a.",
        LEGACY + b"u.",
        LEGACY + b"K\x01Q.",
    ],
)
def test_a_pickle_that_nobody_wrote_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mode_audio_epoch1.pth.tar"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cut or damaged|not safe") as caught:
        import_official([file])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.tensor(1.0), "no head of this model"),
        (torch.zeros(0, 32), "no head of this model"),
        (torch.zeros(5, 31), "no head of this model"),
        (torch.zeros(1).expand(10**12, 32), "not stored whole"),
    ],
)
def test_a_head_that_is_none_builds_nothing(
    tmp_path: Path, video: AuthorsVideo, weight: torch.Tensor, message: str
) -> None:
    file = tmp_path / "mode_imgs-0_x.pth.tar"
    state = {**video.state_dict(), "final_fc_video.3.weight": weight}
    torch.save({"state_dict": state}, file)
    with pytest.raises(CheckpointError, match=message):
        import_official([file], config=SMALL)
