"""Starting ``ccau`` on several ranks as a user does, through torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from baselines.ccau.config.config import Config


def write_toml(config: Config, path: Path) -> Path:
    """The configuration as a file that ``ccau train`` reads."""
    lines: list[str] = []
    values = config.as_dict()
    lines += [f"{k} = {json.dumps(v)}" for k, v in values.items() if not isinstance(v, dict)]
    for section, items in values.items():
        if isinstance(items, dict):
            lines.append(f"[{section}]")
            lines += [f"{k} = {json.dumps(v)}" for k, v in items.items() if v != {}]
    path.write_text("\n".join(lines))
    return path


def launch(
    ranks: int,
    *arguments: object,
    code: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """``ccau ARGUMENTS``, or the script ``code``, on so many ranks; its output is one text."""
    module = ["-m", "baselines.ccau"] if code is None else [str(code)]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc_per_node={ranks}", *module, *map(str, arguments),
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 240) -> str:
    """What a command that must succeed printed."""
    text, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, text
    return text


def family(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """The launcher, its ranks and their loader workers."""
    launcher = psutil.Process(process.pid)
    return [launcher, *launcher.children(recursive=True)]


def ranks_of(process: subprocess.Popen[Any]) -> dict[int, psutil.Process]:
    """The ranks that the launcher started, by number."""
    found = {}
    for child in psutil.Process(process.pid).children():
        try:
            rank = child.environ().get("RANK")
        except psutil.Error:
            continue
        if rank is not None:
            found[int(rank)] = child
    return found
