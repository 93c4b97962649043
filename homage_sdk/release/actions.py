"""Atomic-action files: a JSON list of ``{class, frame_start, frame_end, action_length}``.

Whole chunks of files become columns at once. A chunk that is not plainly in order is read file by
file, and a file that is not is read record by record, with each fault at its JSON pointer.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from homage_sdk.release.faults import Faults
from homage_sdk.release.label_files import LabelFile, NotPlain, plain_integers, plain_texts
from homage_sdk.release.records import RAW_TABLES
from homage_sdk.release.records_of import records

_KEYS = ("class", "frame_start", "frame_end", "action_length")
_SCHEMA = RAW_TABLES["actions"]


def plain_actions(files: list[LabelFile]) -> tuple[pa.Table, int]:
    """Rows of files that are all in order, and how many keys their documents hold.

    Raises NotPlain (or what the quick checks raise) when any of them is not.
    """
    documents = [file.document for file in files]
    if any(type(document) is not list for document in documents):
        raise NotPlain
    counts = list(map(len, documents))
    items: list[dict[str, Any]] = list(chain.from_iterable(documents))
    if not items:
        return _SCHEMA.empty_table(), 0
    classes, firsts, lasts, lengths = zip(*map(itemgetter(*_KEYS), items), strict=True)
    length = pa.array(lengths)
    if length.null_count or not (pa.types.is_integer(length.type) or length.type == pa.float64()):
        raise NotPlain
    starts = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    table = pa.table(
        [
            pa.array(np.repeat([file.number for file in files], counts), pa.int32()),
            pa.array(np.arange(len(items)) - starts, pa.int32()),
            pa.array([file.sequence for file in files]).take(
                pa.array(np.repeat(np.arange(len(files)), counts))
            ),
            plain_texts(classes),
            plain_integers(firsts),
            plain_integers(lasts),
            length.cast(pa.float64()),
        ],
        schema=_SCHEMA,
    )
    return table, sum(map(len, items))


def actions_of(file: LabelFile, document: Any, faults: Faults) -> pa.Table:
    """Rows of one file whose document may hold anything."""
    if not isinstance(document, list):
        faults.add("HOM115", found=document, expected="a list of actions [...]")
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
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
    )
