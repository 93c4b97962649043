"""JSON of shards, read by its models alone: what does not fit is one ``ShardError`` of one line."""

from __future__ import annotations

import reprlib
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from homage_sdk.errors import ShardError
from homage_sdk.problems import Place
from homage_sdk.shards.format.tar import MEND

MAX_JSON_BYTES = 16_000_000
"""No JSON member of a sample is larger: 4,000 annotated frames. A parser takes 24 times as much."""


class StrictModel(BaseModel):
    """A part of such a document: no other keys, no other types, no infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_bytes(self) -> bytes:
        """As written: the same bytes for the same content."""
        return dump_json(self.model_dump(mode="json"))


M = TypeVar("M", bound=StrictModel)


def parse_json(
    model: type[M], data: bytes, place: str, *, what: str, max_bytes: int = MAX_JSON_BYTES
) -> M:
    """The document in ``data``; ShardError where ``what`` it is, such as ``ann.json``, is not."""
    if len(data) > max_bytes:
        found, expected = f"{len(data):,} bytes", f"at most {max_bytes:,} bytes"
        raise ShardError(f"{what} too large", place=place, found=found, expected=expected)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        whole = first["type"] in ("json_invalid", "value_error")  # then the reason says it all
        reason = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        raise ShardError(
            f"malformed {what}",
            place=Place(place, pointer="".join(f"/{part}" for part in first["loc"])),
            found=reason if whole else reprlib.repr(first["input"])[:80],
            expected=None if whole else reason,
            hint=MEND,
        ) from error


def dump_json(value: object) -> bytes:
    """JSON with sorted keys and a final newline: the same bytes for the same value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
