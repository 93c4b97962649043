"""Ctrl-C at any line of a query: KeyboardInterrupt at once, and the session is as good as new."""

from __future__ import annotations

import _thread
import linecache
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from homage_sdk import Dataset
from homage_sdk.query import sql

JOINED = "SELECT count(*) AS n FROM triples"
SHORT = "SELECT count(*) AS n FROM sequences"
ENDLESS = "SELECT sum(a.range * b.range) FROM sequences, range(10000000) a, range(10000000) b"
HERE = str(Path("query", "sql.py"))


@contextmanager
def interrupted_at(n: int) -> Iterator[list[str]]:
    """Ctrl-C at the n-th line that a query runs, in whichever thread; gives the lines that ran."""
    lines: list[str] = []
    once = threading.Lock()
    main = threading.main_thread().ident
    assert main is not None

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.endswith(HERE):  # others run lines at any time: the collector, for instance
            return None
        if event == "line":
            lines.append(f"{name}:{frame.f_lineno}")
            if n and len(lines) >= n and once.acquire(blocking=False):  # two threads add lines
                signal.pthread_kill(main, signal.SIGINT)
        return trace

    def traced(work: Callable[..., None], arguments: tuple[Any, ...]) -> int:
        def begin() -> None:
            sys.settrace(trace)
            work(*arguments)

        return start(begin, ())

    start, before = _thread.start_new_thread, sys.gettrace()
    _thread.start_new_thread = traced  # type: ignore[assignment]
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)
        _thread.start_new_thread = start


def outcome(ask: Callable[[], object]) -> str:
    try:
        ask()
    except KeyboardInterrupt:
        return "stopped"
    return "answered"


@pytest.mark.slow
def test_ctrl_c_at_any_line_of_the_first_query_stops_it_and_spoils_nothing(example: Path) -> None:
    whole, stops, n = Dataset(example), 0, 0
    whole.sql("SELECT 1")  # DuckDB is imported
    while True:
        n += 1
        ds = whole[:]  # a session of its own
        with interrupted_at(n) as lines:
            said = outcome(lambda ds=ds: ds.sql(JOINED))  # type: ignore[misc]
        if len(lines) < n:
            break
        stops += said == "stopped"
        assert ds.sql(JOINED)["n"][0].as_py() == 10, lines[-1]
    assert said == "answered"
    assert n > 60 and stops > 0.9 * n, "a line or two may come after the answer"


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ctrl_c_before_a_long_query_begins_is_not_lost(example: Path) -> None:
    whole = Dataset(example)
    whole.sql("SELECT 1")
    with interrupted_at(0) as lines:
        whole[:].sql(SHORT)
    begins = [i for i, line in enumerate(lines) if "cursor.execute(self._statement" in text(line)]
    assert begins[-1] > 30
    for n in range(1, begins[-1] + 1):
        ds = whole[:]
        with interrupted_at(n) as lines:
            assert outcome(lambda ds=ds: ds.sql(ENDLESS)) == "stopped"  # type: ignore[misc]
        assert ds.sql(SHORT).num_rows == 1


def text(line: str) -> str:
    name, _, number = line.rpartition(":")
    return linecache.getline(name, int(number))


def test_a_thread_that_outlives_its_query_holds_nothing_of_it(
    small_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freed by a thread while the process ended, a result of DuckDB aborted `homage stats`."""
    dataset, made, go, over = Dataset(small_catalog), [], threading.Event(), threading.Event()

    class Ended:
        """A lock after whose release the thread stays for a while."""

        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.acquire = self.lock.acquire

        def release(self) -> None:
            self.lock.release()
            go.wait(10)
            over.set()

    plain = sql._Query.__init__

    def observed(query: Any, *arguments: Any) -> None:
        plain(query, *arguments)
        query._ended = Ended()
        query._ended.acquire()
        made.append(weakref.ref(query))

    monkeypatch.setattr(sql._Query, "__init__", observed)
    assert dataset.sql(SHORT).num_rows == 1
    assert [ref() for ref in made] == [None]
    go.set()
    assert over.wait(10)
