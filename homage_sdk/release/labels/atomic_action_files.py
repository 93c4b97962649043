"""Atomic-action files: a JSON list of ``{class, frame_start, frame_end, action_length}``.

Whole chunks of files become columns at once. A chunk that is not plainly in order is read file by
file, and a file that is not is read record by record, with each fault at its JSON pointer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from homage_sdk.release.faults import Faults
from homage_sdk.release.labels.json_files import (
    LabelFile,
    NotPlain,
    field_of,
    parse_together,
    plain_integers,
    plain_texts,
    unpack,
)
from homage_sdk.release.labels.json_records import WRONG_DOCUMENT, records
from homage_sdk.release.records import LARGEST, RAW_TABLES, raw_table

_SCHEMA = RAW_TABLES["actions"]
_RECORD = pa.struct(
    [
        ("class", pa.string()),
        ("frame_start", pa.int64()),
        ("frame_end", pa.int64()),
        ("action_length", pa.float64()),
    ]
)
_DOCUMENT = pa.schema([("actions", pa.list_(_RECORD))])


def plain_actions(files: list[LabelFile]) -> pa.Table:
    """Rows of files that are all in order.

    Raises NotPlain, or Arrow's errors, when any of them is not.
    """
    parsed = parse_together(files, _DOCUMENT, opening=b"[", before=b'{"actions":', after=b"}")
    records, counts = unpack(parsed.column("actions").combine_chunks())
    length = field_of(records, "action_length")
    if length.null_count or not (np.abs(np.asarray(length)) <= LARGEST).all():
        raise NotPlain
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    columns = [
        pa.array(np.repeat([file.number for file in files], counts), pa.int32()),
        pa.array(np.arange(len(records)) - starts, pa.int32()),
        pa.array([file.sequence for file in files], pa.string()).take(
            pa.array(np.repeat(np.arange(len(files)), counts))
        ),
        plain_texts(field_of(records, "class")),
        plain_integers(field_of(records, "frame_start")),
        plain_integers(field_of(records, "frame_end")),
        length,
    ]
    return pa.table(columns, schema=_SCHEMA)


def actions_of(file: LabelFile, document: Any, faults: Faults) -> pa.Table:
    """Rows of one file whose document may hold anything."""
    if not isinstance(document, list):
        faults.add(WRONG_DOCUMENT, found=document, expected="a list of actions [...]")
        return _SCHEMA.empty_table()
    rows = [
        (
            file.number,
            index,
            file.sequence,
            record.text("class"),
            record.integer("frame_start"),
            record.integer("frame_end"),
            record.number("action_length", required=False),
        )
        for index, record in records(document, "", faults)
    ]
    return raw_table("actions", rows)
