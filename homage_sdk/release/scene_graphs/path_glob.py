"""Does a path below the release match a mapping file's glob?"""

from __future__ import annotations

import re
from functools import lru_cache


def path_matches(path: str, pattern: str) -> bool:
    """Whether a relative posix path matches; ``**`` spans folders, ``*`` and ``?`` do not.

    >>> path_matches("sg/p0002/a.json", "sg/**/*.json"), path_matches("sg/a.json", "sg/**/*.json")
    (True, True)
    >>> path_matches("sg/p0002/a.json", "sg/*.json")
    False
    """
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> re.Pattern[str]:
    out = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern):
        out += {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
            part, re.escape(part)
        )
    return re.compile(out)
