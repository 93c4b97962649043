"""Options that several commands share, and the panels of ``homage --help``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Where the videos lie now, if not where they were ingested.",
    ),
]

DOWNLOAD = "Your download"
LOOK = "Look and ask"
SHARDS = "Shards for training"
WITHOUT = "Without the dataset"
