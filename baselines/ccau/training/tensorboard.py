"""TensorBoard, for those who ask for it; ``metrics.jsonl`` is always there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homage_sdk.errors import ConfigError


class Board:
    """Writes rows of the log as scalars; without a folder it does nothing.

    Args:
        folder: where the event files go.
        first_step: the step that comes next. What an earlier process wrote of it and later ones,
            before it was killed, is hidden.

    """

    def __init__(self, folder: Path | None, *, first_step: int = 0) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "run.tensorboard needs tensorboard", hint="pip install 'homage-sdk[tensorboard]'"
            ) from error
        resumed = first_step if folder.is_dir() else None
        self._writer = SummaryWriter(str(folder), purge_step=resumed)

    def write(self, row: Mapping[str, Any]) -> None:
        """The numbers of one row, under their groups: ``losses/total``, ``validation/score``."""
        if self._writer is None:
            return
        group = "validation/" if row.get("kind") == "validation" else ""
        for name, value in _numbers(row, group):
            self._writer.add_scalar(name, value, row["step"])

    def close(self) -> None:
        """End it."""
        if self._writer is not None:
            self._writer.close()


def _numbers(row: Mapping[str, Any], path: str) -> Iterator[tuple[str, float]]:
    """Every float in ``row`` and in the mappings inside it, by its path."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}{name}/")
        elif isinstance(value, float):
            yield f"{path}{name}", value
