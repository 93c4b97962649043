"""Shards of small videos that have 192 lines, as the public code's frames have."""

from __future__ import annotations

from pathlib import Path

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, pack
from homage_sdk.synth import write_release
from tests.conftest import once


def lined_shards(shared_folder: Path, name: str, sequences: int, options: PackOptions) -> Path:
    """Of 256 x 192 videos, 4 to 5 s long; made once for all processes of the tests. Read only."""

    def make(out: Path) -> None:
        work = out.with_name(f"{name}_work")
        shape = {"size": (256, 192), "seconds": (4.0, 5.0)}
        write_release(work / "release", sequences=sequences, seed=3, **shape)
        ingest(work / "release", work / "catalog", workers=1)
        pack(Dataset(work / "catalog"), out, options, workers=1)

    return once(shared_folder, name, make)
