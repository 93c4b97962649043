"""Verb and objects are parsed out of class names where that is honest, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk.taxonomy import Taxonomy, parse_action

CLEAR = {
    # The names that FORMAT.md quotes.
    "take iron_board from swh": ("take", ("iron_board",)),
    "take_iron_board_from_swh": ("take", ("iron_board",)),
    "take_iron_from_swh": ("take", ("iron",)),
    "take sth/pour out from kettle": (None, None),
    "paper_towel/paper_napkin/toilet_paper": (None, None),
    # Alternatives among things are clear, among verbs the verb is not.
    "take paper_towel/paper_napkin/toilet_paper from swh": (
        "take",
        ("paper_towel", "paper_napkin", "toilet_paper"),
    ),
    "take_paper_towel/paper_napkin_from_swh": (None, None),
    "fold/unfold blanket": (None, ("blanket",)),
    "take cup/open door": (None, None),
    # Particles belong to the verb.
    "turn on light": ("turn on", ("light",)),
    "lie down on bed": ("lie down", ("bed",)),
    "stand up": ("stand up", ()),
    "sit on chair": ("sit", ("chair",)),
    "look at pan": ("look", ("pan",)),
    "put cup into sink": ("put", ("cup", "sink")),
    "hold sth": ("hold", None),
    "put sth on table": ("put", None),
    "walk": ("walk", ()),
    "": (None, None),
}


@pytest.mark.parametrize("raw", CLEAR)
def test_verb_and_objects_of_real_names(raw: str) -> None:
    assert parse_action(raw) == CLEAR[raw]


@pytest.mark.parametrize("raw", [name for name in CLEAR if "/" not in name])
def test_spelling_with_underscores_changes_nothing(raw: str) -> None:
    assert parse_action(raw.replace(" ", "_")) == parse_action(raw)


def test_only_atomic_actions_have_a_verb() -> None:
    for kind, verb in (("atomic", "hold"), ("object", None), ("activity", None)):
        name = Taxonomy.build(kind, {}, ["hold cup"]).find("hold cup")
        assert name.verb == verb
        assert name.objects == (("cup",) if verb else None)


@given(st.text(alphabet="ab /_-thsnofrm", max_size=40))
def test_any_name_parses_to_something_or_none(raw: str) -> None:
    verb, objects = parse_action(raw)
    assert verb is None or verb.strip() == verb
    assert objects is None or "sth" not in objects
