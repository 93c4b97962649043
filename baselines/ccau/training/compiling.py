"""What torch.compile needs beyond torch."""

from __future__ import annotations

import os
import shutil
import sys

import torch

from homage_sdk.errors import ConfigError


def require_compiler(device: torch.device) -> None:
    """Raise ConfigError where ``optim.compile`` could not work: on a CPU it writes C++."""
    if device.type != "cpu":
        return
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise ConfigError(
            "optim.compile needs a C++ compiler on a CPU",
            found=f"no {name}",
            hint="install one, name yours in the environment's CXX, or set optim.compile = false",
        )
