"""Plain values from TOML files and ``--set``: read, inherited, laid over one another."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from homage_sdk.errors import ConfigError


def read_toml(path: Path, _heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The values of a file over those that it ``extends``; raises ConfigError naming the file."""
    heirs = (*_heirs, path.resolve())
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("not valid TOML", place=path, found=str(error)) from error
    except OSError as error:
        raise ConfigError("cannot be read", place=path, found=error.strerror) from error
    parents = values.pop("extends", [])
    merged: dict[str, Any] = {}
    parents = [parents] if isinstance(parents, str) else parents
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        raise ConfigError("extends is no file name and no list of them", place=path)
    for parent in parents:
        target = path.parent / parent
        if not target.is_file():
            raise ConfigError("extends names no file", place=path, found=repr(parent))
        if target.resolve() in heirs:
            raise ConfigError("extends itself, directly or in turn", place=path, found=repr(parent))
        merged = merge(merged, read_toml(target, heirs))
    return merge(merged, values)


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``under``, section by section.

    >>> merge({"optim": {"lr": 1, "epochs": 2}}, {"optim": {"lr": 3}})
    {'optim': {'lr': 3, 'epochs': 2}}
    """
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Sections and subsections by dotted keys; an empty one stays as it is.

    >>> flat({"name": "x", "task": {"teachers": {}, "kind": "single"}})
    {'name': 'x', 'task.teachers': {}, 'task.kind': 'single'}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{path}{key}.")
        else:
            found[f"{path}{key}"] = value
    return found


def with_settings(values: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """``values`` with ``section.key=value`` changes; raises ConfigError for anything else."""
    merged = dict(values)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                "not a setting", found=repr(setting), expected="section.key=value", hint="--set"
            )
        change: Any = _toml_value(text.strip())
        for part in reversed(key.strip().split(".")):
            change = {part: change}
        merged = merge(merged, change)
    return merged


def _toml_value(text: str) -> Any:
    """``0.1``, ``true``, ``["ego"]`` as TOML reads them; anything else is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
