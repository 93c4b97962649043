"""The faults that reading itself meets, explained like any other rule."""

from __future__ import annotations

from homage_sdk.release.codes import READER_CODES
from homage_sdk.validation.rule import Rule
from homage_sdk.validation.rules import media

_EXAMPLES = {
    "HOM100": "a link to a disk that is not mounted",
    "HOM101": "p0002_r001_a007__aa.json that begins <!DOCTYPE html>",
    "HOM102": "a .mkv of 130 bytes that begins version https://git-lfs.github.com/spec/v1",
    "HOM103": "a .json of 0 bytes",
    "HOM104": "p0002_r001_a007__aa.json of 40 MB",
    "HOM105": "a label file saved as UTF-16",
    "HOM106": "a .csv whose first bytes are EF BB BF",
    "HOM107": "a PNG picture named p0002_r001_a007__aa.json",
    "HOM108": "annotation_files/atomic_actions/notes.json",
    "HOM109": "5,700 .mkv files of 0 bytes each",
    "HOM110": '[{"class": "take cup", "frame_start": 151, "fra',
    "HOM111": '[{"class": take cup}]',
    "HOM112": "five thousand opening brackets",
    "HOM113": '"bbox": [NaN, 90, 655, 700]',
    "HOM114": '{"frame_start": 151, "frame_start": 181, "frame_end": 240}',
    "HOM115": '{"actions": [...]} where a list [...] belongs',
    "HOM116": '[{"class": "take cup", ...}, 7]',
    "HOM117": '{"class": "take cup", "frame_start": 151}, no frame_end',
    "HOM118": '"frame_start": "151"',
    "HOM119": '"frame_end": 1e300',
    "HOM120": '"bbox": [412, 90, 655]',
    "HOM121": '"category": 999 in a release whose object list ends at 86',
    "HOM122": '"bbox": [0.4, 0.1, 0.6, 0.9], and no width and height in the document or the map',
    "HOM130": "action_split_data/V1.0/p0002/kitchen.mkv, or p00002_r001_a007__aa.json",
    "HOM131": "annotation_files/atomic_actions/p0003/p0002_r001_a007__aa.json",
    "HOM132": "p0002_r001_a007__aa.json and p0002_r001_a007_aa.json",
    "HOM133": "p0002_r000_v001_a000_sg.json that says video p0002_r000_v002_a000",
    "HOM134": "p0002_r000_a000_sg.json that says nothing of a view",
    "HOM140": "annotation_files.zip, and no folder annotation_files",
    "HOM141": "p0002_r000_v000_a000.mkv.crdownload",
    "HOM150": "p0002_r000_a000__geiger_counter__head.csv",
    "HOM151": "a first line of clock,x,y,z",
    "HOM152": "a last line of noon,0.1,0.2,9.8",
    "HOM200": "p0002_r001_a007 without a comma",
    "HOM201": "p2_r1_a7,folding_clothes",
    "HOM202": "p0002_r001_a007,",
    "HOM210": "a line 12 with no name after it",
    "HOM211": "classInd.txt and data/classInd.txt with other names or ids",
    "HOM212": "folding_clothes in line 1, ironing in line 2, no numbers",
}

_TAKEN = {rule.code for rule in media.RULES}

RULES = tuple(
    Rule(
        code=entry.code,
        severity=entry.severity,
        title=entry.title,
        why=entry.explanation,
        example=_EXAMPLES.get(entry.code, ""),
        hint=entry.hint,
    )
    for entry in READER_CODES.values()
    if entry.code not in _TAKEN
)
