"""How long each answer of docs/cookbook.md takes on labels of HOMAGE's size.

    python tools/bench_cookbook.py [CATALOG] [--repeat 3]

Without a catalog: the one of tools/bench_queries.py. Prints the first and the median later time of
each question, in wall time; exits 1 where a later one takes 200 ms or more.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import io
import re
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.bench_queries import catalog_of  # noqa: E402

BAR_MS = 200.0


def questions() -> dict[str, list[str]]:
    """The lines of Python of each question, by its title; those before the first under ''."""
    parts = re.split(r"^## (.*)$", (ROOT / "docs/cookbook.md").read_text(), flags=re.MULTILINE)
    texts = dict(zip(["", *parts[1::2]], [parts[0], *parts[2::2]], strict=True))
    parser = doctest.DocTestParser()
    return {
        title: [example.source for example in parser.get_examples(text.replace("```", ""))]
        for title, text in texts.items()
    }


def run(lines: list[str], names: dict[str, object]) -> float:
    """Milliseconds that the lines take; what they print is thrown away."""
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        for line in lines:
            exec(compile(line, "docs/cookbook.md", "single"), names)
    return 1e3 * (time.perf_counter() - begin)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    names: dict[str, object] = {"catalog": catalog_of(options.catalog)}
    asked = questions()
    run(asked.pop(""), names)
    slow = 0
    for title, lines in asked.items():
        first = run(lines, names)
        later = median(run(lines, names) for _ in range(options.repeat))
        slow += later >= BAR_MS
        print(f"{title:62} first {first:7.0f} ms, then {later:6.0f} ms")
    print(f"{len(asked)} questions, {slow} not below {BAR_MS:.0f} ms")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
