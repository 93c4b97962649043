"""Exports to disk: each file whole or not at all."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from homage_sdk.errors import UsageError, require_known
from homage_sdk.export.images import action_genome_name, coco_name, exported, mark, write_pictures
from homage_sdk.progress import Progress
from homage_sdk.storage import write_file
from homage_sdk.storage.folder_swap import new_folder

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

FORMATS = ("coco", "action-genome", "csv")


def export(dataset: Dataset, to: str, out: Path) -> dict[str, int]:
    """Write the selection in another tool's format; what was written, and what had no place.

    ``coco`` writes one JSON file at ``out``; ``action-genome`` and ``csv`` a folder, which takes
    the place of an earlier export there; files in it that are not the export's stay. Raises
    UsageError for another format, where ``out`` is a folder of something else, or where the
    selection has no annotated frame that such a format could hold.
    """
    check_target(to, out)
    if to != "csv" and not any(sequence.scene_graphs for sequence in dataset):
        raise UsageError(
            "nothing to export: no frame of the selection is annotated",
            found=f"{len(dataset)} sequences without scene graphs",
            hint="ingest a release with scene graphs, or choose another split",
        )
    if to == "coco":
        return _write_coco(dataset, out)
    with new_folder(out, exported) as folder:
        write = _write_csv if to == "csv" else _write_action_genome
        counts = write(dataset, folder)
        mark(folder, to)
    return counts


def export_pictures(
    dataset: Dataset, to: str, out: Path, progress: Progress | None = None
) -> dict[str, int]:
    """Cut the pictures that an export names from the videos, into a folder of their own."""
    names = {"coco": coco_name, "action-genome": action_genome_name}
    if to not in names:
        raise UsageError(f"an export to {to} names no pictures", expected=" or ".join(names))
    check_target("pictures", out)
    return write_pictures(dataset, out, names[to], progress)


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
    return {name: len(document[name]) for name in ("images", "annotations", "relationships")}


def _write_csv(dataset: Dataset, folder: Path) -> dict[str, int]:
    from homage_sdk.export.csv import csv_tables

    tables = csv_tables(dataset)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return {name: len(text.splitlines()) - 1 for name, text in tables.items()}


def _write_action_genome(dataset: Dataset, folder: Path) -> dict[str, int]:
    """The files under the names its readers look for: pickles, for they read nothing else."""
    import numpy as np

    from homage_sdk.export.action_genome import action_genome

    made = action_genome(dataset)
    persons = {
        name: {**entry, "bbox": np.array(entry["bbox"], np.float32).reshape(-1, 4)}
        for name, entry in made.person_bbox.items()
    }
    objects = made.object_bbox_and_relationship
    (folder / "person_bbox.pkl").write_bytes(pickle.dumps(persons, protocol=4))
    (folder / "object_bbox_and_relationship.pkl").write_bytes(pickle.dumps(objects, protocol=4))
    (folder / "object_bbox_and_relationship.json").write_bytes(orjson.dumps(objects))
    (folder / "person_bbox.json").write_bytes(orjson.dumps(made.person_bbox))
    for name in ("object_classes", "relationship_classes", "frame_list"):
        lines = getattr(made, name)
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    counts = {"frames": len(made.frame_list), "objects": sum(map(len, objects.values()))}
    return counts | {f"left out: {what}": n for what, n in sorted(made.left_out.items())}
