"""What the commands of ``ccau`` print: by the first process alone, where there are several."""

from __future__ import annotations

import os

from homage_sdk.cli.console import out
from homage_sdk.cli.print_rows import print_rows


def is_first() -> bool:
    """Whether this process speaks (torchrun starts several)."""
    return os.environ.get("RANK", "0") == "0"


def say(*lines: str) -> None:
    """Print lines, once for all processes."""
    for line in lines if is_first() else ():
        out.print(line)


def say_rows(title: str, rows: list[dict[str, str]]) -> None:
    """Print a table below its title, once for all processes."""
    say("", title)
    if is_first():
        print_rows(rows)
