"""Columns in numpy against loops that anybody can read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk.soundness.columns import NULL, Words, integers, repeated

_LARGE = 2**31 - 1
_VALUES = st.one_of(st.integers(-2, 2), st.sampled_from([-_LARGE, _LARGE]))


@given(st.lists(st.tuples(_VALUES, _VALUES, _VALUES), max_size=30))
def test_repeated_rows_are_those_of_a_loop(rows: list[tuple[int, int, int]]) -> None:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    expected = [row in rows[:index] for index, row in enumerate(rows)]
    assert repeated(*columns).tolist() == expected


@given(st.lists(st.sampled_from([None, "take cup", "take_cup", "Cup", "_", ""]), max_size=12))
def test_words_are_the_texts_and_their_classes(texts: list[str | None]) -> None:
    words = Words.of(pa.chunked_array([texts[:5], texts[5:]], pa.string()))
    assert [words[row] for row in range(len(texts))] == [text or "" for text in texts]
    assert words.nameless.tolist() == [text in ("_", "") for text in texts]
    assert words.among({"take_cup"}).tolist() == [
        text in ("take cup", "take_cup") for text in texts
    ]
    same = words.key_codes[:, None] == words.key_codes[None, :]
    keys = [text and text.lower().replace(" ", "_").strip("_") for text in texts]
    assert same.tolist() == [[one == other for other in keys] for one in keys]


def test_integers_keep_what_null_is() -> None:
    column = pa.chunked_array([pa.array([3, None], pa.int32()), pa.array([-4], pa.int32())])
    assert integers(column).tolist() == [3, NULL, -4]
    assert integers(column, -1).tolist() == [3, -1, -4]
