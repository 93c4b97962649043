"""Freed memory is kept or large pages are asked for, while it counts; asking never does harm."""

import os
import subprocess
import sys

import pytest

from baselines.ccau.training import memory

KEY = "THP_MEM_ALLOC_ENABLE"


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """``kernel("always [madvise] never")``: what the kernel says, without torch loaded."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv(KEY, "")
    monkeypatch.delenv(KEY)

    def says(mode):
        path = tmp_path / "enabled"
        if mode is not None:
            path.write_text(mode)
        monkeypatch.setattr(memory, "_MODE", path)

    return says


def test_large_pages_are_asked_for_unless_the_user_decided(kernel, monkeypatch):
    kernel("always [madvise] never\n")
    assert memory.use_huge_pages() == "huge pages"
    assert os.environ[KEY] == "1"
    monkeypatch.setenv(KEY, "0")
    assert memory.use_huge_pages() == "small pages"
    assert os.environ[KEY] == "0"


@pytest.mark.parametrize("mode", [None, "always madvise [never]\n"])
def test_a_kernel_without_large_pages_is_left_alone(kernel, mode):
    kernel(mode)
    assert "huge pages" in memory.use_huge_pages()
    assert KEY not in os.environ


def test_a_file_that_may_not_be_read_and_another_system_do_no_harm(kernel, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_MODE", tmp_path)  # opening a folder is refused
    assert memory.use_huge_pages() == "no huge pages on this system"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.use_huge_pages() == "no huge pages on this system"
    assert KEY not in os.environ


def test_asking_after_torch_is_loaded_says_so(kernel, monkeypatch):
    kernel("[always] madvise never\n")
    monkeypatch.setitem(sys.modules, "torch", object())
    assert memory.use_huge_pages().startswith("small pages: torch was loaded before")
    assert KEY not in os.environ


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("the GNU C library is a Linux one")
    code = (
        "import numpy as np, resource\n"
        "from baselines.ccau.training.memory import settle_memory\n"
        "print(settle_memory())\n"
        "faults = []\n"
        "for _ in range(3):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    np.ones(64 << 20, np.uint8)\n"
        "    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
        "print(faults[0], faults[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    said, counts = done.stdout.splitlines()
    first, later = map(int, counts.split())
    assert (later < max(first, 100) / 10) == (said == "freed memory is kept"), done.stdout
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not memory.keep_freed_memory()


def test_large_pages_are_only_for_a_c_library_that_returns_memory(kernel, monkeypatch):
    kernel("always [madvise] never\n")
    monkeypatch.setattr(memory, "keep_freed_memory", lambda: True)
    assert memory.settle_memory() == memory.KEPT
    assert KEY not in os.environ
    monkeypatch.setattr(memory, "keep_freed_memory", lambda: False)
    assert memory.settle_memory() == "huge pages"


def test_the_ccau_command_asks_before_torch_is_imported():
    code = (
        "import sys\n"
        "from baselines.ccau import cli, memory\n"
        "memory.settle_memory = lambda: print('asked', 'torch' in sys.modules)\n"
        "sys.argv = ['ccau', '--help']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0] == "asked False", done.stdout + done.stderr
