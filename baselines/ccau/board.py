"""TensorBoard, for those who ask for it; ``metrics.jsonl`` is always there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homage_sdk.errors import ConfigError


class Board:
    """Writes rows of the log as scalars; without a folder it does nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "run.tensorboard needs tensorboard", hint="pip install 'homage-sdk[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(folder))

    def write(self, row: Mapping[str, Any]) -> None:
        """The numbers of one row, under their group."""
        if self._writer is None:
            return
        for group, values in row.items():
            if isinstance(values, Mapping):
                for name, value in values.items():
                    if isinstance(value, float):
                        self._writer.add_scalar(f"{group}/{name}", value, row["step"])
            elif isinstance(values, float):
                self._writer.add_scalar(group, values, row["step"])

    def close(self) -> None:
        """End it."""
        if self._writer is not None:
            self._writer.close()
