"""Checkpoints: whole, verified, never a pickle, never another model's."""

import json
import pickle

import pytest
import torch
from torch import nn

from baselines.ccau.runs import checkpoint
from baselines.ccau.runs.build_task import require_classes
from baselines.ccau.runs.checkpoint import Identity, load, load_into
from baselines.ccau.training.training_checkpoint import load_optimizer, optimizer_tensors
from homage_sdk.errors import CheckpointError, HomageError

CLASSES = {"activity": ("cook", "clean"), "atomic": ("hold cup",)}


def _net(width=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


@pytest.fixture
def saved(tmp_path):
    net = _net()
    folder = tmp_path / "checkpoint-000007"
    checkpoint.save(
        folder,
        files={"model": net.state_dict()},
        state={"step": 7},
        identity=Identity(config={"name": "x"}, classes=CLASSES, shards="f" * 64),
    )
    return folder, net


def test_a_checkpoint_comes_back_bit_for_bit(saved):
    folder, net = saved
    again = _net()
    nn.init.zeros_(again[0].weight)
    opened = load(folder)
    load_into(again, opened.tensors("model"), place=folder)
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key
    assert opened.state == {"step": 7} and opened.manifest.classes == CLASSES
    assert opened.manifest.shards == "f" * 64 and opened.manifest.code_version


def test_others_may_read_it_as_the_umask_says(saved):
    other = saved[0].parent / "other"
    other.touch()
    assert {path.stat().st_mode for path in (other, *saved[0].iterdir())} == {other.stat().st_mode}


def test_tensors_that_share_memory_are_saved(tmp_path):
    weight = torch.arange(6.0).reshape(2, 3)
    checkpoint.save(
        tmp_path / "c",
        files={"model": {"a": weight, "b": weight.T}},
        state={},
        identity=Identity(config={}, classes=CLASSES, shards=""),
    )
    back = load(tmp_path / "c").tensors("model")
    assert torch.equal(back["a"], weight) and torch.equal(back["b"], weight.T)


def _one_line(error: HomageError, *words: str) -> None:
    text = str(error)
    assert "\n" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_checkpoint_is_refused(saved, name, share):
    folder, _ = saved
    path = folder / name
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    _one_line(caught.value, name)


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_a_changed_byte_is_refused(saved, name):
    folder, _ = saved
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    _one_line(caught.value, name, "sha256")


class _Bomb:
    def __reduce__(self):
        return (open, ("/tmp/ccau-pickle-ran", "w"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_and_never_runs(saved, protocol, tmp_path, monkeypatch):
    folder, _ = saved
    bomb = pickle.dumps(_Bomb(), protocol=protocol)
    alone = tmp_path / "model.pth"
    alone.write_bytes(bomb)
    nameless = tmp_path / "weights"
    nameless.write_bytes(bomb)
    (folder / "model.safetensors").write_bytes(bomb)
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    for path in (alone, nameless, folder):
        with pytest.raises(CheckpointError) as caught:
            load(path)
        _one_line(caught.value, "pickle", "import-official")


def test_a_torch_file_is_refused(tmp_path):
    path = tmp_path / "model.pth.tar"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(CheckpointError) as caught:
        load(path)
    _one_line(caught.value, "pickle")


def test_a_header_that_looks_like_a_pickle_is_still_safetensors(tmp_path):
    for length in range(2, 400):  # the header's length passes 0x0280, 0x0380, 0x0480, 0x0580
        tensors = {"x" * (length * 4): torch.zeros(1)}
        from safetensors.torch import save_file

        save_file(tensors, tmp_path / "t.safetensors")
        path = tmp_path / "t.safetensors"
        checkpoint.parse_tensors(path.read_bytes(), path)


def test_another_models_checkpoint_is_refused_naming_the_first_difference(saved):
    folder, _ = saved
    tensors = load(folder).tensors("model")
    with pytest.raises(CheckpointError) as caught:
        load_into(_net(width=5), tensors, place=folder)
    _one_line(caught.value, "0.weight", "[4, 3]", "[5, 3]")
    with pytest.raises(CheckpointError) as caught:
        load_into(nn.Linear(3, 4), tensors, place=folder)
    _one_line(caught.value, "lacks", "unknown")


def test_other_class_lists_are_refused_naming_the_first_difference(saved):
    folder, _ = saved
    opened = load(folder)
    require_classes(opened, CLASSES, shards="s")
    for classes, word in [
        ({**CLASSES, "activity": ("cook", "sweep")}, "'sweep'"),
        ({**CLASSES, "activity": ("cook",)}, "only 1"),
        ({**CLASSES, "atomic": ("hold cup", "drop cup")}, "'drop cup'"),
    ]:
        with pytest.raises(CheckpointError) as caught:
            require_classes(opened, classes, shards="shards/")
        _one_line(caught.value, word, "shards/")


def test_a_newer_version_and_a_foreign_folder_are_refused(saved, tmp_path):
    folder, _ = saved
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": 2}))
    with pytest.raises(CheckpointError, match="another version"):
        load(folder)
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "nothing"):
        with pytest.raises(CheckpointError, match="no checkpoint here"):
            load(path)


def test_a_manifest_cannot_name_a_file_outside(saved):
    folder, _ = saved
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../../etc/passwd"] = {"bytes": 1, "sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="outside"):
        load(folder)


def test_a_failed_write_keeps_the_old_checkpoint(saved, monkeypatch):
    folder, _ = saved
    before = (folder / "model.safetensors").read_bytes()

    def no_space(*_args, **_kwargs):
        import errno

        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", no_space)
    with pytest.raises(HomageError, match="disk is full"):
        checkpoint.save(
            folder,
            files={"model": {"x": torch.zeros(3)}},
            state={},
            identity=Identity(config={}, classes=CLASSES, shards=""),
        )
    assert (folder / "model.safetensors").read_bytes() == before
    load(folder)


def test_the_optimizer_goes_on_as_if_never_stopped():
    def steps(net, optimizer, first, last):
        for step in range(first, last):
            torch.manual_seed(step)
            optimizer.zero_grad()
            net(torch.randn(6, 3)).square().mean().backward()
            optimizer.step()

    def make():
        net = _net()
        groups = [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.5}]
        return net, torch.optim.Adam(groups, lr=0.1)

    straight, optimizer = make()
    steps(straight, optimizer, 0, 6)

    first, optimizer = make()
    steps(first, optimizer, 0, 3)
    names = {p: n for n, p in first.named_parameters()}
    tensors, groups = optimizer_tensors(optimizer, names)
    groups = json.loads(json.dumps(groups))
    second, optimizer = make()
    second.load_state_dict(first.state_dict())
    load_optimizer(optimizer, {p: n for n, p in second.named_parameters()}, tensors, groups)
    steps(second, optimizer, 3, 6)
    for key, value in straight.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"files": {"model.safetensors": 3, "state.json": {}}}, "files.model.safetensors"),
        ({"files": {"model.safetensors": {}, "state.json": {}}}, "files.model.safetensors.bytes"),
        ({"config": None}, "config"),
        ({"classes": ["a"]}, "classes"),
        ({"classes": {"activity": 3}}, "classes.activity"),
    ],
)
def test_a_damaged_manifest_is_one_line(saved, change, what):
    folder, _ = saved
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(CheckpointError, match=f"damaged.*{what}"):
        load(folder)
