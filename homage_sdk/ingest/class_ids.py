"""Class ids and names stay what an older catalog in the same place said; what differs is named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from homage_sdk.catalog.info import read_info, read_version
from homage_sdk.catalog.migrate import upgraded
from homage_sdk.catalog.parquet_table import ParquetTable
from homage_sdk.catalog.schema import SCHEMA_VERSION
from homage_sdk.errors import CatalogError
from homage_sdk.folders import CATALOG_FILE
from homage_sdk.problems import Code, Place, Problem, Severity
from homage_sdk.release.files.layouts import LAYOUTS
from homage_sdk.release.records import Release
from homage_sdk.storage.commit import current
from homage_sdk.taxonomy import KINDS, ClassName, Taxonomy, class_key

Classes = Mapping[str, Collection[ClassName]]
"""By kind."""

_RENUMBER = "to number the classes anew: `homage ingest --renumber`, then pack and train again"

LISTED_OTHERWISE = Code(
    "HOM250",
    "class list differs from the catalog",
    severity=Severity.WARNING,
    why="The list gives a class another id or spelling than the catalog that was made here before. "
    "The catalog's stay, so that shards, runs and queries made with them stay right.",
    hint=_RENUMBER,
    example="`12 take_cup` in a list that came later, and 17 'take cup' in the catalog",
)
UNNAMED = Code(
    "HOM251",
    "class that nothing names any more",
    severity=Severity.INFO,
    why="The catalog that was made here before has this class, and neither a list nor a label of "
    "its kind names it now. It keeps its id, so that the others keep theirs.",
    hint=_RENUMBER,
    example="'take cpu', which was a misspelling and has been corrected",
)
CHANGED = Code(
    "HOM252",
    "class changed since the older catalog",
    severity=Severity.INFO,
    why="A class is new, or was numbered anew as asked for. Ingest says so once; shards and runs "
    "of the older classes go on refusing to be mixed with others.",
    hint="pack again, and train again on the new shards",
    example="449 'wash cup', which the older catalog did not have",
)


def older_classes(catalog: Path) -> dict[str, list[ClassName]] | CatalogError:
    """The classes of the catalog that stands here; empty where none does, or why it cannot say."""
    if not current(catalog, CATALOG_FILE).exists():
        return {}
    try:
        if read_version(catalog)[0] < SCHEMA_VERSION:
            table = upgraded(catalog, only=("classes",)).tables["classes"]
        else:
            table = ParquetTable(
                catalog, "classes", read_info(catalog).files.get("classes")
            ).whole()
    except CatalogError as error:
        return error
    rows = [ClassName(**row) for row in table.to_pylist()]
    return {kind: [row for row in rows if row.kind == kind] for kind in KINDS}


def disagreements(
    release: Release,
    kept: Classes,
    taxonomies: Mapping[str, Taxonomy],
    used: Mapping[str, Collection[str]],
) -> list[Problem]:
    """Where the class lists say otherwise than the classes that were kept, or nothing names one."""
    if not kept:
        return []
    places = _lines(release)
    found = []
    for (kind, class_id, raw), place in places.items():
        mine = taxonomies[kind].find(raw)
        same_id = taxonomies[kind].get(class_id)
        if (mine.id, mine.name) != (class_id, raw) and (same_id is None or same_id.name != raw):
            said = {"found": f"{class_id} {raw}", "expected": f"{mine.id} {mine.name}"}
            found.append(LISTED_OTHERWISE.at(place, **said))
    named = {(kind, class_key(raw)) for kind, _, raw in places}
    named |= {(kind, class_key(raw)) for kind, names in used.items() for raw in names}
    return found + [
        UNNAMED.at(_folder(release, each.kind), found=_shown(each), expected="a label or a line")
        for classes in kept.values()
        for each in classes
        if (each.kind, each.key) not in named
    ]


def changes(
    release: Release,
    before: Classes | CatalogError,
    after: Mapping[str, Taxonomy],
) -> list[Problem]:
    """What became of the classes of an older catalog: new, gone, another id or name."""
    if isinstance(before, CatalogError):
        place, said = before.place or Place(CATALOG_FILE), {"found": before.message}
        return [
            CHANGED.at(place, "classes are numbered anew: the older ones cannot be read", **said)
        ]
    if not before:
        return []
    places = {(kind, class_key(raw)): place for (kind, _, raw), place in _lines(release).items()}
    found = []
    for kind in KINDS:
        ids: dict[str, list[int]] = {}
        for each in before[kind]:
            ids.setdefault(each.key, []).append(each.id)
        same = {(each.id, each.name) for each in before[kind]}
        for each in after[kind].values():
            if (each.id, each.name) not in same:
                place = places.get((kind, each.key), _folder(release, kind))
                earlier = ", ".join(map(str, ids.get(each.key, ()))) or "not there"
                found.append(CHANGED.at(place, found=_shown(each), expected=earlier))
        keys = {each.key for each in after[kind].values()}
        for each in before[kind]:
            if each.key not in keys:
                said = {"found": "gone", "expected": _shown(each)}
                found.append(CHANGED.at(_folder(release, kind), **said))
    return found


def _lines(release: Release) -> dict[tuple[str, int, str], Place]:
    """Kind, id and name of each line of the class lists that counts, and where it is."""
    paths = release["files"]["path"].to_pylist()
    lines: dict[tuple[str, int], tuple[str, Place]] = {}
    for row in release["class_entries"].to_pylist():
        if class_key(row["raw"]):
            place = Place(paths[row["file"]], row=row["row"])
            lines.setdefault((row["kind"], row["id"]), (row["raw"], place))
    return {(kind, i, raw): place for (kind, i), (raw, place) in lines.items()}


def _folder(release: Release, kind: str) -> Place:
    """Where classes of a kind come from."""
    layout = next(layout for layout in LAYOUTS if layout.name == release.layout)
    folders = {"activity": layout.lists, "atomic": layout.atomic_actions}
    return Place(folders.get(kind, layout.scene_graphs))


def _shown(each: ClassName) -> str:
    return f"{each.kind} class {each.id} {each.name!r}"
