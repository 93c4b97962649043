"""Where a run is watched: TensorBoard, Weights & Biases, or another board of scalars.

A board only shows what ``metrics.jsonl`` holds. One that fails is warned of and left out; training
goes on.
"""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from baselines.ccau.config.config import Config
from homage_sdk.errors import ConfigError
from homage_sdk.progress import Harmless
from homage_sdk.storage import write_file

WANDB_ID = "wandb-id"
"""File of a run folder: under which name the service knows the run, so that it is continued."""


class Board(Protocol):
    """Shows scalars over steps."""

    def show(self, scalars: Mapping[str, float], step: int) -> None:
        """Add a point at ``step`` to the curve of each name (``losses/total``)."""

    def close(self) -> None:
        """Show what is still waiting."""


class TensorBoard:
    """Event files in ``RUN/tensorboard``; what a killed process wrote since ``step`` is hidden."""

    def __init__(self, config: Config, run: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = run / "tensorboard"
        purge = step if folder.is_dir() else None
        self._writer: Any = SummaryWriter(str(folder), purge_step=purge)

    def show(self, scalars: Mapping[str, float], step: int) -> None:
        """See :class:`Board`."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """See :class:`Board`."""
        self._writer.close()


class WandB:
    """A run of Weights & Biases, continued under its id; steps shown before are not shown again.

    Its own environment decides the rest: ``WANDB_MODE=offline``, ``WANDB_ENTITY``, the key.
    """

    def __init__(self, config: Config, run: Path, step: int) -> None:
        known = run / WANDB_ID
        if not known.is_file():
            write_file(known, secrets.token_hex(8))
        self._run: Any = importlib.import_module("wandb").init(
            project=config.run.wandb_project,
            name=f"{config.name} {run.name}",
            id=known.read_text().strip(),
            resume="allow",
            dir=str(run),
            config=config.as_dict(),
        )
        self._shown = int(getattr(self._run, "step", 0) or 0)

    def show(self, scalars: Mapping[str, float], step: int) -> None:
        """See :class:`Board`."""
        if step >= self._shown:
            self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        """See :class:`Board`."""
        self._run.finish()


KINDS: Mapping[str, tuple[Callable[[Config, Path, int], Board], str]] = {
    "tensorboard": (TensorBoard, "tensorboard"),
    "wandb": (WandB, "wandb"),
}
"""By the setting of ``[run]``: what makes the board, and the module it needs."""


def require_boards(config: Config) -> None:
    """Raise ConfigError, before anything is written, for a board whose package is missing."""
    for name, (_, module) in KINDS.items():
        if getattr(config.run, name) and find_spec(module) is None:
            raise ConfigError(
                f"run.{name} needs {module}", hint=f"pip install 'homage-sdk[{name}]'"
            )


class Boards:
    """The boards that a configuration asks for, each of which may fail without harm."""

    def __init__(self, config: Config, run: Path, step: int) -> None:
        self._boards: list[tuple[Harmless, Board]] = []
        for name, (make, _) in KINDS.items():
            if getattr(config.run, name):
                Harmless(name)(self._open, name, make, config, run, step)

    def _open(
        self,
        name: str,
        make: Callable[[Config, Path, int], Board],
        config: Config,
        run: Path,
        step: int,
    ) -> None:
        self._boards.append((Harmless(name), make(config, run, step)))

    def show(self, scalars: Mapping[str, float], step: int) -> None:
        """See :class:`Board`."""
        for harmless, board in self._boards:
            harmless(board.show, scalars, step)

    def close(self) -> None:
        """See :class:`Board`."""
        for harmless, board in self._boards:
            harmless(board.close)
