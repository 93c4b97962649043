"""Packing's line of work, whatever ends when: every sample, in order, bounded, errors surface."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.shards.format.sample_meta import PackedView
from homage_sdk.shards.packing.engines import processes
from homage_sdk.shards.packing.engines.processes import in_order
from homage_sdk.shards.packing.plan import PlannedSample
from homage_sdk.shards.packing.sample import MadeSample, MadeView

SHARD = "train-00000.tar"


class BrokenError(Exception):
    """What the broken piece of a test ends with."""


def work_of(n_views: Sequence[int]) -> list[processes.PlannedWork]:
    return [
        (PlannedSample(f"s{i:03d}", f"s{i:03d}", 1, None), SHARD, range(n))
        for i, n in enumerate(n_views)
    ]


def make_view(planned: PlannedSample, number: int) -> MadeView:
    info = PackedView(number=number, kind="third", n_frames=1, width=2, height=2)
    return MadeView(info, f"{planned.key} {number}".encode())


def make_rest(planned: PlannedSample, shard: str, views: list[MadeView]) -> MadeSample:
    packed = tuple(view.info for view in views if view.info is not None)
    assert len(packed) == len(views) and not any(view.data for view in views)
    info = SampleInfo(
        key=planned.key, sequence=planned.key, shard=shard, participant=1, n_frames=1, views=packed
    )
    return MadeSample((("meta.json", planned.key.encode()),), info, ())


def contents(sample: MadeSample) -> list[bytes]:
    return [data for _, data in sample.members]


def expected(n_views: Sequence[int]) -> list[list[bytes]]:
    return [
        [f"s{i:03d}".encode(), *(f"s{i:03d} {number}".encode() for number in range(n))]
        for i, n in enumerate(n_views)
    ]


class Chance(Executor):
    """A pool whose pieces end in an order, and at moments, that ``choices`` decide.

    They may end while one is given out, while somebody asks whether another one has ended, and
    during a wait. The pool also holds what is given out against the bounds.
    """

    def __init__(
        self, n_views: Sequence[int], workers: int, choices: Iterable[int], broken: object = None
    ) -> None:
        self._n_views, self._workers, self._broken = n_views, workers, broken
        self._choices = iter(choices)
        self._running: list[tuple[Piece, Callable[[], Any]]] = []
        self._begun: set[str] = set()
        self._failed: set[Piece] = set()
        self.n_given = 0
        self.taken = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        planned, which = args[0], args[1]  # the number of a view, or the shard of the rest
        piece = Piece(self, planned.key)
        self._running.append((piece, lambda: self._run(fn, (planned.key, which), args)))
        self._begun.add(planned.key)
        self.n_given += 1
        widest = max([1, *self._n_views])
        assert len(self._running) < 2 * self._workers + widest
        assert len(self._begun) - self.taken <= 4 * self._workers
        self.happen()
        return piece

    def _run(self, fn: Callable[..., Any], name: object, args: tuple[Any, ...]) -> Any:
        if name == self._broken:
            raise BrokenError(name)
        return fn(*args)

    def _choose(self, n: int) -> int:
        return next(self._choices, 0) % n

    def happen(self) -> None:
        """End none of the running pieces, or one, or two."""
        for _ in range(self._choose(3)):
            self._end_one()

    def _end_one(self) -> None:
        if self._running:
            piece, run = self._running.pop(self._choose(len(self._running)))
            try:
                piece.set_result(run())
            except BrokenError as error:
                self._failed.add(piece)
                piece.set_exception(error)

    def wait(self, pieces: Iterable[Piece], return_when: str) -> None:
        """In place of ``concurrent.futures.wait``, which would wait for ever or for the wrong."""
        waited = set(pieces)
        in_line = len(self._begun) - self.taken
        assert f"s{self.taken:03d}" in {piece.key for piece in waited}, "not for the first in line"
        assert self._failed <= waited, "an error is there, and it waits"
        assert (
            len(waited) >= 2 * self._workers
            or in_line == 4 * self._workers
            or len(self._begun) == len(self._n_views)
        ), "processes are idle, and there is work and room"
        while not any(piece.has_ended for piece in waited):
            self._end_one()


class Piece(Future[Any]):
    """One that lets others, or itself, end before it says whether it has ended."""

    def __init__(self, pool: Chance, key: str) -> None:
        super().__init__()
        self._pool, self.key = pool, key

    @property
    def has_ended(self) -> bool:
        return super().done()

    def done(self) -> bool:
        self._pool.happen()
        return super().done()


def taken(pool: Chance, workers: int, n_views: Sequence[int]) -> Iterator[MadeSample]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "wait", pool.wait)
        for sample in in_order(pool, workers, work_of(n_views), make_view, make_rest):
            pool.taken += 1
            yield sample


VIEWS = st.lists(st.integers(0, 5), max_size=20)
CHOICES = st.lists(st.integers(0, 11), max_size=150)


@settings(max_examples=300, deadline=None)
@given(VIEWS, st.integers(1, 4), CHOICES)
@example([0] * 20, 1, [])
@example([0] * 20, 2, [2] * 150)
@example([0, 5, 0, 1] * 5, 1, [1] * 150)
def test_every_sample_comes_in_order_within_bounds(
    n_views: list[int], workers: int, choices: list[int]
) -> None:
    pool = Chance(n_views, workers, choices)
    found = [contents(sample) for sample in taken(pool, workers, n_views)]
    assert found == expected(n_views)
    assert pool.n_given == sum(n_views) + len(n_views)  # each piece once


@settings(max_examples=300, deadline=None)
@given(VIEWS.filter(bool), st.integers(1, 4), CHOICES, st.data())
def test_the_error_of_any_piece_surfaces_and_ends_it_all(
    n_views: list[int], workers: int, choices: list[int], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(n_views) - 1))
    which = data.draw(st.sampled_from([SHARD, *range(n_views[index])]))
    pool = Chance(n_views, workers, choices, broken=(f"s{index:03d}", which))
    found = []
    made = taken(pool, workers, n_views)
    with pytest.raises(BrokenError):
        found.extend(contents(sample) for sample in made)
    assert found == expected(n_views)[: len(found)] and len(found) <= index
    given_out = pool.n_given
    assert list(made) == [] and pool.n_given == given_out


@pytest.mark.parametrize("n_views", [[0] * 400, [1] * 200, [0, 0, 3, 0, 1] * 60])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_threads_that_are_done_at_once_end_nothing_early(workers: int, n_views: list[int]) -> None:
    with ThreadPoolExecutor(workers) as pool:
        made = in_order(pool, workers, work_of(n_views), make_view, make_rest)
        assert [contents(sample) for sample in made] == expected(n_views)


def test_a_slow_view_is_waited_for_with_bounded_memory() -> None:
    """All samples for which there is room are made meanwhile, and no more."""
    begun: list[str] = []
    slow = threading.Event()

    def view(planned: PlannedSample, number: int) -> MadeView:
        begun.append(planned.key)
        if planned.key == "s007":
            slow.set()
        if planned.key == "s000":
            assert slow.wait(60), "the last one for which there is room was not begun"
        return make_view(planned, number)

    n_views = [1] * 40
    with ThreadPoolExecutor(2) as pool:
        made = in_order(pool, 2, work_of(n_views), view, make_rest)
        first = contents(next(made))
        assert len(begun) == 8  # four samples a process, the slow one among them
        assert [first, *map(contents, made)] == expected(n_views)
