"""JSON that may be damaged: parsed if it can be, and every fault with its place.

The happy path is ``orjson.loads`` and belongs to the callers; this module is what they turn to when
that fails or when a file looks odd.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from homage_sdk.problems import Code, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.text import to_text

_MAX_DIGITS = 400  # longer literals overflow every number type we have


CUT_SHORT = Code(
    "HOM110",
    "JSON cut short",
    why="The document ends in the middle: a copy or a download that did not finish.",
    hint="copy it again",
    example='[{"class": "take cup", "frame_start": 151, "fra',
)
NOT_JSON = Code(
    "HOM111",
    "not valid JSON",
    why="The document breaks JSON's grammar at the place named. Nothing of the file is used.",
    hint="correct it at that line and column, or copy it again",
    example='[{"class": take cup}]',
)
TOO_DEEP = Code(
    "HOM112",
    "JSON nested too deep",
    why="Label files nest a few levels. A document that nests hundreds of levels is not read.",
    hint="check what this file is",
    example="five thousand opening brackets",
)
NOT_FINITE = Code(
    "HOM113",
    "NaN or infinity",
    why="JSON has no such numbers; some writers emit them. The value is taken as missing.",
    hint="replace it by a number",
    example='"bbox": [NaN, 90, 655, 700]',
)
KEY_TWICE = Code(
    "HOM114",
    "key given twice",
    severity=Severity.WARNING,
    why="An object holds the same key more than once. The last value is used, as most readers do.",
    hint="keep one of the two",
    example='{"frame_start": 151, "frame_start": 181, "frame_end": 240}',
)


class NonFinite:
    """``NaN`` or ``Infinity``, which JSON has not: where a document holds one."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class _Repeated(dict[str, Any]):
    """An object in which these keys were given more than once."""

    repeated: tuple[str, ...] = ()


def parse_json(data: bytes, faults: Faults) -> tuple[Any, bool]:
    """The document in ``data`` and True, or None and False with the reason noted.

    Duplicate keys and non-finite numbers are noted at their JSON pointers; a non-finite number
    appears in the document as a ``NonFinite``.
    """
    text = to_text(data, faults)
    if text is None:
        return None, False
    if not re.search(r"[\[:,\s]-?(?:NaN|Infinity)\b", text):
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            if "infinity" not in str(error):
                _note_syntax(error, text, faults)
                return None, False
        except (UnicodeEncodeError, RecursionError) as error:
            faults.add(NOT_JSON, found=type(error).__name__)
            return None, False
    try:
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=NonFinite,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        _note_syntax(error, text, faults)
        return None, False
    except RecursionError:
        faults.add(TOO_DEEP, expected="a few levels")
        return None, False
    _note_oddities(document, faults)
    return document, True


def _integer(literal: str) -> int | float:
    return int(literal) if len(literal) <= _MAX_DIGITS else float("inf")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    marked = _Repeated(plain)
    keys = [key for key, _ in pairs]
    marked.repeated = tuple(key for key in plain if keys.count(key) > 1)
    return marked


def _note_syntax(error: json.JSONDecodeError, text: str, faults: Faults) -> None:
    place = f"line {error.lineno}, column {error.colno}"
    message = error.msg
    endless = message.startswith(("Unterminated string", "unexpected end"))
    if "depth" in message:
        faults.add(TOO_DEEP, row=error.lineno, found=place, expected="a few levels")
    elif endless or error.pos >= len(text.rstrip()) - 1:
        faults.add(CUT_SHORT, row=error.lineno, found=f"the end at {place}")
    else:
        faults.add(NOT_JSON, row=error.lineno, found=f"{message} at {place}")


def _note_oddities(document: Any, faults: Faults) -> None:
    pending: list[tuple[str, Any]] = [("", document)]
    while pending:
        pointer, value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value, _Repeated):
                for key in value.repeated:
                    faults.add(
                        KEY_TWICE, pointer=f"{pointer}/{escape(key)}", found=f"{key!r} twice"
                    )
            pending.extend(
                (f"{pointer}/{escape(key)}", item)
                for key, item in value.items()
                if isinstance(item, dict | list | NonFinite)
            )
        elif isinstance(value, list):
            pending.extend(
                (f"{pointer}/{position}", item)
                for position, item in enumerate(value)
                if isinstance(item, dict | list | NonFinite)
            )
        elif isinstance(value, NonFinite):
            faults.add(NOT_FINITE, pointer=pointer, found=value.name, expected="a finite number")


def escape(key: str) -> str:
    """A key as a JSON pointer writes it (RFC 6901)."""
    short = key if len(key) <= 80 else key[:77] + "..."
    return short.replace("~", "~0").replace("/", "~1")
