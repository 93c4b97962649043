"""Identifiers are read strictly and written back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk import HomageError, SequenceId, ViewId

numbers = st.integers(0, 10**6)


@given(numbers, numbers, numbers, numbers)
def test_every_id_survives_being_written_and_read(p: int, r: int, v: int, a: int) -> None:
    view = ViewId(p, r, v, a)
    assert ViewId.parse(str(view)) == view
    assert SequenceId.parse(str(view.sequence)) == view.sequence
    assert view.sequence.view(v) == view


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p2_r1_a7",
        "p0002_r001_v000_a007",
        "P0002_r001_a007",
        "p0002_r001_a007 ",
        "p0002_r001_a007\n",
        "p00002_r001_a007",
        "p000２_r001_a007",
        "../p0002_r001_a007",
        "p" + "9" * 400 + "_r001_a007",
    ],
)
def test_what_is_no_sequence_id_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(HomageError) as caught:
        SequenceId.parse(text)
    assert caught.value.found is not None
    assert len(str(caught.value)) < 300


def test_ids_sort_by_number_not_by_text() -> None:
    ids = [SequenceId(2, 0, 1000), SequenceId(2, 0, 999), SequenceId(1, 9, 1)]
    assert sorted(ids) == [SequenceId(1, 9, 1), SequenceId(2, 0, 999), SequenceId(2, 0, 1000)]


def test_view_zero_is_the_ego_view_and_no_other() -> None:
    assert [SequenceId(1, 1, 1).view(v).kind for v in (0, 1, 7)] == ["ego", "third", "third"]
