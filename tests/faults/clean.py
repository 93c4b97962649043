"""A small release with nothing wrong, made once a run for each layout."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import once

WIDTH, HEIGHT = 96, 72


def make_clean(folder: Path, layout: str) -> Path:
    """Six sequences; read only. ``folder`` is the run's ``shared_folder``."""
    from homage_sdk.synth import write_release

    def make(out: Path) -> object:
        return write_release(
            out,
            layout=layout,
            sequences=6,
            activities=3,
            seed=1,
            size=(WIDTH, HEIGHT),
            seconds=(4.0, 6.0),
            clean=True,
            workers=1,
        )

    return once(folder, f"clean-{layout}", make)
