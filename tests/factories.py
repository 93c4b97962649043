"""The small sequences that many tests speak of."""

from __future__ import annotations

import random

from homage_sdk.testing import GraphSpec, TakeSpec
from homage_sdk.testing.catalogs import Xyxy

PERSON: Xyxy = (100.0, 50.0, 300.0, 450.0)
CUP: Xyxy = (250.0, 200.0, 290.0, 240.0)
KETTLE: Xyxy = (320.0, 180.0, 400.0, 260.0)


def tea(view: int, frame: int, predicate: str = "holding") -> GraphSpec:
    """A person and a cup in one relationship, a kettle beside them."""
    objects = {0: ("person", PERSON), 3: ("cup", CUP), 5: ("kettle", KETTLE)}
    return GraphSpec(view, frame, objects, [(0, predicate, 3), (5, "next to", 3)])


def example_takes() -> list[TakeSpec]:
    """Six small sequences, ordinary mess included: what the documentation's examples speak of."""
    pouring = [
        ("take cup from swh", 1, 30),
        ("pour tea", 31, 90),
        ("hold_cup", 31, 150),
        ("drink from cup", 121, 150),
    ]
    return [
        TakeSpec(
            "p0001_r001_a001",
            "make tea",
            "train",
            (0, 1, 4),
            True,
            6.0,
            pouring,
            [tea(1, 31), tea(1, 60), tea(1, 90), tea(1, 150, "drinking from")],
            ("infrared", "light"),
        ),
        TakeSpec(
            "p0001_r001_a002",
            "make tea",
            "train",
            (1, 2),
            True,
            4.0,
            [("pour_tea", 1, 60), ("drink from cup", 61, 120)],
            [tea(2, 60)],
        ),
        TakeSpec(
            "p0002_r001_a001",
            "fold clothes",
            "train",
            (0, 3),
            False,
            8.0,
            [("fold towel/cloth", 31, 120), ("take cup from swh", 181, 210)],
        ),
        TakeSpec("p0002_r002_a001", "fold clothes", "val", (0, 1), True, 5.0),
        TakeSpec(
            "p0003_r001_a001",
            "make tea",
            "test",
            (),
            False,
            None,
            [("pour tea", 31, 90), ("drink from cup", 241, 300)],
        ),
        TakeSpec("p0003_r001_a009", None, None, (0, 1, 2, 5), True, 5.0, sensors=("infrared",)),
    ]


def random_takes(seed: int, n: int = 12, actions: int = 12, graphs: int = 8) -> list[TakeSpec]:
    """Sequences with dense, overlapping, repeated labels: food for brute-force comparisons."""
    rng = random.Random(seed)
    verbs = ["pour tea", "drink from cup", "hold_cup", "take cup from swh", "open fridge/door"]
    things = ["person", "cup", "kettle", "table"]
    predicates = ["holding", "next to", "above"]
    takes = []
    for index in range(n):
        intervals = []
        for _ in range(rng.randrange(actions + 1)):
            first = rng.randrange(1, 60)
            intervals.append((rng.choice(verbs), first, first + rng.randrange(0, 20)))
        scene = []
        for frame in sorted(rng.sample(range(1, 80), rng.randrange(graphs + 1))):
            objects: dict[int, tuple[str, Xyxy]] = {
                i: (rng.choice(things), (x := rng.uniform(0, 500), 10.0, x + 50, 100.0))
                for i in rng.sample(range(10), rng.randrange(2, 6))
            }
            ids = list(objects)
            pairs = [(rng.choice(ids), rng.choice(predicates), rng.choice(ids)) for _ in range(4)]
            scene.append(GraphSpec(rng.choice([1, 2]), frame, objects, pairs))
        views = tuple(sorted(rng.sample(range(6), rng.randrange(0, 5))))
        takes.append(
            TakeSpec(
                f"p{index // 3 + 1:04d}_r{index % 2:03d}_a{index:03d}",
                rng.choice(["make tea", "fold clothes", None]),
                rng.choice(["train", "val", "test", None]),
                views,
                rng.random() < 0.5 and bool(views),
                rng.choice([None, 3.0, 4.5]),
                intervals,
                scene,
                tuple(rng.sample(["infrared", "light", "gyro"], rng.randrange(3))),
            )
        )
    return takes
