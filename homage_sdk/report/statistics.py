"""The figures of the paper's section 3, counted on a dataset.

Every number here is counted from the catalog's tables; ``statistics_table.py`` holds the published
ones. Hours are of synchronized sequences (each moment once, however many cameras saw it), which is
what the paper's 25.4 hours can be: its 5,700 videos together last over three times as long.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from homage_sdk.taxonomy import class_key

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

Named = tuple[tuple[str, int], ...]
"""Names with their counts, most frequent first."""


@dataclass(frozen=True)
class SplitStatistics:
    """One split: its sequences and atomic-action instances."""

    sequences: int
    instances: int


@dataclass(frozen=True)
class Durations:
    """How long atomic actions last. Shares are of all instances, 0 to 1; None without any."""

    up_to_2_s: float | None
    under_5_s: float | None
    mean_s: float | None
    median_s: float | None
    longest_s: float | None


@dataclass(frozen=True)
class Tail:
    """How unevenly instances are spread over the classes that occur."""

    occurring: int
    once: int
    """Classes of a single instance."""
    half: int
    """The fewest classes that hold half of all instances."""
    most_common: Named
    rarest: Named


@dataclass(frozen=True)
class Statistics:
    """Everything ``homage stats`` shows."""

    sequences: int
    videos: int
    hours: float
    """Of sequences; 0 where nothing says how long they are."""
    video_hours: float | None
    """Of all videos together; None when no video was measured."""
    participants: int
    views: dict[int, int]
    """Number of views to number of sequences."""
    with_ego: int
    with_audio: int
    with_scene_graphs: int
    sensors: tuple[str, ...]
    """Types of sensor that occur."""
    classes: dict[str, int]
    """Kind to number of classes in the taxonomy; objects without ``person``."""
    splits: dict[str, SplitStatistics]
    instances: int
    durations: Durations
    overlapping: float | None
    """Share of instances that share a frame with another of the same sequence."""
    at_once: int
    """The most instances active at one frame."""
    annotated_frames: int
    boxes: int
    relationships: int
    objects: Named = field(default=())
    """Most common object classes without ``person``, with their boxes."""
    predicates: Named = field(default=())
    """Most common relationship classes."""
    activities: Tail | None = None
    atomic: Tail | None = None

    @property
    def views_a_sequence(self) -> float | None:
        """Mean number of views of the sequences that have any."""
        filmed = sum(count for views, count in self.views.items() if views)
        total = sum(views * count for views, count in self.views.items())
        return total / filmed if filmed else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it: plain dicts, lists and numbers."""
        document = asdict(self)
        document["views"] = {str(views): count for views, count in self.views.items()}
        document["views_a_sequence"] = self.views_a_sequence
        return document


def statistics(dataset: Dataset, *, top: int = 10) -> Statistics:
    """Count everything; ``top`` names of each list of the most common."""

    def one(statement: str) -> Any:
        return dataset.sql(statement).column(0)[0].as_py()

    sequences = dataset.table("sequences")
    views = dataset.sql("SELECT n_views AS n, count(*) AS c FROM sequences GROUP BY 1 ORDER BY 1")
    splits = dataset.sql(
        "SELECT coalesce(split, 'in no list') AS name, count(*) AS sequences, "
        "sum(n_atomic_actions)::BIGINT AS instances FROM sequences GROUP BY 1 ORDER BY 1"
    )
    sensors = dataset.sql("SELECT DISTINCT sensor FROM sensors ORDER BY 1")
    return Statistics(
        sequences=sequences.num_rows,
        videos=one("SELECT count(path) FROM views"),
        hours=one("SELECT coalesce(sum(duration_s), 0) / 3600 FROM sequences"),
        video_hours=one("SELECT sum(duration_s) / 3600 FROM views"),
        participants=one("SELECT count(DISTINCT participant) FROM sequences"),
        views={row["n"]: row["c"] for row in views.to_pylist()},
        with_ego=one("SELECT count(*) FROM sequences WHERE has_ego"),
        with_audio=one("SELECT count(*) FROM sequences WHERE has_audio"),
        with_scene_graphs=one("SELECT count(*) FROM sequences WHERE n_scene_graphs > 0"),
        sensors=tuple(sensors.column("sensor").to_pylist()),
        classes={kind: _n_classes(dataset, kind) for kind in _KINDS},
        splits={
            row["name"]: SplitStatistics(row["sequences"], row["instances"])
            for row in splits.to_pylist()
        },
        instances=dataset.table("atomic_actions").num_rows,
        durations=_durations(dataset),
        overlapping=one(_OVERLAPPING),
        at_once=one(_AT_ONCE),
        annotated_frames=dataset.table("frames").num_rows,
        boxes=dataset.table("objects").num_rows,
        relationships=dataset.table("relationships").num_rows,
        objects=_common(dataset, "object", "objects", top, without=("person",)),
        predicates=_common(dataset, "relationship", "relationships", top),
        activities=_tail(dataset, "activity", "sequences", "activity_id", top),
        atomic=_tail(dataset, "atomic", "atomic_actions", "class_id", top),
    )


_KINDS = ("activity", "atomic", "object", "relationship")

# An instance overlaps another when one before it has not ended, or one begins before it ends.
_OVERLAPPING = """
WITH neighbours AS (
  SELECT first_frame, last_frame,
    max(last_frame) OVER (PARTITION BY sequence ORDER BY first_frame, last_frame, action_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach,
    lead(first_frame) OVER (PARTITION BY sequence ORDER BY first_frame, last_frame, action_id)
      AS following
  FROM atomic_actions)
SELECT avg((coalesce(reach >= first_frame, false) OR coalesce(following <= last_frame, false))::INT)
FROM neighbours
"""

# Sweep over beginnings (+1) and the frames after ends (-1); ends count before beginnings.
_AT_ONCE = """
WITH steps AS (
  SELECT sequence, first_frame AS frame, 1 AS step FROM atomic_actions
  UNION ALL SELECT sequence, last_frame + 1, -1 FROM atomic_actions),
sums AS (
  SELECT sum(step) OVER (PARTITION BY sequence ORDER BY frame, step
    ROWS UNBOUNDED PRECEDING) AS active FROM steps)
SELECT coalesce(max(active), 0)::BIGINT FROM sums
"""


def _n_classes(dataset: Dataset, kind: str) -> int:
    taxonomy = dataset.taxonomy(kind)
    people = kind == "object" and taxonomy.get_name("person") is not None
    return len(taxonomy) - people


def _durations(dataset: Dataset) -> Durations:
    from homage_sdk.time import NOMINAL_FPS

    # Frames, both ends included: an action of 60 frames lasts 2 s.
    two, five = (int(seconds * NOMINAL_FPS) for seconds in (2, 5))
    rows = dataset.sql(
        "SELECT avg((n <= $two)::INT) AS up_to_2_s, avg((n < $five)::INT) AS under_5_s, "
        "avg(n) / $fps AS mean_s, median(n) / $fps AS median_s, max(n) / $fps AS longest_s "
        "FROM (SELECT last_frame - first_frame + 1 AS n FROM atomic_actions)",
        {"two": two, "five": five, "fps": float(NOMINAL_FPS)},
    )
    return Durations(**rows.to_pylist()[0])


def _counts(dataset: Dataset, kind: str, table: str, column: str) -> list[tuple[str, int]]:
    rows = dataset.sql(
        f"SELECT c.name AS name, count(*) AS n FROM {table} t JOIN classes c "
        f"ON c.kind = $kind AND c.id = t.{column} GROUP BY c.id, c.name ORDER BY n DESC, c.id",
        {"kind": kind},
    ).to_pylist()
    return [(row["name"], row["n"]) for row in rows]


def _common(
    dataset: Dataset, kind: str, table: str, top: int, without: tuple[str, ...] = ()
) -> Named:
    counts = _counts(dataset, kind, table, "class_id")
    return tuple((name, n) for name, n in counts if class_key(name) not in without)[:top]


def _tail(dataset: Dataset, kind: str, table: str, column: str, top: int) -> Tail | None:
    counts = _counts(dataset, kind, table, column)
    if not counts:
        return None
    total, reached, half = sum(n for _, n in counts), 0, 0
    for _, n in counts:
        reached += n
        half += 1
        if 2 * reached >= total:
            break
    return Tail(
        occurring=len(counts),
        once=sum(n == 1 for _, n in counts),
        half=half,
        most_common=tuple(counts[:top]),
        rarest=tuple(counts[::-1][:top]),
    )
