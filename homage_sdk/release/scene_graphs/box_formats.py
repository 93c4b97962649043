"""Box formats at the reader's door: everything becomes xyxy pixels here and nowhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""[N, 4]"""


def to_xyxy(boxes: Boxes, box_format: str) -> Boxes:
    """From ``xyxy``, ``xywh`` or ``cxcywh``; [N, 4] in and out, NaN rows stay NaN.

    >>> to_xyxy(np.array([[50.0, 40.0, 20.0, 10.0]]), "cxcywh").tolist()
    [[40.0, 35.0, 60.0, 45.0]]
    >>> to_xyxy(np.array([[50.0, 40.0, 20.0, 10.0]]), "xywh").tolist()
    [[50.0, 40.0, 70.0, 50.0]]
    """
    if box_format == "xyxy":
        return boxes
    position, size = boxes[:, :2], boxes[:, 2:]
    if box_format == "xywh":
        return np.hstack([position, position + size])
    return np.hstack([position - size / 2, position + size / 2])


def to_pixels(boxes: Boxes, width: NDArray[np.float64], height: NDArray[np.float64]) -> Boxes:
    """Fractions of the frame to pixels; ``width`` and ``height`` are [N]."""
    return boxes * np.stack([width, height, width, height], axis=1)
