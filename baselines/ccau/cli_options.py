"""Options that several commands of ``ccau`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Shards = Annotated[Path, typer.Option("--shards", help="Folder that `homage pack` wrote.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="section.key=value, over the configuration; repeatable."),
]
Size = Annotated[
    str | None, typer.Option("--size", help="tiny (CPU, minutes) or paper (GPU), under the file.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take; write nothing.")]
Gpu = Annotated[
    Path | None, typer.Option("--gpu", help="With --dry-run: check_gpu.json of the card to come.")
]
Measure = Annotated[
    bool, typer.Option("--measure", help="With --dry-run: make a few steps here for the time.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
