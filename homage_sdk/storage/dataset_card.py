"""``README.md`` as a dataset card: what Hugging Face's ``datasets`` opens a folder by.

The card is for other tools; nothing here reads what it says. Its second line tells that we wrote
it, with the SHA-256 of all that follows: such a card is replaced when the folder changes. Any other
``README.md``, an edited one too, is its author's and stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from homage_sdk.problems import Code, Place, Problem, Severity
from homage_sdk.storage.commit import current, reading

CARD = "README.md"

OTHER_CARD = Code(
    "HOM915",
    "the dataset card is not that of this folder",
    why="Hugging Face's `datasets` reads shards and catalogs as their README.md says. This one was "
    "damaged or changed after it was written, or is that of another folder. Our own readers do not "
    "look at it.",
    hint="remove it and run the same `homage pack` or `homage ingest` again; to keep your own text "
    "remove the second line",
    severity=Severity.WARNING,
)

_MARK = "# Written by homage_sdk; remove this line to keep your own text. SHA-256 of the rest: "
_HEAD = re.compile(rb"---\n" + re.escape(_MARK.encode()) + rb"([0-9a-f]{64})\n")
_HEAD_BYTES = len(_MARK) + 4 + 64 + 1

Value = str | bool | int | Sequence["Value"] | Mapping[str, "Value"]
"""What the front matter of a card holds."""


class CardState(StrEnum):
    """Whose the card of a folder is; the value is how a sentence names it."""

    ABSENT = "not there"
    OURS = "as we wrote it"
    CHANGED = "changed since we wrote it"
    FOREIGN = "not ours"


def card_bytes(front: Mapping[str, Value], body: str) -> bytes:
    """A card of this front matter and Markdown text: the same bytes for the same content."""
    text = "\n".join([*_yaml(front), "---", "", body.strip(), ""]).encode()
    return f"---\n{_MARK}{hashlib.sha256(text).hexdigest()}\n".encode() + text


def read_card(folder: Path) -> tuple[CardState, bytes]:
    """Whose the card of a folder is, and its bytes where we wrote them."""
    path = current(folder, CARD)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return CardState.FOREIGN, b""
    try:
        data = reading(folder, CARD, _marked)
    except FileNotFoundError:
        return CardState.ABSENT, b""
    except OSError:
        return CardState.FOREIGN, b""
    head = _HEAD.match(data)
    if head is None:
        return CardState.FOREIGN, b""
    fits = hashlib.sha256(data[head.end() :]).hexdigest() == head[1].decode()
    return (CardState.OURS, data) if fits else (CardState.CHANGED, b"")


def stays(folder: Path) -> CardState | None:
    """Why the card of a folder may not be written over; None where it may."""
    state, _ = read_card(folder)
    return state if state in (CardState.CHANGED, CardState.FOREIGN) else None


def other_card(folder: Path, expected: bytes) -> Iterator[Problem]:
    """The problem of a card that we wrote and that is not the ``expected`` one, if it is."""
    state, data = read_card(folder)
    if state is CardState.CHANGED:
        yield OTHER_CARD.at(Place(CARD), found="a text that its SHA-256 does not fit")
    elif state is CardState.OURS and data != expected:
        yield OTHER_CARD.at(Place(CARD), found="the card of another folder, or of another version")


def _marked(path: Path) -> bytes:
    """A file's bytes; no more than its head where it does not begin as ours do."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        return head + file.read() if _HEAD.match(head) else head


def _yaml(value: Value, indent: str = "") -> list[str]:
    r"""Lines of YAML in block style; every string is quoted, so that none is read as another type.

    >>> print(*_yaml({"configs": [{"name": "no", "default": True, "files": []}]}), sep="\n")
    "configs":
    - "name": "no"
      "default": true
      "files": []
    """
    if isinstance(value, str | int) or not value:
        return [indent + json.dumps(value)]
    lines = []
    if isinstance(value, Mapping):
        for key, each in value.items():
            nested = _yaml(each, indent if isinstance(each, Sequence) else indent + "  ")
            if isinstance(each, str | int) or not each:
                lines.append(f"{indent}{json.dumps(key)}: {json.dumps(each)}")
            else:
                lines += [f"{indent}{json.dumps(key)}:", *nested]
        return lines
    for each in value:
        first, *rest = _yaml(each, indent + "  ")
        lines += [f"{indent}- {first[len(indent) + 2 :]}", *rest]
    return lines
