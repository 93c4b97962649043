"""Which settings may change when a run goes on: those that ``OnResume`` marks, and no other."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from baselines.ccau.config.config import Config
from baselines.ccau.config.toml_settings import flat
from baselines.ccau.config.training_config import OnResume
from homage_sdk.errors import ConfigError


class Change(NamedTuple):
    """A setting by its dotted key, as it was and as it is wanted now; None where it is missing."""

    key: str
    old: Any
    new: Any


@functools.cache
def resume_settings() -> Mapping[str, OnResume]:
    """The marked settings by dotted key.

    >>> sorted(resume_settings())[:3]
    ['data.workers', 'optim.epochs', 'optim.max_steps']
    """
    found = {}
    for section, kind in get_type_hints(Config).items():
        hints = get_type_hints(kind, include_extras=True) if is_dataclass(kind) else {}
        for name, hint in hints.items():
            for mark in getattr(hint, "__metadata__", ()):
                if isinstance(mark, OnResume):
                    found[f"{section}.{name}"] = mark
    return found


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """What differs between two descriptions of a run (``config.json``)."""
    before, after = flat(old), flat(new)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield Change(key.removeprefix("config."), before.get(key), after.get(key))


def require_harmless(change: Change, schedule: str, place: Path) -> None:
    """Raise ConfigError unless a run with this ``optim.schedule`` may go on with ``change``."""
    mark = resume_settings().get(change.key)
    if change.key == "shards.path" or (mark is not None and schedule in mark.schedules):
        return
    problem = "the weights trained so far depend on it"
    if mark is not None:
        problem = f"with optim.schedule = '{schedule}' the rate of every step depends on it"
    raise ConfigError(
        f"this folder holds another run: {change.key} differs, and {problem}",
        place=place,
        found=f"{str(change.new)[:80]} now",
        expected=f"{str(change.old)[:80]}, as the run began",
        hint=f"{_as_it_was(change)}choose another --out, or start again with --fresh",
    )


def _as_it_was(change: Change) -> str:
    """How to go on with the old value, where it is a setting and had one."""
    if change.old is None or change.key not in flat(Config().as_dict()):
        return ""
    old = change.old if isinstance(change.old, str) else json.dumps(change.old)
    return f"go on with `--set {shlex.quote(f'{change.key}={old}')}`, "
