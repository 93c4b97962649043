"""homage_sdk: Home Action Genome (HOMAGE, CVPR 2021) as a typed dataset.

The public names, nothing else, each loaded when it is first used. Importing this package does not
import torch, webdataset, librosa or OpenCV.
"""

from typing import TYPE_CHECKING

from homage_sdk.lazy import loaded_on_use

if TYPE_CHECKING:
    from homage_sdk.annotations import (
        Activity,
        AtomicAction,
        Box,
        Relationship,
        SceneGraph,
        SceneObject,
    )
    from homage_sdk.dataset.atomic_actions import AtomicActions
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.moment import Moment
    from homage_sdk.dataset.scene_graphs import SceneGraphs
    from homage_sdk.dataset.sensor import Sensor
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View
    from homage_sdk.errors import HomageError
    from homage_sdk.ids import SequenceId, ViewId
    from homage_sdk.problems import Place, Problem, Severity
    from homage_sdk.query.patterns import Action, Triple
    from homage_sdk.taxonomy import ClassName, Taxonomy
    from homage_sdk.time import Frame, Interval, Seconds
    from homage_sdk.version import __version__ as __version__

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

__getattr__ = loaded_on_use(
    __name__,
    {
        "annotations": "Activity AtomicAction Box Relationship SceneGraph SceneObject",
        "dataset.atomic_actions": "AtomicActions",
        "dataset.dataset": "Dataset",
        "dataset.moment": "Moment",
        "dataset.scene_graphs": "SceneGraphs",
        "dataset.sensor": "Sensor",
        "dataset.sequence": "Sequence",
        "dataset.view": "View",
        "errors": "HomageError",
        "ids": "SequenceId ViewId",
        "problems": "Place Problem Severity",
        "query.patterns": "Action Triple",
        "taxonomy": "ClassName Taxonomy",
        "time": "Frame Interval Seconds",
        "version": "__version__",
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
