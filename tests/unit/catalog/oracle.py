"""The catalog's policy once more, record by record in plain Python: the oracle of its tables."""

from __future__ import annotations

import math
from typing import Any

from homage_sdk.release import Release
from homage_sdk.taxonomy import class_key

INT32 = 2**31 - 1


def is_int(value: Any, low: int) -> bool:
    return isinstance(value, int) and low <= value <= INT32


def actions(release: Release) -> list[tuple[str, int, int, str]]:
    """(sequence, first, last, class key), as a set in order."""
    kept = {
        (r["sequence"], r["first_frame"], r["last_frame"], class_key(r["class_raw"]))
        for r in release["actions"].to_pylist()
        if r["sequence"]
        and class_key(r["class_raw"] or "")
        and is_int(r["first_frame"], 1)
        and is_int(r["last_frame"], r["first_frame"])
    }
    return sorted(kept)


def graphs(release: Release) -> list[dict[str, Any]]:
    """Every scene graph that is kept, with what it keeps, in order."""
    found = []
    raw_objects: dict[int, list[dict[str, Any]]] = {}
    for row in release["objects"].to_pylist():
        raw_objects.setdefault(row["graph"], []).append(row)
    raw_links: dict[int, list[dict[str, Any]]] = {}
    for row in release["relationships"].to_pylist():
        raw_links.setdefault(row["graph"], []).append(row)
    for number, frame in enumerate(release["frames"].to_pylist()):
        if not frame["sequence"] or not is_int(frame["frame"], 1):
            continue
        if frame["view"] is None or not 0 <= frame["view"] < 2**15:
            continue
        objects: dict[int, tuple[str, tuple[float, ...]]] = {}
        for row in raw_objects.get(number, []):
            box = tuple(row[k] for k in ("x1", "y1", "x2", "y2"))
            if row["object_id"] is None or abs(row["object_id"]) > INT32:
                continue
            if not class_key(row["category_raw"] or ""):
                continue
            if any(c is None or math.isnan(c) for c in box) or not (
                box[0] < box[2] and box[1] < box[3]
            ):
                continue
            objects.setdefault(row["object_id"], (class_key(row["category_raw"]), box))
        links = []
        for row in raw_links.get(number, []):
            link = (row["subject_id"], class_key(row["category_raw"] or ""), row["object_id"])
            if link[1] and link[0] in objects and link[2] in objects and link not in links:
                links.append(link)
        place = (frame["sequence"], frame["view"], frame["frame"])
        found.append({"place": place, "objects": objects, "links": links})
    return sorted(found, key=lambda item: item["place"])
