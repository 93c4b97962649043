"""The protocol of the instrument: a committed file, read whole, every key known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pydantic

from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.config.toml_settings import flat, read_toml
from homage_sdk.errors import ConfigError

PROTOCOL = Path(__file__).with_name("protocol.toml")


@dataclass(frozen=True)
class WorldConfig:
    """Sizes of a world; docs/ccau_instrument.md gives the formulas."""

    activities: int = 75
    content: int = 6
    private: int = 40
    inputs: int = 64
    blocks: int = 4
    private_scale: float = 3.0
    noise: float = 0.3
    absent: float = 0.15
    train: int = 1388
    test: int = 3000


@dataclass(frozen=True)
class ArmTraining:
    """How every arm is trained."""

    dim: int = 32
    gru_dropout: float = 0.1
    head_dropout: float = 0.2
    lr: float = 3e-3
    weight_decay: float = 1e-5
    batch: int = 64
    epochs: int = 12
    longer: float = 2.0


@dataclass(frozen=True)
class Seeds:
    """Which seeds chose the settings, which confirm, and which the mutants are trained with."""

    tuning: tuple[int, ...] = ()
    confirmatory: tuple[int, ...] = ()
    mutants: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tests:
    """Level of the family, smallest effect of interest and what a mutant must lose, in points."""

    level: float = 0.05
    smallest_effect: float = 1.0
    mutant_gap: float = 0.5


@dataclass(frozen=True)
class Protocol:
    """Everything that decides the instrument's table."""

    world: WorldConfig = field(default_factory=WorldConfig)
    training: ArmTraining = field(default_factory=ArmTraining)
    align: AlignmentConfig = field(default_factory=AlignmentConfig)
    seeds: Seeds = field(default_factory=Seeds)
    tests: Tests = field(default_factory=Tests)

    @property
    def fingerprint(self) -> str:
        """Of what a trained arm depends on: the worlds, the training, the alignment."""
        parts = {key: asdict(getattr(self, key)) for key in ("world", "training", "align")}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def read_protocol(path: Path = PROTOCOL) -> Protocol:
    """A protocol from TOML; ConfigError names the file and the key that is wrong or missing."""
    values = read_toml(path)
    known = flat(asdict(Protocol()))
    for key in flat(values):
        if key not in known:
            raise ConfigError(
                f"unknown key {key!r}", place=path, expected=f"one of {', '.join(known)}"
            )
    try:
        protocol = pydantic.TypeAdapter(Protocol).validate_python(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}",
            place=path,
            found=repr(first["input"])[:80],
        ) from error
    if not protocol.seeds.confirmatory:
        raise ConfigError(
            "seeds.confirmatory: no seed",
            place=path,
            expected="at least two, which were not used for tuning",
            hint="for example [seeds] confirmatory = [1000, 1001, 1002]",
        )
    return protocol
