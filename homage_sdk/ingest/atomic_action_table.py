"""Raw atomic actions to the table ``atomic_actions``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from homage_sdk.ingest.columns import NULL, Ints, Words, columns_table, integers
from homage_sdk.soundness.policy import LARGEST, Dropped
from homage_sdk.taxonomy import Taxonomy, class_key


@dataclass(frozen=True)
class Actions:
    """Sound actions in the catalog's order; ``sequence`` is a rank among all sequences."""

    sequence: Ints
    class_words: Words
    rows: Ints
    first: Ints
    last: Ints

    def table(self, names: pa.Array, taxonomy: Taxonomy) -> pa.Table:
        """The table ``atomic_actions``."""
        class_id = self.class_words.class_ids(taxonomy)[self.rows]
        return columns_table(
            "atomic_actions",
            np.arange(len(self.rows)),
            names.take(pa.array(self.sequence)),
            class_id,
            self.first,
            self.last,
        )


def sound_actions(raw: pa.Table, ranks: Mapping[str, int], dropped: Dropped) -> Actions:
    """The actions that can be used, in order of sequence, first frame, last frame, class."""
    words = Words.of(raw.column("class_raw"))
    sequence = Words.of(raw.column("sequence")).mapped(ranks)
    first, last = integers(raw.column("first_frame")), integers(raw.column("last_frame"))
    complete = (words.codes >= 0) & (first != NULL) & (last != NULL) & (sequence >= 0)
    dropped.note("actions: class, first or last frame missing", int((~complete).sum()))
    ordered = complete & (first >= 1) & (last >= first) & (last <= LARGEST)
    dropped.note("actions: frames are no interval", int((complete & ~ordered).sum()))
    rows = np.flatnonzero(ordered)
    keys = sorted({class_key(text) for text in words.spellings})
    rank_of = {key: rank for rank, key in enumerate(keys)}
    by_class = words.mapped({text: rank_of[class_key(text)] for text in words.spellings})
    columns = [column[rows] for column in (sequence, first, last, by_class)]
    order = np.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    again = np.zeros(len(rows), dtype=np.bool_)
    if len(rows):
        again[1:] = np.all([column[1:] == column[:-1] for column in columns], axis=0)
    dropped.note("actions: repeated exactly", int(again.sum()))
    keep = ~again
    return Actions(columns[0][keep], words, rows[order][keep], columns[1][keep], columns[2][keep])
