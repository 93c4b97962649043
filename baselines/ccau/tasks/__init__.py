"""Tasks: a batch in, named losses out. The trainer knows no modality."""

from baselines.ccau.tasks.cooperative import Cooperative
from baselines.ccau.tasks.distill import CooperativeKD, StaticKD
from baselines.ccau.tasks.task import ClipLabels, Inputs, Single, Task

__all__ = [
    "ClipLabels",
    "Cooperative",
    "CooperativeKD",
    "Inputs",
    "Single",
    "StaticKD",
    "Task",
]
