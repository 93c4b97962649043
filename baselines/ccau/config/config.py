"""Typed configurations: TOML in, frozen dataclasses out, and every key is read.

A file may say ``extends = "other.toml"`` (or a list); later files and ``--set section.key=value``
win. An unknown key is a ConfigError that names the nearest known one.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pydantic

from baselines.ccau.config.model_config import AugmentConfig, ModelConfig
from baselines.ccau.config.objective_config import (
    AlignmentConfig,
    CompositionConfig,
    DistillationConfig,
)
from baselines.ccau.config.toml_settings import flat, merge, read_toml, with_settings
from baselines.ccau.config.training_config import DataConfig, OptimConfig, RunConfig, TaskConfig
from homage_sdk.errors import ConfigError, require_known
from homage_sdk.problems import Place

CONFIG_FOLDER = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True)
class Config:
    """One experiment."""

    name: str = "ccau"
    preset: Literal["paper", "official", "same_block"] = "paper"
    """What all other values are laid over (docs/ccau_presets.md)."""
    task: TaskConfig = field(default_factory=TaskConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    composition: CompositionConfig = field(default_factory=CompositionConfig)
    align: AlignmentConfig = field(default_factory=AlignmentConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as ``from_dict`` takes them and JSON writes them."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    def replace(self, settings: Iterable[str]) -> Config:
        """The same with ``section.key=value`` changes."""
        return from_dict(with_settings(self.as_dict(), settings))


def read_config(
    name: str | Path, settings: Iterable[str] = (), *, size: str | None = None
) -> Config:
    """A configuration from a file, or by the name of one that comes with the package.

    ``size`` lays one of the sizes ``tiny`` or ``paper`` under the file's own values. Raises
    ConfigError naming the file or the setting, and the key.
    """
    path, settings = find_config(name), tuple(settings)
    values: dict[str, Any] = {}
    if size is not None:
        sizes = CONFIG_FOLDER / "sizes"
        require_known("size", size, sorted(file.stem for file in sizes.glob("*.toml")))
        values = read_toml(sizes / f"{size}.toml")
    values = merge(values, read_toml(path))
    try:
        return from_dict(with_settings(values, settings))
    except ConfigError as error:
        error.place = error.place or Place(_at_fault(error, values, settings) or str(path))
        raise


def _at_fault(error: ConfigError, values: Mapping[str, Any], settings: Sequence[str]) -> str | None:
    """The ``--set`` that an error is about; all of them where it names none; None: the file."""
    keys = {setting.partition("=")[0].strip(): setting for setting in settings}
    named = [setting for key, setting in keys.items() if key in error.message]
    if not named:
        try:
            from_dict(values)
        except ConfigError:
            return None
    return " ".join(f"--set {setting}" for setting in named or settings) or None


def find_config(name: str | Path) -> Path:
    """The file of a configuration: a path, or a name below ``configs``."""
    path = Path(name)
    if path.is_file():
        return path
    for folder in (CONFIG_FOLDER, CONFIG_FOLDER / "arms"):
        candidate = folder / f"{name}.toml"
        if candidate.is_file():
            return candidate
    known = [
        str(p.relative_to(CONFIG_FOLDER).with_suffix("")) for p in CONFIG_FOLDER.rglob("*.toml")
    ]
    near = difflib.get_close_matches(str(name), known + [Path(k).name for k in known], n=1)
    raise ConfigError(
        f"no configuration {str(name)!r}",
        expected="a .toml file, or one of: " + ", ".join(sorted(known)),
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def as_it_ran(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run by this version or an older one: what it does not state, it did so.

    That is the default of a newer setting, but where the default is another than what was done.
    """
    older = with_settings(Config().as_dict(), ["data.fit=crop"])
    return merge(older, values)


def from_dict(values: Mapping[str, Any]) -> Config:
    """A Config from plain values; every key must be known, of its type and in its range."""
    _refuse_unknown(values)
    preset: dict[str, Any] = {}
    if values.get("preset") in ("official", "same_block"):
        preset = read_toml(CONFIG_FOLDER / "presets" / f"{values['preset']}.toml")
    try:
        config = _adapter().validate_python(merge(preset, values))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}",
            found=repr(first["input"])[:80],
        ) from error
    _check(config)
    return config


@functools.cache
def _adapter() -> pydantic.TypeAdapter[Config]:
    return pydantic.TypeAdapter(Config)


def _check(config: Config) -> None:
    """Impossible combinations, each in one line."""
    task, data = config.task, config.data
    if not task.modalities or len(set(task.modalities)) != len(task.modalities):
        raise ConfigError(
            "task.modalities must name each modality once", found=str(task.modalities)
        )
    aligns = task.kind == "cooperative" and config.align.weight != 0
    if len(task.modalities) < 2 and (aligns or task.kind in ("static_kd", "cooperative_kd")):
        raise ConfigError(
            f"{task.kind} needs two modalities",
            found=f"task.modalities {', '.join(task.modalities)}",
            hint="add one, or set task.kind = 'single'",
        )
    if config.run.selection == "validation" and data.validation_share == 0:
        raise ConfigError(
            "nothing to select on: data.validation_share is 0",
            hint="set run.selection to 'last' or 'paper', or give a share",
        )
    if config.run.select_on not in ("learned", config.composition.targets) and (
        config.composition.targets != "both"
    ):
        raise ConfigError(
            f"nothing to select on: run.select_on is {config.run.select_on!r}",
            found=f"composition.targets {config.composition.targets!r}",
            hint="leave run.select_on out",
        )
    if config.model.pool != "mean" and config.model.attention != "none":
        raise ConfigError(
            "model.pool stands in place of attention",
            found=f"model.attention {config.model.attention!r}",
            hint="set model.attention = 'none', or model.pool = 'mean'",
        )
    if data.crop and data.fit != "crop":
        raise ConfigError(
            "data.crop is the side of a crop",
            found=f"data.fit {data.fit!r}",
            hint="set data.fit = 'crop', or data.crop = 0",
        )
    if data.fit == "stretch" and data.size % 2:
        raise ConfigError("data.size must be even with data.fit 'stretch'", found=str(data.size))
    if config.align.projection == "pair" and config.align.granularity != "clip":
        raise ConfigError(
            "align.projection = 'pair' aligns whole clips",
            found=f"align.granularity {config.align.granularity!r}",
            hint="set align.granularity = 'clip', or align.projection = 'none'",
        )
    if task.teachers and task.kind != "static_kd":
        raise ConfigError(
            f"{task.kind} has no teachers",
            found=f"task.teachers {', '.join(task.teachers)}",
            hint="set task.kind = 'static_kd', or leave task.teachers out",
        )
    if task.kind == "static_kd":
        both = [m for m in task.students if m in task.teachers]
        if both:
            raise ConfigError(
                f"{both[0]} is a student and has a teacher's weights",
                expected="each modality in task.students or in task.teachers",
            )
        untaught = [m for m in task.modalities if m not in task.students and m not in task.teachers]
        if untaught:
            raise ConfigError(
                f"no teacher for {', '.join(untaught)}",
                expected="a trained run for each modality that is not a student",
                hint=f"--set task.teachers.{untaught[0]}=RUN",
            )


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    """Raise ConfigError for a key that no section has, naming the same or nearest known one."""
    known = flat(Config().as_dict())
    sections = {key.partition(".")[0] for key in known if "." in key}
    for key, value in flat(values).items():
        if key in sections and value != {}:
            raise ConfigError(f"{key!r} is a section", found=repr(value)[:80])
        if key in known or key in sections or key.startswith("task.teachers."):
            continue
        elsewhere = [k for k in known if k.rpartition(".")[2] == key.rpartition(".")[2]]
        near = elsewhere or difflib.get_close_matches(key, [*known, *sections], n=1, cutoff=0.5)
        raise ConfigError(
            f"unknown key {key!r}",
            expected=None if near else f"one of {', '.join(known)}",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
