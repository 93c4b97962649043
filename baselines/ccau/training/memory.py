"""How a training step on a CPU gets its memory: what it gave back before, or else large pages.

A training step takes fresh memory for every activation and gives it back. As long as the C library
returns large blocks to the kernel, every step has them handed out and cleared again: a quarter of
the step with pages of 4 kB, a tenth with large ones. Kept, they cost nothing after the first steps.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

KEPT = "freed memory is kept"
_MODE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # from its malloc.h


def settle_memory() -> str:
    """Let freed memory be kept; where that cannot be had, ask for large pages.

    Call before torch is first imported. Both together would be no faster and take more memory:
    torch aligns what lies on large pages to them. Returns what holds now, in words.
    """
    return KEPT if keep_freed_memory() else use_huge_pages()


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


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, for the allocations of the next step.

    Memory of this process then only grows, up to its peak. Only the GNU C library has the setting
    (``mallopt``), and what was allocated before stays as it is. Returns whether it holds.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))
