"""Tasks: a batch in, named losses out. The trainer knows no modality."""

from baselines.ccau.tasks.cooperative import AlignmentConfig, Cooperative
from baselines.ccau.tasks.distill import CooperativeKD, DistillationConfig, StaticKD
from baselines.ccau.tasks.task import ClipLabels, CompositionConfig, Inputs, Single, Task

__all__ = [
    "AlignmentConfig",
    "ClipLabels",
    "CompositionConfig",
    "Cooperative",
    "CooperativeKD",
    "DistillationConfig",
    "Inputs",
    "Single",
    "StaticKD",
    "Task",
]
