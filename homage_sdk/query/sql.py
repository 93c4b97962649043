"""SQL over the tables of a selection: DuckDB in process, read-only, shut off from the outside.

A query sees tables and nothing else: no file, no network, no extension, no Python variable, no
setting. Each runs in a read-only transaction, so that a data-changing clause hidden in a SELECT is
refused by the engine itself, not by a look at the text.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import re
import threading
from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceABC
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import QueryError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Parameters = Mapping[str, Any] | SequenceABC[Any]
"""Values for ``$name`` or ``?`` in a statement; they are bound, never pasted."""

_NAMED = {
    "sequences": ("activity", "activity_id", "c.name AS activity"),
    "atomic_actions": ("atomic", "class_id", "c.name, c.slug"),
    "objects": ("object", "class_id", "c.name"),
    "relationships": ("relationship", "class_id", "c.name"),
}
"""Tables that show names beside ids: the kind of class, the id, and what is added."""

DERIVED: dict[str, tuple[tuple[str, ...], str]] = {
    **{
        table: (
            (f"stored.{table}", "classes"),
            f"""
            VIEW {table} AS SELECT t.*, {names}
            FROM stored.{table} t LEFT JOIN classes c ON c.kind = '{kind}' AND c.id = t.{column}
            """,
        )
        for table, (kind, column, names) in _NAMED.items()
    },
    "edges": (
        ("frames", "stored.objects", "stored.relationships"),
        """
        TABLE edges AS
        SELECT f.sequence, f.view, f.frame, f.scene_graph_id,
               r.subject_id, s.class_id AS subject_class, r.class_id AS predicate_class,
               r.object_id, o.class_id AS object_class
        FROM stored.relationships r
        JOIN frames f ON f.scene_graph_id = r.scene_graph_id
        LEFT JOIN stored.objects s
          ON s.scene_graph_id = r.scene_graph_id AND s.object_id = r.subject_id
        LEFT JOIN stored.objects o
          ON o.scene_graph_id = r.scene_graph_id AND o.object_id = r.object_id
        """,
    ),
    "triples": (
        ("edges", "classes"),
        """
        VIEW triples AS
        SELECT e.*, s.name AS subject, p.name AS predicate, o.name AS object
        FROM edges e
        LEFT JOIN classes s ON s.kind = 'object' AND s.id = e.subject_class
        LEFT JOIN classes p ON p.kind = 'relationship' AND p.id = e.predicate_class
        LEFT JOIN classes o ON o.kind = 'object' AND o.id = e.object_class
        """,
    ),
}
"""What is made of the catalog's tables: names beside ids, and two more tables.

``edges``: relationships with their frame and the classes of subject and object. ``triples``: the
same with names. The schema ``stored`` has the tables without names; SHOW TABLES does not list it.
"""

SQL_TABLES = (*TABLES, "edges", "triples")
"""What a statement may read."""

_SETTINGS = (
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET memory_limit = '4GB'",
    "SET lock_configuration = true",
)
_LOOKS_AT_ALL = re.compile(
    r"\b(show|information_schema|query_table|sqlite_\w+|pg_\w+|duckdb_\w+)\b", re.IGNORECASE
)


class SqlSession:
    """One in-memory database, filled with a table when a statement first names it.

    DuckDB has no threads of its own here: a catalog is small, and a hundred selections must not
    mean a hundred pools of threads. A forked process begins with a database of its own.

    Args:
        load: gives a catalog table, restricted to the selection.

    """

    def __init__(self, load: Callable[[str], pa.Table]) -> None:
        self._load = load
        self._forget()
        _SESSIONS.add(self)

    def _forget(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._loaded: set[str] = set()
        self._lock = threading.RLock()

    def _open(self) -> duckdb.DuckDBPyConnection:
        """The connection; call with the lock held."""
        import duckdb

        if self._connection is None:
            opened = duckdb.connect(":memory:", config={"temp_directory": "", "threads": 1})
            for setting in _SETTINGS:
                opened.execute(setting)
            opened.execute("CREATE SCHEMA stored")
            self._connection = opened
        return self._connection

    def _prepare(self, query: _Query, *names: str) -> None:
        """Fill these tables, where they are not filled yet; call with the lock held."""
        connection = self._open()
        for name in names:
            if name in self._loaded:
                continue
            query.go_on()
            if name in DERIVED:
                sources, definition = DERIVED[name]
                self._prepare(query, *sources)
                connection.execute(f"CREATE {definition}")
            else:
                connection.register("incoming", self._load(name.removeprefix("stored.")))
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
                connection.unregister("incoming")
            self._loaded.add(name)

    def run(self, statement: str, parameters: Parameters | None = None) -> pa.Table:
        """The rows of one SELECT (or EXPLAIN) as an Arrow table; raises QueryError.

        Ctrl-C stops it at once. All work is then done in another thread, which no signal reaches:
        DuckDB looks for one between tasks only, and a table half made would be in the way for ever.
        """
        query = _Query(self, statement, parameters)
        if threading.current_thread() is not threading.main_thread():
            return query.work()
        try:
            _thread.start_new_thread(_work_aside, ([query],))
            return query.wait()
        except KeyboardInterrupt:
            query.stop()
            raise

    def _check(self, cursor: duckdb.DuckDBPyConnection, statement: str) -> None:
        """One statement, and of a kind that gives rows; raises QueryError."""
        import duckdb

        parsed = cursor.extract_statements(statement)
        if len(parsed) != 1:
            raise QueryError("not one statement", found=str(len(parsed)), expected="1")
        kind = parsed[0].type
        if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise QueryError(
                "queries only read", found=kind.name, expected="SELECT (or WITH, FROM, EXPLAIN)"
            )

    def _named(self, statement: str) -> list[str]:
        """The tables a statement may read: those whose name is a word of its text."""
        if _LOOKS_AT_ALL.search(statement):
            return [name for name in SQL_TABLES if name != "pts"]
        words = set(re.findall(r"(?:\bstored\.)?\w+", statement.lower()))
        return [name for name in (*SQL_TABLES, *map("stored.{}".format, _NAMED)) if name in words]


_SESSIONS: WeakSet[SqlSession] = WeakSet()


def _abandon_all() -> None:
    """In a forked child: leave the parent's databases alone, and begin anew when asked.

    Closing one there crashes, for the threads it wants to stop are the parent's; so each is kept
    alive for ever by a reference that is never given back.
    """
    for session in list(_SESSIONS):
        if session._connection is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session._connection))
        session._forget()


os.register_at_fork(after_in_child=_abandon_all)


class _Query:
    """One statement on its way through a session."""

    def __init__(self, session: SqlSession, statement: str, parameters: Parameters | None) -> None:
        self._session, self._statement, self._parameters = session, statement, parameters
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._stopped = False
        self._begun, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()
        self._outcome: pa.Table | BaseException | None = None

    def work(self) -> pa.Table:
        """Its rows."""
        import duckdb

        session = self._session
        try:
            with session._lock:
                self._cursor = cursor = session._open().cursor()
                session._check(cursor, self._statement)
                session._prepare(self, *session._named(self._statement))
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            values = None if self._parameters is None else _values(self._parameters)
            self.go_on()
            return _arrow(cursor.execute(self._statement, values))
        except duckdb.Error as error:
            raise _explained(error) from error
        finally:
            self._cursor = None  # not closed: it may be told to stop just now

    def wait(self) -> pa.Table:
        """Its rows or its error, once they are there.

        Bare locks alone are whole at every signal: those of ``threading`` and ``concurrent`` are
        Python, and one that was interrupted may be held for ever. A signal that comes just before
        this thread begins to sleep does not wake it, so that it sleeps for a while only.
        """
        while not self._ended.acquire(timeout=0.1):
            pass
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def go_on(self) -> None:
        """Raise QueryError where the query was stopped."""
        if self._stopped:
            raise QueryError("stopped")

    def stop(self) -> None:
        """End it, wherever it is, and wait for that: DuckDB forgets what it is told too early."""
        self._stopped = True
        if self._begun.acquire(blocking=False):
            return
        while self._outcome is None:
            if (cursor := self._cursor) is not None:
                cursor.interrupt()
            self._ended.acquire(timeout=0.02)


def _work_aside(queries: list[_Query]) -> None:
    """Do the query in the list, in a thread of its own, for ``wait``; then let go of it.

    What a thread frees of DuckDB while the process ends aborts the process.
    """
    query = queries.pop()
    ended = query._ended
    if begun := query._begun.acquire(blocking=False):
        try:
            query._outcome = query.work()
        except BaseException as error:
            query._outcome = error
    del query
    if begun:
        ended.release()


def _values(parameters: Parameters) -> Any:
    return dict(parameters) if isinstance(parameters, Mapping) else list(parameters)


def _arrow(result: Any) -> pa.Table:
    """All rows, whatever DuckDB calls it in this version."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fetch = getattr(result, "to_arrow_table", None) or result.fetch_arrow_table
        return fetch()


def _explained(error: Exception) -> QueryError:
    """DuckDB's message, its first line; the text of the statement stays with the user."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    hint = next((line for line in text.splitlines()[1:] if line.startswith("Did you mean")), None)
    if hint is None and "does not exist" in first:
        hint = f"tables: {', '.join(SQL_TABLES)}"
    return QueryError(first[:300], hint=hint)
