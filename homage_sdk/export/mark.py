"""The mark of an export: which format it is of, and which files of its folder are its own."""

from __future__ import annotations

from pathlib import Path

from homage_sdk.storage.trees import inner_paths

MARK = ".homage-export"


def mark(folder: Path, to: str) -> None:
    """Mark all that lies in a new folder as an export to ``to``."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    (folder / MARK).write_text("".join(f"{line}\n" for line in (to, *files)), encoding="utf-8")


def exported(folder: Path) -> list[str]:
    """The files of an earlier export, the mark last; nothing where there is none."""
    try:
        lines = (folder / MARK).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [*inner_paths(lines[1:]), MARK]
