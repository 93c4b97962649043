"""One class, however it is spelled; one id, for ever."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk.errors import UnknownIdError
from homage_sdk.taxonomy import Taxonomy, class_key, class_slug

names = st.text(string.ascii_letters + " _/'()-", min_size=1, max_size=30)


def test_spaces_and_underscores_name_one_class() -> None:
    taxonomy = Taxonomy.build(
        "atomic", {7: "take_iron_board_from_swh"}, ["take iron_board from swh"]
    )
    assert len(taxonomy) == 1
    assert taxonomy.find("take iron board from swh").id == 7


def test_ids_of_the_class_file_never_change_whatever_the_labels_use() -> None:
    listed = {3: "a", 9: "b"}
    one = Taxonomy.build("atomic", listed)
    two = Taxonomy.build("atomic", listed, ["zz", "0 first", "b"])
    assert {k: v.name for k, v in one.items()} == listed
    assert {k: two[k].name for k in listed} == listed
    assert [two[i].name for i in (10, 11)] == ["0 first", "zz"]


@given(st.lists(names, max_size=20))
def test_without_a_class_file_ids_do_not_depend_on_the_order_of_the_labels(used: list[str]) -> None:
    forward = Taxonomy.build("object", {}, used)
    backward = Taxonomy.build("object", {}, reversed(used))
    assert list(forward.values()) == list(backward.values())
    assert list(forward) == list(range(1, len({class_key(u) for u in used}) + 1))


@given(names)
def test_slugs_are_safe_in_a_file_name(raw: str) -> None:
    assert set(class_slug(raw)) <= set(string.ascii_lowercase + string.digits + "-")
    assert class_slug(raw)


def test_names_that_only_differ_in_signs_keep_slugs_of_their_own() -> None:
    taxonomy = Taxonomy.build("object", {1: "cup!", 2: "cup?"})
    assert len({c.slug for c in taxonomy.values()}) == 2


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    taxonomy = Taxonomy.build("atomic", {1: "take_cup", 2: "fold_towel"})
    with pytest.raises(UnknownIdError, match="take_cup"):
        taxonomy.find("take cap")
    with pytest.raises(UnknownIdError, match="99"):
        taxonomy[99]


def test_a_pattern_takes_a_name_as_it_is_before_it_is_a_pattern() -> None:
    listed = {1: "wash [big] pot", 2: "wash b pot", 3: "take cup"}
    classes = Taxonomy.build("atomic", listed)
    assert [c.id for c in classes.matching("wash_[big]_pot")] == [1]
    assert [c.id for c in classes.matching("wash*")] == [1, 2]


def test_the_nearest_name_is_found_in_any_spelling() -> None:
    listed = {n: f"thing {n}" for n in range(1, 20)} | {20: "pour tea"}
    classes = Taxonomy.build("atomic", listed)
    for ask in (classes.find, classes.matching):
        with pytest.raises(UnknownIdError, match="nearest: pour tea"):
            ask("POUR TAE")
