"""Where bfloat16 begins and stops: states, contexts, logits and losses are float32 at least."""

from __future__ import annotations

import torch
from torch import Tensor


def exact(x: Tensor) -> Tensor:
    """At least float32: bfloat16 makes 100 + 0.2 equal 100."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """What the networks run under (``optim.precision``); losses are fp32 whatever it says."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
