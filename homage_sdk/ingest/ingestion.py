"""From a release to a catalog: read, validate, probe the videos, apply the policy, write."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from homage_sdk import __version__
from homage_sdk.catalog.catalog_card import catalog_card
from homage_sdk.catalog.info import CatalogInfo, Options, Source
from homage_sdk.catalog.tables import Catalog
from homage_sdk.catalog.write import check_apart, check_target, write_catalog
from homage_sdk.errors import CatalogError, ReleaseError
from homage_sdk.folders import CATALOG_FILE
from homage_sdk.ingest.build import build_tables, problems_table
from homage_sdk.ingest.changed_files import changed_meanwhile
from homage_sdk.ingest.class_ids import changes, older_classes
from homage_sdk.ingest.probe import hash_videos, probe_videos, unread
from homage_sdk.problems import Problem, Severity
from homage_sdk.progress import Meter, Progress
from homage_sdk.release.files.find import find_release
from homage_sdk.release.files.inventory import UNREADABLE, Inventory, take_inventory
from homage_sdk.release.read import read_found
from homage_sdk.release.records import Release
from homage_sdk.release.scene_graphs.mapping import read_scene_graph_map
from homage_sdk.release.sensors import SensorReader
from homage_sdk.soundness import judge
from homage_sdk.storage import sha256_file
from homage_sdk.storage.commit import require_writable, settle
from homage_sdk.storage.dataset_card import CardState, read_card, stays

if TYPE_CHECKING:
    from homage_sdk.ingest.known_videos import KnownVideos

Outcome = TypeVar("Outcome")

_LABELS = ("atomic_actions", "scene_graphs")

_VERSIONS = {"homage-sdk": __version__, "numpy": np.__version__, "pyarrow": pa.__version__}
"""Of what decides a catalog's bytes; a bare checkout without an installed package has them too."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did. ``unchanged``: the catalog was up to date and nothing was written."""

    catalog: Path
    info: CatalogInfo
    problems: tuple[Problem, ...] = ()
    unchanged: bool = False
    class_changes: tuple[Problem, ...] = ()
    """How the classes differ from those of the catalog that stood here before."""
    card: CardState = CardState.OURS
    """Whose ``README.md`` is; one that is not as we wrote it was left as it is."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each table, classes of each kind."""
        return self.info.counts

    @property
    def errors(self) -> int:
        """How many problems are of severity error."""
        return self.info.severities.get("error", 0)


def ingest(
    release: Path,
    catalog: Path,
    *,
    scene_graph_map: Path | None = None,
    media: bool = True,
    hash_media: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    force: bool = False,
    strict: bool = False,
    renumber: bool = False,
    sensor_reader: SensorReader | None = None,
) -> IngestSummary:
    """Make the catalog of the release at ``release``.

    A release whose files could all be read and have not been touched since, with the same options,
    is not read again unless ``force``; a video that has not changed is never read again. Class ids
    and names stay what the catalog that stands there says, unless ``renumber``. ``progress`` hears
    (files and videos done, in all). Faults in the data are rows of the table ``problems``; with
    ``strict`` the first of severity error is raised as a ReleaseError and no catalog is written.
    Raises ReleaseError, ConfigError or StorageError when it cannot be done; what stood at
    ``catalog`` then still stands. A target that cannot be written is refused before any file of the
    release is read. Files in it that are not the catalog's stay.
    """
    release, catalog = Path(release).expanduser(), Path(catalog).expanduser()
    check_target(catalog)
    found = find_release(release)
    check_apart(found.root, catalog)
    inventory = take_inventory(found.root)
    if scene_graph_map is not None:
        scene_graph_map = Path(scene_graph_map).expanduser()
        read_scene_graph_map(scene_graph_map)  # refused now where it cannot be read
    map_digest = _digest(scene_graph_map)
    source = Source(
        root=_recordable(found.root),
        layout=found.layout.name,
        fingerprint=inventory.fingerprint,
    )
    options = Options(
        media=media,
        hash_media=hash_media,
        scene_graph_map=map_digest,
        sensor_reader=None if sensor_reader is None else _class_of(sensor_reader),
    )
    versions = dict(_VERSIONS)
    if not (force or renumber):
        current = _up_to_date(catalog, inventory, source, options, versions)
        if current is not None and not (strict and current.severities.get("error")):
            settle(catalog, CATALOG_FILE)
            return IngestSummary(catalog, current, unchanged=True, card=read_card(catalog)[0])

    # Room as for the label files: what the tables take is known only when they are made.
    require_writable(catalog, sum(e.bytes for e in inventory.files if e.kind in _LABELS))
    settle(catalog, CATALOG_FILE)
    older = older_classes(catalog)
    n_videos = sum(entry.kind == "video" for entry in inventory.files)
    meter = Meter(progress, n_videos * (media + hash_media))
    raw = read_found(
        found,
        inventory,
        scene_graph_map=scene_graph_map,
        progress=meter.part(is_extra=True),
        sensor_reader=sensor_reader,
    )
    from homage_sdk.ingest.known_videos import KnownVideos
    from homage_sdk.validation import validate, video_paths

    videos = video_paths(raw)
    known = KnownVideos(catalog, raw.root) if media or hash_media else None
    read = partial(_read_videos, raw, videos, known=known, workers=workers, meter=meter)
    probes = read(probe_videos) if media else {}
    hashes = read(hash_videos) if hash_media else {}
    now = take_inventory(found.root)
    raw.problems += changed_meanwhile(inventory, now)
    if now.fingerprint != inventory.fingerprint or _digest(scene_graph_map) != map_digest:
        source = source.model_copy(update={"fingerprint": ""})  # the next ingest reads again
    records = judge(raw)
    kept = {} if renumber or isinstance(older, CatalogError) else older
    with ThreadPoolExecutor(1) as pool:  # rules and tables both only read the records
        verdict = pool.submit(validate, raw, probes=probes if media else None, records=records)
        built = build_tables(raw, probes, hashes, records, kept)
        problems = sorted(verdict.result() + built.problems, key=lambda problem: problem.order)
    if strict:
        _refuse(problems)
    info = write_catalog(
        catalog,
        {**built.tables, "problems": problems_table(problems)},
        source=source,
        options=options,
        versions=versions,
        dropped=built.dropped,
    )
    if known is not None:
        known.tidy()
    changed = (*changes(raw, older, built.taxonomies), *built.problems)
    card, _ = read_card(catalog)
    return IngestSummary(catalog, info, tuple(problems), class_changes=changed, card=card)


def _read_videos(
    raw: Release,
    videos: list[str],
    read: Callable[..., dict[str, Outcome]],
    *,
    known: KnownVideos | None,
    workers: int | None,
    meter: Meter,
) -> dict[str, Outcome]:
    """What reading each video gave; those that could not be read are problems of the release."""
    outcomes = read(raw.root, videos, known=known, workers=workers, progress=meter.part())
    named = {p.place.file for p in raw.problems if p.code == UNREADABLE.code}
    raw.problems += [p for p in unread(outcomes) if p.place.file not in named]
    return outcomes


def _recordable(root: Path) -> str:
    """The release's folder as the catalog, which is text, records it."""
    for path in (root.resolve(), root.absolute()):
        try:
            path.as_posix().encode()
        except UnicodeEncodeError:
            continue
        return str(path)
    raise ReleaseError(
        "the folder's name is not UTF-8, so that no catalog can record it",
        found=repr(str(root.absolute())),
        expected="a path in UTF-8",
        hint="rename it, or make a link to it that has a plain name and ingest that",
    )


def _class_of(reader: SensorReader) -> str:
    return f"{type(reader).__module__}.{type(reader).__qualname__}"


def _digest(path: Path | None) -> str | None:
    return None if path is None else sha256_file(path)


def _up_to_date(
    catalog: Path,
    inventory: Inventory,
    source: Source,
    options: Options,
    versions: dict[str, str],
) -> CatalogInfo | None:
    """What the catalog says of itself, unless it may come out otherwise now."""
    try:
        opened = Catalog(catalog)
        info = opened.info
        if (info.source, info.options, info.versions) != (source, options, versions):
            return None
        if UNREADABLE.code in info.problems:
            # Of what the walk could not read the fingerprint speaks: these are files in it.
            paths = {entry.path for entry in inventory.files}
            for row in opened.table("problems").select(["code", "file"]).to_pylist():
                if row["code"] == UNREADABLE.code and row["file"] in paths:
                    return None
    except CatalogError:
        return None
    is_current = stays(catalog) or read_card(catalog)[1] == catalog_card(info.counts)
    return info if is_current else None


def _refuse(problems: list[Problem]) -> None:
    first = next((p for p in problems if p.severity is Severity.ERROR), None)
    if first is None:
        return
    raise ReleaseError(
        f"{first.code} {first.message}",
        place=first.place,
        found=first.found or None,
        expected=first.expected or None,
        hint=f"{first.hint}; without --strict it is reported and left out",
    )
