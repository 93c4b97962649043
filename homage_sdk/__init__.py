"""homage_sdk: Home Action Genome (HOMAGE, CVPR 2021) as a typed dataset.

The public names, nothing else. Importing this package does not import torch, webdataset, librosa
or OpenCV.
"""

from homage_sdk.annotations import (
    Activity,
    AtomicAction,
    Box,
    Relationship,
    SceneGraph,
    SceneObject,
)
from homage_sdk.errors import HomageError, Place
from homage_sdk.ids import SequenceId, ViewId
from homage_sdk.problems import Problem, Severity
from homage_sdk.taxonomy import ClassName, Taxonomy
from homage_sdk.time import Frame, Interval, Seconds

__version__ = "0.1.0"

__all__ = [
    "Activity",
    "AtomicAction",
    "Box",
    "ClassName",
    "Frame",
    "HomageError",
    "Interval",
    "Place",
    "Problem",
    "Relationship",
    "SceneGraph",
    "SceneObject",
    "Seconds",
    "SequenceId",
    "Severity",
    "Taxonomy",
    "ViewId",
]
