"""``metrics.jsonl``: what every step and validation measured, and the same for a board."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from baselines.ccau.config.toml_settings import flat
from baselines.ccau.runs.boards import Board
from homage_sdk.errors import CheckpointError
from homage_sdk.storage import explained, write_file


class MetricsLog:
    """One JSON object a line, flushed as it is written.

    A log grows, so it is the one file that is not replaced whole; a torn last line is dropped when
    the run goes on. A checkpoint counts its rows: ``sync`` comes before it.

    Args:
        run: the run folder; None writes nothing (further ranks).
        keep_rows: how many rows a run that goes on has behind it; later ones are dropped.
        board: is shown the numbers of each row too.

    Attributes:
        rows: how many rows it holds.

    """

    def __init__(self, run: Path | None, *, keep_rows: int, board: Board | None = None) -> None:
        self._path = None if run is None else run / "metrics.jsonl"
        self._board = board
        self.rows = keep_rows
        if run is None or self._path is None:
            return
        kept = list(islice(read_metrics(self._path), keep_rows)) if self._path.exists() else []
        self.rows = len(kept)  # fewer where some were lost: what comes next is counted from there
        write_file(self._path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; a board shows floats under ``losses/total``, ``validation/score``."""
        self.rows += 1
        if self._path is None:
            return
        with explained(self._path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        if self._board is not None:
            group = "validation/" if row["kind"] == "validation" else ""
            numbers = {k: v for k, v in flat(row).items() if isinstance(v, float)}
            scalars = {group + name.replace(".", "/"): value for name, value in numbers.items()}
            self._board.show(scalars, row["step"])

    def sync(self) -> None:
        """Bring every row to the disk."""
        if self._path is not None:
            with explained(self._path):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """End the log."""
        if self._path is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


def step_note(row: Mapping[str, Any]) -> str:
    """What a progress display says of a step's row; nothing of another row.

    >>> row = {"kind": "step", "losses": {"total": 5.25}, "clips_per_s": 191.2}
    >>> step_note({**row, "data_wait_share": 0.04})
    'loss 5.250, 191.2 clips/s, waiting 4 %'
    """
    if row["kind"] != "step":
        return ""
    rate, waiting = row["clips_per_s"], 100 * row["data_wait_share"]
    return f"loss {row['losses']['total']:.3f}, {rate:.1f} clips/s, waiting {waiting:.0f} %"


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a log; stops at a line that a kill has torn."""
    if not path.is_file():
        raise CheckpointError("this run has no metrics", place=path, hint="run `ccau train` first")
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            return
        yield row
