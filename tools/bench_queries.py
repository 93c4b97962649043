"""How long questions take on the full-scale labels, each checked against brute force.

    python tools/bench_queries.py [CATALOG] [--repeat 5]

Without a catalog: makes the label files at HOMAGE's counts and ingests them (a minute, kept in
build/bench). Prints opening, one sequence with all its labels, and 25 questions; exits 1 when an
answer differs from the oracle's or a figure is over its bar. Wall time is judged; CPU time stands
beside it, for machines with other work.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from homage_sdk import Action, Dataset, Seconds, Triple  # noqa: E402
from homage_sdk.query.patterns import Pattern  # noqa: E402
from tests.pattern_oracle import Oracle, as_set  # noqa: E402

BARS = {"open_ms": 150.0, "open_mb": 150.0, "sequence_ms": 5.0, "query_p95_ms": 50.0}
HELD = Triple("person", "holding", "cup")


@dataclass(frozen=True)
class Question:
    """Something to ask, and how loops over the labels answer it."""

    ask: Callable[[Dataset], object]
    expect: Callable[[Oracle], object]


def pattern(wanted: Pattern) -> Question:
    return Question(
        lambda ds: list(ds.find(wanted)),  # type: ignore[call-overload]
        lambda oracle: oracle.find(wanted),
    )


def sql(
    statement: str, parameters: dict[str, object], expect: Callable[[Oracle], object]
) -> Question:
    def ask(ds: Dataset) -> object:
        return sorted(tuple(row.values()) for row in ds.sql(statement, parameters).to_pylist())

    return Question(ask, lambda oracle: sorted(expect(oracle)))  # type: ignore[call-overload]


QUESTIONS: dict[str, Question] = {
    "one class": pattern(Action("sit down on sofa")),
    "one verb": pattern(Action("wash*")),
    "before within 2 s": pattern(Action("take*").before("put*", within=Seconds(2))),
    "after within 10 frames": pattern(Action("sit down*").after("walk*", within=10)),
    "meets": pattern(Action("take*").related("meets", "put*")),
    "overlaps": pattern(Action("open*").related("overlaps", "close*")),
    "during": pattern(Action("*cup*").related("during", "hold*")),
    "starts": pattern(Action("take*").related("starts", "*")),
    "equals": pattern(Action("wash*").related("equals", "*")),
    "contains": pattern(Action("walk to swh").containing("*")),
    "shares frames": pattern(Action("hold*").overlapping("open*")),
    "three in a row": pattern(
        Action("take*").before(Action("open*").before("close*", Seconds(5)), Seconds(5))
    ),
    "never followed": pattern(
        Action("open*").unrelated(("before", "meets"), "close*", Seconds(30))
    ),
    "long ones": pattern(Action("*").lasting(at_least=Seconds(30))),
    "a triple": pattern(HELD),
    "any holding of a cup": pattern(Triple("*", "holding", "cup")),
    "holding during take*": pattern(HELD.during("take*")),
    "holding during take* before put*": pattern(
        HELD.during(Action("take*").before("put*", Seconds(2)))
    ),
    "take* that shows looking at": pattern(Action("take*").showing("person", "looking at", "cup")),
    "hold* that never shows holding": pattern(Action("hold*").not_showing("person", "holding")),
    "all of it": pattern(
        Action("take*").showing("person", "holding", "*").before("put*", within=Seconds(2))
    ),
    "holding and looking at one thing": pattern(
        Triple("person", "holding", "book").subject_also("sitting on", "*")
    ),
    "actions a class (SQL)": sql(
        "SELECT name, count(*) AS n FROM atomic_actions GROUP BY name HAVING n >= $n",
        {"n": 100},
        lambda o: [
            (name, n) for name, n in count(a.name for s in o.acts.values() for a in s) if n >= 100
        ],
    ),
    "triples of a phone (SQL)": sql(
        "SELECT predicate, count(*) AS n FROM triples WHERE object = $thing GROUP BY predicate",
        {"thing": "phone"},
        lambda o: count(e.predicate for s in o.edges.values() for e in s if e.object == "phone"),
    ),
    "sequences with most at once (SQL)": sql(
        "SELECT DISTINCT a.sequence FROM atomic_actions a WHERE (SELECT count(*) FROM"
        " atomic_actions b WHERE b.sequence = a.sequence AND b.first_frame <= a.first_frame"
        " AND a.first_frame <= b.last_frame) >= $n",
        {"n": 6},
        lambda o: [(s,) for s, acts in o.acts.items() if most_at_once(acts) >= 6],
    ),
}


def count(names: object) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for name in names:  # type: ignore[attr-defined]
        found[name] = found.get(name, 0) + 1
    return list(found.items())


def most_at_once(acts: list) -> int:
    return max(
        sum(b.interval.first <= a.interval.first <= b.interval.last for b in acts) for a in acts
    )


def opening(catalog: Path) -> dict[str, float]:
    """Opening in a fresh process: import, open, resident memory."""
    code = (
        "import time, sys; t0 = time.perf_counter()\n"
        "from homage_sdk import Dataset\n"
        "t1 = time.perf_counter(); ds = Dataset(sys.argv[1]); n = len(ds)\n"
        "t2 = time.perf_counter()\n"
        "peak = [l for l in open('/proc/self/status') if l.startswith('VmHWM')][0].split()[1]\n"
        "import json; print(json.dumps([1e3*(t1-t0), 1e3*(t2-t1), int(peak)/1024, n]))"
    )
    rows = []
    for _ in range(5):
        command = [sys.executable, "-c", code, str(catalog)]
        made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        rows.append(json.loads(made.stdout))
    return {
        "import_ms": median(r[0] for r in rows),
        "open_ms": median(r[1] for r in rows),
        "open_mb": max(r[2] for r in rows),
    }


def one_sequence(catalog: Path, n: int = 300) -> dict[str, float]:
    """A sequence with all its labels as typed objects, in random order."""
    ds = Dataset(catalog)
    ids = random.Random(0).sample(ds.ids, min(n, len(ds)))
    times, cpu, labels = [], [], 0
    for each in ids:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        seq = ds[each]
        _ = (seq.activity, seq.views, seq.split, seq.targets)
        labels += len(seq.atomic_actions)
        labels += sum(len(g.objects) + len(g.relationships) for g in seq.scene_graphs)
        times.append(1e3 * (time.perf_counter() - begin))
        cpu.append(1e3 * (time.process_time() - begin_cpu))
    first, *rest = times
    rest.sort()
    return {
        "first_sequence_ms": first,
        "sequence_ms": median(rest),
        "sequence_p95_ms": rest[int(0.95 * len(rest))],
        "sequence_cpu_ms": median(cpu[1:]),
        "labels_a_sequence": labels / len(ids),
    }


def catalog_of(argument: Path | None) -> Path:
    if argument is not None:
        return argument
    from homage_sdk.ingest import ingest
    from homage_sdk.testing import write_labels

    folder = ROOT / "build" / "bench"
    if not (folder / "catalog" / "catalog.json").exists():
        write_labels(folder / "labels")
        ingest(folder / "labels", folder / "catalog")
    return folder / "catalog"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    catalog = catalog_of(options.catalog)
    figures = opening(catalog) | one_sequence(catalog)
    oracle = Oracle(catalog)
    ds = Dataset(catalog)
    begin = time.perf_counter()
    ds.sql("SELECT count(*) FROM edges")
    figures["fill_ms"] = 1e3 * (time.perf_counter() - begin)
    everything, cpu, wrong = [], [], []
    for name, question in QUESTIONS.items():
        times = []
        for _ in range(options.repeat):
            begin, begin_cpu = time.perf_counter(), time.process_time()
            answer = question.ask(ds)
            times.append(1e3 * (time.perf_counter() - begin))
            cpu.append(1e3 * (time.process_time() - begin_cpu))
        begin = time.perf_counter()
        expected = question.expect(oracle)
        brute = 1e3 * (time.perf_counter() - begin)
        answer = as_set(answer) if isinstance(expected, set) else answer
        n = len(expected)  # type: ignore[arg-type]
        same = answer == expected and n > 0
        everything += times
        wrong += [] if same else [name]
        print(
            f"{name:36} {n:6} rows  {median(times):7.1f} ms  brute force {brute:8.1f} ms"
            f"  {brute / median(times):6.0f}x  {'equal' if same else 'DIFFERENT or empty'}"
        )
    everything.sort()
    cpu.sort()
    figures["query_median_ms"] = median(everything)
    figures["query_p95_ms"] = everything[int(0.95 * len(everything))]
    figures["query_p95_cpu_ms"] = cpu[int(0.95 * len(cpu))]
    over = [name for name, bar in BARS.items() if figures[name] > bar]
    for name, value in figures.items():
        bar = f"  bar {BARS[name]:g}  {'OVER' if name in over else 'kept'}" if name in BARS else ""
        print(f"{name:20} {value:8.1f}{bar}")
    print(
        f"{len(QUESTIONS)} questions, {len(wrong)} not as the oracle says{': ' * bool(wrong)}",
        *wrong,
    )
    return 1 if wrong or over else 0


if __name__ == "__main__":
    sys.exit(main())
