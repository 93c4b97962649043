"""An error names the place, what was found, what was expected and what to do, in one line."""

import pickle

import pytest

from homage_sdk import errors
from homage_sdk.errors import HomageError, LabelError
from homage_sdk.problems import Place

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, HomageError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_keeps_all_its_fields_across_processes(kind: type[HomageError]) -> None:
    error = kind("wrong", place=Place("a.json", "/1/x", 3), found="1", expected="2", hint="do this")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert (copy.code, copy.place, copy.hint) == (error.code, error.place, "do this")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_says_everything_in_one_line(kind: type[HomageError]) -> None:
    text = str(kind("wrong", place=Place("a.json", "/1"), found="1", expected="2", hint="do this"))
    assert text == "a.json#/1: wrong; found 1; expected 2 (do this)"


def test_codes_are_one_to_a_class() -> None:
    codes = [c.kind.code for c in CLASSES]
    assert len(set(codes)) == len(codes)


def test_a_label_error_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="wrong"):
        raise LabelError("wrong")
