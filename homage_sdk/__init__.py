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
from homage_sdk.atomic_actions import AtomicActions
from homage_sdk.dataset import Dataset
from homage_sdk.errors import HomageError, Place
from homage_sdk.ids import SequenceId, ViewId
from homage_sdk.moment import Moment
from homage_sdk.patterns import Action, Triple
from homage_sdk.problems import Problem, Severity
from homage_sdk.scene_graphs import SceneGraphs
from homage_sdk.sensor import Sensor
from homage_sdk.sequence import Sequence
from homage_sdk.taxonomy import ClassName, Taxonomy
from homage_sdk.time import Frame, Interval, Seconds
from homage_sdk.view import View

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Activity",
    "AtomicAction",
    "AtomicActions",
    "Box",
    "ClassName",
    "Dataset",
    "Frame",
    "HomageError",
    "Interval",
    "Moment",
    "Place",
    "Problem",
    "Relationship",
    "SceneGraph",
    "SceneGraphs",
    "SceneObject",
    "Seconds",
    "Sensor",
    "Sequence",
    "SequenceId",
    "Severity",
    "Taxonomy",
    "Triple",
    "View",
    "ViewId",
]
