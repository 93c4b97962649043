"""What the examples in docstrings may speak of: ``catalog`` is a small catalog, labels only."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

# Test processes share the cores already: a thread pool in each makes them wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background job ignores Ctrl-C, and so would every command that the tests interrupt.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _example_catalog(
    tmp_path_factory: pytest.TempPathFactory, doctest_namespace: dict[str, object]
) -> Path:
    from homage_sdk import Action, Dataset, Frame, Seconds, Triple
    from homage_sdk.testing import make_catalog
    from tests.factories import example_takes

    path = make_catalog(tmp_path_factory.mktemp("example") / "catalog", example_takes())
    doctest_namespace["catalog"] = path
    for public in (Action, Dataset, Frame, Seconds, Triple):
        doctest_namespace.setdefault(public.__name__, public)
    return path
