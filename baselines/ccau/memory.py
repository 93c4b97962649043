"""Large pages for torch's CPU allocations.

A training step takes fresh memory for every activation and gives it back; with pages of 4 kB the
kernel spends a quarter of the step on handing them out. Measured on 2 threads, one video network
forward and backward at full width: 2.09 s with small pages, 1.52 s with large ones.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MODE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def use_huge_pages() -> str:
    """Ask torch for transparent huge pages; call before torch is first imported.

    Sets ``THP_MEM_ALLOC_ENABLE`` unless the user has set it. Returns what holds now, in words.
    """
    if not sys.platform.startswith("linux"):
        return "no huge pages on this system"
    try:
        mode = _MODE.read_text(encoding="ascii")
    except (OSError, ValueError):  # a kernel without them, or a container that hides the file
        return "no huge pages on this system"
    if "[never]" in mode:
        return "huge pages are switched off in the kernel"
    if "torch" in sys.modules and "THP_MEM_ALLOC_ENABLE" not in os.environ:
        return "small pages: torch was loaded before huge pages were asked for"
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    return "huge pages" if os.environ["THP_MEM_ALLOC_ENABLE"] == "1" else "small pages"
