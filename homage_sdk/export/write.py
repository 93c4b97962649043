"""Exports to disk: each file whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from homage_sdk.errors import MediaError, UsageError, require_known
from homage_sdk.export.action_genome_classes import PERSON
from homage_sdk.export.images import action_genome_name, coco_name, exported, mark, write_pictures
from homage_sdk.progress import Progress
from homage_sdk.storage import write_file
from homage_sdk.storage.folder_swap import new_folder

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

FORMATS = ("coco", "action-genome", "csv")


class NothingToExportError(UsageError):
    """No frame of the selection can be held by the format; nothing was written."""


def export(dataset: Dataset, to: str, out: Path, *, unsure: bool = False) -> dict[str, int]:
    """Write the selection in another tool's format; what was written, and what had no place.

    ``coco`` writes one JSON file at ``out``; ``action-genome`` and ``csv`` a folder, which takes
    the place of an earlier export there; files in it that are not the export's stay. ``unsure``
    gives objects without an attention label that one (``action-genome`` alone). Raises UsageError
    for another format, where ``out`` is a folder of something else, or where the selection has no
    annotated frame that such a format could hold (NothingToExportError).
    """
    check_target(to, out)
    if unsure and to != "action-genome":
        raise UsageError("unsure is for action-genome", found=to)
    if to != "csv" and not any(sequence.scene_graphs for sequence in dataset):
        raise NothingToExportError(
            "nothing to export: no frame of the selection is annotated",
            found=f"{len(dataset)} sequences without scene graphs",
            hint="ingest a release with scene graphs, or choose another split",
        )
    if to == "coco":
        return _write_coco(dataset, out)
    with new_folder(out, exported) as folder:
        if to == "csv":
            counts = _write_csv(dataset, folder)
        else:
            counts = _write_action_genome(dataset, folder, unsure=unsure)
        mark(folder, to)
    return counts


def export_pictures(
    dataset: Dataset,
    to: str,
    out: Path,
    progress: Progress | None = None,
    refused: Callable[[MediaError], None] = lambda _: None,
) -> dict[str, int]:
    """Cut the pictures that an export names from the videos, into a folder of their own.

    ``refused`` hears the first of each reason why a picture is missing.
    """
    names = {"coco": coco_name, "action-genome": action_genome_name}
    if to not in names:
        raise UsageError(f"an export to {to} names no pictures", expected=" or ".join(names))
    check_target("pictures", out)
    return write_pictures(dataset, out, names[to], progress, refused)


def check_target(to: str, out: Path) -> None:
    """Refuse to replace anything but an earlier export."""
    require_known("format", to, (*FORMATS, "pictures"))
    if to == "coco":
        if out.is_dir():
            raise UsageError("a COCO export is one file", place=str(out), found="a folder")
    elif out.exists() and not exported(out) and (out.is_file() or any(out.iterdir())):
        raise UsageError(
            "this is no earlier export, and will not be replaced by one",
            place=str(out),
            hint="choose another path",
        )


def _write_coco(dataset: Dataset, out: Path) -> dict[str, int]:
    from homage_sdk.export.coco import coco_document

    document = coco_document(dataset)
    write_file(out, orjson.dumps(document))
    counts = {name: len(document[name]) for name in ("images", "annotations", "relationships")}
    return counts | _said("beware", document["info"]["beware"])


def _write_csv(dataset: Dataset, folder: Path) -> dict[str, int]:
    from homage_sdk.export.csv import arrow_tables, csv_text

    tables = arrow_tables(dataset)
    for name, table in tables.items():
        (folder / f"{name}.csv").write_text(csv_text(table), encoding="utf-8", newline="")
    return {name: table.num_rows for name, table in tables.items()}


def _write_action_genome(dataset: Dataset, folder: Path, *, unsure: bool) -> dict[str, int]:
    """The files under the names its readers look for: pickles, for they read nothing else."""
    import numpy as np

    from homage_sdk.export.action_genome import action_genome

    made = action_genome(dataset, unsure=unsure)
    if not made.frame_list:
        raise NothingToExportError(
            "nothing to export: Action Genome has no frame without an object",
            found=f"{made.left_out['frames without an object']} annotated frames, none with one",
            hint="choose another split, or another format",
        )
    persons = {
        name: {**entry, "bbox": np.array(entry["bbox"], np.float32).reshape(-1, 4)}
        for name, entry in made.person_bbox.items()
    }
    objects = made.object_bbox_and_relationship
    together = {
        name: [
            *(
                {"class": PERSON, "bbox": box, "bbox_size": entry["bbox_size"]}
                for box in entry["bbox"]
            ),
            *objects[name],
        ]
        for name, entry in made.person_bbox.items()
    }
    counts, left_out, beware = made.counts, dict(made.left_out), dict(made.beware)
    documents = {
        "object_bbox_and_relationship": objects,
        "person_bbox": made.person_bbox,
        "action_genome": together,
        "relationship_groups": made.relationship_groups,
        "summary": {**counts, "left_out": left_out, "beware": beware},
    }
    (folder / "person_bbox.pkl").write_bytes(pickle.dumps(persons, protocol=4))
    (folder / "object_bbox_and_relationship.pkl").write_bytes(pickle.dumps(objects, protocol=4))
    for name, document in documents.items():
        (folder / f"{name}.json").write_bytes(orjson.dumps(document))
    for name in ("object_classes", "relationship_classes", "frame_list"):
        lines = getattr(made, name)
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return counts | _said("left out", left_out) | _said("beware", beware)


def _said(title: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{title}: {what}": n for what, n in sorted(counts.items())}
