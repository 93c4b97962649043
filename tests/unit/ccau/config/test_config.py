"""Configurations: typed, merged, and refused in one line that names the nearest key."""

import dataclasses
import json
from pathlib import Path

import pytest

from baselines.ccau.config.config import (
    CONFIG_FOLDER,
    Config,
    as_it_ran,
    find_config,
    from_dict,
    read_config,
)
from homage_sdk.errors import ConfigError


def test_the_defaults_are_the_papers():
    config = Config()
    assert config.task.modalities == ("ego", "third", "audio")
    assert config.composition.atomic_weight == 10.0
    assert (config.optim.lr, config.optim.weight_decay) == (1e-3, 1e-5)
    assert (config.optim.plateau_factor, config.optim.plateau_patience) == (0.1, 10)
    assert (config.data.blocks, config.data.block_frames, config.data.stride) == (8, 5, 3)


def test_a_config_survives_json():
    config = from_dict({"task": {"kind": "single"}, "data": {"exclude_activities": ["a", "b"]}})
    assert from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optim": {"learning_rate": 1}}, ["'optim.learning_rate'", "optim."]),
        ({"optim": {"epoch": 1}}, ["'optim.epoch'", "'optim.epochs'"]),
        ({"optm": {"lr": 1}}, ["'optm.lr'", "'optim.lr'"]),
        ({"lr": 1}, ["'lr'", "'optim.lr'"]),
        ({"model": {"widht": 3}}, ["'model.widht'", "'model.width'"]),
        ({"align": {"temperature": 3}}, ["'align.temperature'", "distillation.temperature"]),
        ({"optim": 3}, ["'optim'", "section"]),
        ({"optim": {"lr": "fast"}}, ["optim.lr", "'fast'"]),
        ({"task": {"kind": "duet"}}, ["task.kind", "'duet'", "cooperative"]),
        ({"data": {"batch_size": 0}}, ["data.batch_size", "0"]),
        ({"task": {"modalities": []}}, ["task.modalities"]),
        ({"task": {"modalities": ["ego", "ego"]}}, ["task.modalities"]),
        ({"task": {"modalities": ["smell"]}}, ["task.modalities", "smell"]),
        ({"data": {"validation_share": 0.0}}, ["validation_share", "run.selection"]),
        ({"task": {"kind": "static_kd"}}, ["teacher", "third"]),
        ({"align": {"tau": 0}}, ["align.tau", "greater than 0"]),
        ({"model": {"depth": 19}}, ["model.depth", "50", "19"]),
        ({"model": {"head_dropout": 1.0}}, ["model.head_dropout", "less than 1", "1.0"]),
        ({"distillation": {"weight": 7}}, ["distillation.weight", "less than or equal to 1", "7"]),
        ({"augment": {"grey": 3}}, ["augment.grey", "3"]),
        ({"optim": {"clip_norm": -1}}, ["optim.clip_norm", "greater than or equal to 0", "-1"]),
        ({"optim": {"lr": float("nan")}}, ["optim.lr", "nan"]),
        ({"align": {"projection": "pair"}}, ["align.projection", "granularity"]),
        ({"task": {"teachers": {"ego": "x"}}}, ["cooperative", "no teachers"]),
        (
            {
                "task": {
                    "kind": "static_kd",
                    "teachers": dict.fromkeys(("ego", "third", "audio"), "x"),
                }
            },
            ["ego", "student", "teacher"],
        ),
        ({"data": {"crop": 96}}, ["data.crop", "'stretch'", "data.fit = 'crop'"]),
        ({"data": {"size": 33}}, ["data.size", "even", "33"]),
        ({"model": {"pool": "max"}}, ["model.pool", "attention", "'eq2'"]),
        ({"model": {"pool": "min"}}, ["model.pool", "'min'"]),
        ({"preset": "papers"}, ["preset", "papers"]),
        ({"task": {"modalities": ["ego"]}}, ["cooperative", "two modalities", "ego"]),
        ({"task": {"kind": "cooperative_kd", "modalities": ["ego"]}}, ["two modalities"]),
    ],
)
def test_a_wrong_key_or_value_is_one_line_that_names_it(values, words):
    with pytest.raises(ConfigError) as caught:
        from_dict(values)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


def test_one_modality_alone_is_cooperative_only_without_alignment():
    alone = {"task": {"modalities": ["ego"]}, "align": {"weight": 0.0}}
    assert from_dict(alone).task.modalities == ("ego",)


def test_settings_win_over_the_file_and_the_file_over_its_parents(tmp_path):
    (tmp_path / "base.toml").write_text("[optim]\nlr = 0.5\nepochs = 3\n[data]\nsize = 32\n")
    (tmp_path / "own.toml").write_text('extends = "base.toml"\n[optim]\nlr = 0.25\n')
    config = read_config(
        tmp_path / "own.toml", ["optim.epochs=7", 'task.modalities=["ego", "audio"]']
    )
    assert (config.optim.lr, config.optim.epochs, config.data.size) == (0.25, 7, 32)
    assert config.task.modalities == ("ego", "audio")
    sized = read_config(tmp_path / "own.toml", size="paper")
    assert sized.optim.precision == "bf16" and sized.data.size == 32


def test_settings_are_read_as_toml_and_else_as_text():
    config = Config().replace(["name=my run", "optim.lr=1e-2", "optim.compile=true"])
    assert (config.name, config.optim.lr, config.optim.compile) == ("my run", 1e-2, True)
    for bad in ("optim.lr", "=3", ""):
        with pytest.raises(ConfigError, match=r"section\.key=value"):
            Config().replace([bad])


def test_a_file_that_is_missing_or_no_toml_names_itself(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'demo'"):
        find_config("dmo")
    bad = tmp_path / "bad.toml"
    bad.write_text("[optim\nlr = 3")
    with pytest.raises(ConfigError) as caught:
        read_config(bad)
    assert "bad.toml" in str(caught.value) and "\n" not in str(caught.value)
    bad.write_text("[optim]\nlrr = 3")
    with pytest.raises(ConfigError, match=r"bad\.toml.*optim\.lr"):
        read_config(bad)
    bad.write_text('extends = "nowhere.toml"')
    with pytest.raises(ConfigError, match="nowhere"):
        read_config(bad)
    other = tmp_path / "other.toml"
    other.write_text('extends = "bad.toml"')
    for parent in ("bad.toml", "other.toml"):
        bad.write_text(f'extends = "{parent}"')
        with pytest.raises(ConfigError, match="extends itself"):
            read_config(bad)
    bad.write_text("extends = 3")
    with pytest.raises(ConfigError, match=r"bad\.toml: extends"):
        read_config(bad)


def test_the_official_preset_changes_the_model_and_the_losses():
    official = from_dict({"preset": "official"})
    assert official.model.attention == "official" and official.model.head_dropout == 0.75
    assert official.align.projection == "pair" and official.composition.atomic == "focal"
    kept = from_dict({"preset": "official", "model": {"head_dropout": 0.1}})
    assert kept.model.head_dropout == 0.1 and kept.model.attention == "official"


def test_whole_frames_are_the_papers_and_padded_ones_the_public_codes():
    assert Config().data.fit == "stretch"
    assert from_dict({"preset": "same_block"}).data.fit == "stretch"
    assert from_dict({"preset": "official"}).data.fit == "pad"
    assert read_config("demo").data.fit == "crop" and read_config("demo").data.crop == 144


def test_what_a_run_of_an_older_version_does_not_state_is_what_it_did():
    """There was no ``data.fit``: a square was cut out. Of a file, the same means the default."""
    old = Config().as_dict()
    del old["data"]["fit"], old["align"]["centre"]
    assert from_dict(as_it_ran(old)).data.fit == "crop" and from_dict(old).data.fit == "stretch"
    assert from_dict(as_it_ran(old)).align == Config().align
    assert as_it_ran(Config().as_dict()) == Config().as_dict()


def test_every_shipped_config_is_valid():
    files = sorted(CONFIG_FOLDER.rglob("*.toml"))
    assert len(files) > 3
    for path in files:
        if path.parent.name == "sizes":
            continue
        if "static_kd" in path.stem:
            settings = ["task.teachers.third=x", "task.teachers.audio=y"]
        else:
            settings = []
        for size in (None, "tiny", "paper"):
            assert dataclasses.is_dataclass(read_config(path, settings, size=size))


def test_every_switch_of_model_losses_and_augmentation_is_in_the_table_of_presets():
    text = (Path(__file__).parents[4] / "docs" / "ccau_presets.md").read_text()
    for section in ("model", "composition", "align", "distillation", "augment"):
        for field in dataclasses.fields(getattr(Config(), section)):
            rows = [line for line in text.splitlines() if f"`{section}." in line]
            words = (f"`{section}.{field.name}", f"`.{field.name}`")
            assert any(word in row for row in rows for word in words), f"{section}.{field.name}"
    official = from_dict({"preset": "official"}).as_dict()
    table = text.split("## Differences")[1].split("\n## ")[0]
    for section, values in Config().as_dict().items():
        if isinstance(values, dict):
            for key, value in values.items():
                differs = official[section][key] != value
                assert differs == (f"| `{section}.{key}` |" in table), f"{section}.{key}"
