"""Tasks: a batch in, named losses out. The trainer knows no modality."""

from baselines.ccau.tasks.base import ClipLabels, CompositionConfig, Inputs, Task
from baselines.ccau.tasks.cooperative import AlignmentConfig, Cooperative
from baselines.ccau.tasks.distill import CooperativeKD, DistillationConfig, StaticKD
from baselines.ccau.tasks.single import Single

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
