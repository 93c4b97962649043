"""Faults of JSON documents and of the records in them: HOM110 to HOM122."""

from __future__ import annotations

from homage_sdk.problems import Severity
from homage_sdk.release.reader_code import ReaderCode

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

JSON_CODES = (
    ReaderCode(
        "HOM110",
        _ERROR,
        "JSON cut short",
        "The document ends in the middle: a copy or a download that did not finish.",
        "copy it again",
    ),
    ReaderCode(
        "HOM111",
        _ERROR,
        "not valid JSON",
        "The document breaks JSON's grammar at the place named. Nothing of the file is used.",
        "correct it at that line and column, or copy it again",
    ),
    ReaderCode(
        "HOM112",
        _ERROR,
        "JSON nested too deep",
        "Label files nest a few levels. A document that nests hundreds of levels is not read.",
        "check what this file is",
    ),
    ReaderCode(
        "HOM113",
        _ERROR,
        "NaN or infinity",
        "JSON has no such numbers; some writers emit them. The value is taken as missing.",
        "replace it by a number",
    ),
    ReaderCode(
        "HOM114",
        _WARNING,
        "key given twice",
        "An object holds the same key more than once. The last value is used, as most readers do.",
        "keep one of the two",
    ),
    ReaderCode(
        "HOM115",
        _ERROR,
        "document of the wrong kind",
        "The file's outermost value is not what this kind of label file holds.",
        "see docs/scene_graph_maps.md if your files are shaped differently",
    ),
    ReaderCode(
        "HOM116",
        _ERROR,
        "record is not an object",
        "An entry that should be {...} is something else. It is left out.",
        "correct or remove the entry",
    ),
    ReaderCode(
        "HOM117",
        _ERROR,
        "key missing",
        "A record lacks a key that it needs. The value is taken as missing.",
        "add or rename the key; in scene graphs, map its name in a --scene-graph-map file",
    ),
    ReaderCode(
        "HOM118",
        _ERROR,
        "value of the wrong type",
        "A number is a string, a name is a number, an integer has a fraction. The value is taken "
        "as missing.",
        "write the value in the expected type",
    ),
    ReaderCode(
        "HOM119",
        _ERROR,
        "number out of range",
        "A number larger than any frame, pixel or id can be. The value is taken as missing.",
        "correct the number",
    ),
    ReaderCode(
        "HOM120",
        _ERROR,
        "box is not four numbers",
        "A box must be a list of four finite numbers. The value is taken as missing.",
        "correct the box",
    ),
    ReaderCode(
        "HOM121",
        _ERROR,
        "category id without a name",
        "The mapping file says that categories are ids, and no class list or `names` table has "
        "this id.",
        "add the class list to the release, or a `names` file to the mapping",
    ),
    ReaderCode(
        "HOM122",
        _ERROR,
        "normalised box without a frame size",
        "The mapping file says that boxes are fractions of the frame, and the document has no "
        "width and height.",
        "set `width` and `height` in the mapping file",
    ),
)
