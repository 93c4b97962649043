"""homage_sdk: Home Action Genome (HOMAGE, CVPR 2021) as a typed dataset.

The public names, nothing else, each loaded when it is first used. Importing this package does not
import torch, webdataset, librosa or OpenCV.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULE_OF = {
    "Action": "query.patterns",
    "Activity": "annotations",
    "AtomicAction": "annotations",
    "AtomicActions": "dataset.atomic_actions",
    "Box": "annotations",
    "ClassName": "taxonomy",
    "Dataset": "dataset.dataset",
    "Frame": "time",
    "HomageError": "errors",
    "Interval": "time",
    "Moment": "dataset.moment",
    "Place": "problems",
    "Problem": "problems",
    "Relationship": "annotations",
    "SceneGraph": "annotations",
    "SceneGraphs": "dataset.scene_graphs",
    "SceneObject": "annotations",
    "Seconds": "time",
    "Sensor": "dataset.sensor",
    "Sequence": "dataset.sequence",
    "SequenceId": "ids",
    "Severity": "problems",
    "Taxonomy": "taxonomy",
    "Triple": "query.patterns",
    "View": "dataset.view",
    "ViewId": "ids",
    "__version__": "version",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
