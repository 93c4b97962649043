"""Weeks 4 to 6 of a download: commands are killed, shards break, lists and people change."""

from __future__ import annotations

from download import FLAGS, Download, Expected, Step

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import repair
from homage_sdk.synth.release_paths import LAYOUTS

PATHS = LAYOUTS["hacgen"]


# Week 4: commands are killed, shards break.


def ingest_killed(at: Download) -> Expected:
    """A third participant; ingest killed while it stages, then run again."""
    at.labels(at.people[2])
    cost = at.videos(at.people[2])
    at.killed("ingest", str(at.disk), str(at.catalog), at="homage_sdk.catalog.write.write_file")
    return Expected(0, cost.encoded, None)


def pack_killed(at: Download) -> Expected:
    """A fourth; pack killed behind its first shard, then run again."""
    at.labels(at.people[3])
    cost = at.videos(at.people[3])
    ingest(at.disk, at.catalog)
    at.killed(
        "pack",
        str(at.catalog),
        str(at.shards),
        *FLAGS,
        at="homage_sdk.shards.packing.shard_file.write_file",
        call=2,
    )
    return Expected(cost.probed, None, shards=None, encoded_below=cost.encoded)


def flipped(at: Download) -> Expected:
    """A bit of a shard flips; repair."""
    path = next(at.shards.glob("*.tar"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    repair(at.shards, Dataset(at.catalog), deep=True, workers=1)
    return Expected(0, None, 0)


def lost(at: Download) -> Expected:
    """A shard lost; repair."""
    next(at.shards.glob("*.tar")).unlink()
    repair(at.shards, Dataset(at.catalog), workers=1)
    return Expected(0, None, 0)


# Week 5: class lists.


def reordered(at: Download) -> Expected:
    """The class list in another order: ids stay."""
    path = at.disk / PATHS.class_file("atomic")
    names = [line.split(" ", 1)[1] for line in path.read_text("utf-8").splitlines()]
    lines = [f"{k} {name}\n" for k, name in enumerate(reversed(names), 1)]
    path.write_text("".join(lines), "utf-8")
    return Expected(as_fresh=False)


def renumbered(at: Download) -> Expected:
    """Ids as the list says: --renumber."""
    ingest(at.disk, at.catalog, renumber=True)
    return Expected(shards=None)


def published(at: Download) -> Expected:
    """The list as published again, --renumber."""
    at.copy(PATHS.class_file("atomic"))
    ingest(at.disk, at.catalog, renumber=True)
    return Expected(shards=None)


def new_class(at: Download) -> Expected:
    """A class that no list has."""
    at.edit(at.people[3][0], lambda records: records[0].update({"class": "juggle oranges"}))
    return Expected(shards=None)


# Week 6: the rest.


def sensors_corrected(at: Download) -> Expected:
    """Sensors corrected."""
    path = at.disk / PATHS.sensor(at.people[0][0], "light", "room")
    path.write_text(path.read_text("utf-8").replace(",7\n", ",9\n"), "utf-8")
    return Expected(shards=1)


def withdrawn(at: Download) -> Expected:
    """A participant withdrawn."""
    for sequence in at.people[3]:
        (at.disk / PATHS.actions(sequence)).unlink()
        for view in at.views[sequence]:
            (at.disk / PATHS.video(view)).unlink()
    return Expected(shards=None, as_fresh=False)  # a class that nothing names keeps its id


def forgotten(at: Download) -> Expected:
    """Classes that nothing names are dropped: --renumber."""
    ingest(at.disk, at.catalog, renumber=True)
    return Expected(shards=None)


def the_rest(at: Download) -> Expected:
    """Two more participants."""
    sequences = at.people[4] + at.people[5]
    at.labels(sequences)
    at.graphs(sequences)
    return at.videos(sequences)


def the_end(at: Download) -> Expected:
    """At the end: nothing changed."""
    return Expected()


STEPS: tuple[Step, ...] = (
    ingest_killed,
    pack_killed,
    flipped,
    lost,
    reordered,
    renumbered,
    published,
    new_class,
    sensors_corrected,
    withdrawn,
    forgotten,
    the_rest,
    the_end,
)
