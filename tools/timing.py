"""CPU time of everything that was started, work taken in turns, and a table of ratios."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable


def cpu_s() -> float:
    """CPU seconds of this process and all that it started, running (on Linux) or ended."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = sum(
        time.clock_gettime(~child.pid << 3 | 2)  # the kernel's clock of another process
        for child in multiprocessing.active_children()
        if child.pid is not None
    )
    return running + sum(u.ru_utime + u.ru_stime for u in used)


def interleaved(rounds: int, **work: Callable[[], object]) -> dict[str, float]:
    """Least CPU milliseconds of each over turns, children included: what disturbs only adds."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for run in work.values():
        run()
    for _ in range(rounds):
        for name, run in work.items():
            before = cpu_s()
            run()
            taken[name].append(1e3 * (cpu_s() - before))
    return {name: min(values) for name, values in taken.items()}


def show(name: str, value: str, ratio: float | None = None, limit: str = "") -> None:
    verdict = ""
    if ratio is not None and limit:
        bound = float(limit.strip("<>= x"))
        good = ratio <= bound if limit.startswith("<") else ratio >= bound
        verdict = "ok" if good else "MISSED"
    said = "" if ratio is None else f"{ratio:7.2f}x"
    print(f"{name:46} {value:>16} {said} {limit:>8} {verdict}", flush=True)
