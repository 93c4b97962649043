"""How a training step on a CPU gets its memory: in large pages, and from what it gave back before.

A training step takes fresh memory for every activation and gives it back. With pages of 4 kB the
kernel spends a quarter of the step on handing them out. Measured on 2 threads, one video network
forward and backward at full width: 2.09 s with small pages, 1.52 s with large ones. And as long as
the C library returns large blocks to the kernel at once, the next step has them cleared again.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_MODE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of the GNU C library


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


def keep_freed_memory() -> str:
    """Let the C library keep what is freed, for the allocations of the next step.

    Memory of this process then only grows, up to its peak. Only the GNU C library has the setting
    (``mallopt``); call it early, what is allocated before stays as it is. Returns what holds now.
    """
    if not sys.platform.startswith("linux"):
        return "the system decides about freed memory"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return "the C library decides about freed memory"
    done = mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
    return "freed memory is kept" if done else "the C library decides about freed memory"
