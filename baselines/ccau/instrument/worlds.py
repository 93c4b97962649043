"""Worlds of two views in which it is known whether aligning them can help.

For row i of class y and block n: ``z = mu_y + e_i + e_in / 2`` carries the class, and
``q = q_i + q_in / 2`` does not (unit normals). View m shows
``x = z P_m / sqrt(content) + scale * q Q_m / sqrt(private) + noise``, with P_m and Q_m fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from baselines.ccau.instrument.linear_nets import VIEWS
from baselines.ccau.instrument.protocol import WorldConfig
from baselines.ccau.random_streams import numpy_stream, stream

WorldName = Literal["plus", "null", "nuisance", "absence"]
WORLDS: tuple[WorldName, ...] = ("plus", "null", "nuisance", "absence")


@dataclass(frozen=True)
class Rows:
    """R rows: what each view shows, the class, and which views are there."""

    views: dict[str, Tensor]  # view: [R, N, inputs]
    activity: Tensor  # int64 [R]
    present: dict[str, Tensor]  # view: bool [R]

    def __len__(self) -> int:
        return len(self.activity)

    def with_partners(self, order: Tensor) -> Rows:
        """Row i shows, in the view third, what row ``order[i]`` (of the same class) showed."""
        views = self.views | {"third": self.views["third"][order]}
        present = self.present | {"third": self.present["third"][order]}
        return replace(self, views=views, present=present)


@dataclass(frozen=True)
class MadeWorld:
    """Rows to learn from and rows to be judged on."""

    train: Rows
    test: Rows


def make_world(name: WorldName, config: WorldConfig, seed: int) -> MadeWorld:
    """One world of one seed. What a seed draws is the same in all worlds, as far as it can be:

    * ``plus``: both views share z; each has a q of its own. Aligning pulls each view toward z.
    * ``null``: the rows of ``plus``, but third shows another row of the same class: nothing is
      shared beyond the class. Each view alone is as in ``plus``, so single training is the same.
    * ``nuisance``: the views share q, and z is drawn anew for each: what is shared is no help.
    * ``absence``: ``plus`` where a share of the rows lacks ego, and a share third.
    """
    world = MadeWorld(
        _rows(name, config, seed, "train", config.train),
        _rows(name, config, seed, "test", config.test),
    )
    if name == "null":
        order = partners(world.train.activity, seed, "null")
        return replace(world, train=world.train.with_partners(order))
    return world


def partners(activity: Tensor, seed: int, *names: str | int) -> Tensor:
    """Another row of the same class for each row (itself where the class has one row): int64 [R].

    Rows of a class stand in a circle in random order; each gets the next.
    """
    generator = numpy_stream(seed, "partners", *names)
    labels = activity.numpy()
    order = np.arange(len(labels))
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        order[rows] = np.roll(rows, 1)
    return torch.from_numpy(order)


def _rows(name: WorldName, config: WorldConfig, seed: int, part: str, n: int) -> Rows:
    def normal(*shape: int, of: str, part: str = part) -> Tensor:
        return torch.randn(*shape, generator=stream(seed, "world", part, of))

    def per_block(size: int, of: str) -> Tensor:
        shared = normal(n, 1, size, of=of)
        return shared + normal(n, config.blocks, size, of=f"{of} by block") / 2

    classes = stream(seed, "world", part, "activity")
    activity = torch.randint(config.activities, (n,), generator=classes)
    means = normal(config.activities, config.content, of="means", part="both")
    views, present = {}, {}
    for view in VIEWS:
        z_of = "z third" if name == "nuisance" and view == "third" else "z"
        q_of = "q ego" if name == "nuisance" else f"q {view}"
        z = means[activity].unsqueeze(1) + per_block(config.content, z_of)
        q = per_block(config.private, q_of)
        shown = normal(config.content, config.inputs, of=f"P {view}", part="both")
        hidden = normal(config.private, config.inputs, of=f"Q {view}", part="both")
        views[view] = (
            z @ shown / config.content**0.5
            + config.private_scale * q @ hidden / config.private**0.5
            + config.noise * normal(n, config.blocks, config.inputs, of=f"noise {view}")
        )
        lacks = torch.rand(n, generator=stream(seed, "world", part, f"absent {view}"))
        is_absence = name == "absence" and part == "train"
        present[view] = lacks >= config.absent if is_absence else torch.ones(n, dtype=torch.bool)
    return Rows(views, activity, present)
