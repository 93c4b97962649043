"""Every fault that reading itself can meet; each is declared where it is met.

HOM1xx are about files, JSON and identifiers, HOM20x and HOM21x about the lines of split lists and
class lists. Rules over what was read live in ``homage_sdk.validation`` and use other codes.
"""

from __future__ import annotations

from homage_sdk.problems import declared
from homage_sdk.release import read, sensor_csv, sensors
from homage_sdk.release.files import duplicates, inventory, layouts, misplaced, text
from homage_sdk.release.labels import json_records, json_text, lists
from homage_sdk.release.scene_graphs import exact, reshape

READER_CODES = declared(
    *(inventory, text, layouts, misplaced, duplicates, read),
    *(json_text, json_records, lists, exact, reshape, sensors, sensor_csv),
)
"""Every code that reading can report, in order."""
