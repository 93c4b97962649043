"""``README.md`` of a run or checkpoint: ours where it begins with our mark, else the user's."""

from __future__ import annotations

from pathlib import Path

from homage_sdk.storage import explained, write_file

CARD = "README.md"
_MARK = "<!-- Written by ccau with every checkpoint. Without this line it is left alone. -->\n"


def has_card(folder: Path) -> bool:
    """Whether the folder holds a card that we wrote."""
    try:
        with (folder / CARD).open("rb") as file:
            return file.read(len(_MARK.encode())) == _MARK.encode()
    except OSError:
        return False


def write_card(folder: Path, text: str) -> None:
    """Write the card, unless the user's own text stands there; raises StorageError."""
    if has_card(folder) or not (folder / CARD).exists():
        write_file(folder / CARD, _MARK + text)


def drop_card(folder: Path) -> None:
    """Remove the card where it is ours; raises StorageError."""
    if has_card(folder):
        with explained(folder / CARD):
            (folder / CARD).unlink(missing_ok=True)
