"""Pictures as a decoder gives them, 1.5 bytes a pixel, and their RGB, on any device.

I420 of a picture of H by W pixels, both even, is one row of H * W * 3 / 2 bytes: H x W luma, then
U, then V, one value for every 2 x 2 pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_SHIFT = 20
_LUMA, _U_TO_B, _U_TO_G, _V_TO_G, _V_TO_R = 1220542, 2116026, -409993, -852492, 1673527
"""BT.601, limited range, times 2**20: the whole numbers with which OpenCV converts."""


def row_bytes(size: int) -> int:
    """Bytes of a square picture of ``size`` pixels a side."""
    return size * size * 3 // 2


def lay_out(
    planes: tuple[npt.NDArray[np.uint8], ...],
    rows: npt.NDArray[np.intp],
    out: npt.NDArray[np.uint8],
) -> None:
    """Write luma [n, H, W], U and V [n, H/2, W/2] of the pictures ``rows`` [F] into [F, bytes]."""
    at = 0
    for plane in planes:
        flat: Any = plane.reshape(len(plane), -1)
        out[:, at : at + flat.shape[1]] = flat if len(flat) == len(out) else flat[rows]
        at += flat.shape[1]


def black(n_bytes: int) -> Tensor:
    """A picture of RGB (0, 0, 0): uint8 [n_bytes]."""
    picture = torch.full((n_bytes,), 128, dtype=torch.uint8)
    picture[: n_bytes * 2 // 3] = 16
    return picture


def to_rgb(pictures: Tensor) -> Tensor:
    """Square pictures in I420, uint8 [..., S * S * 3 / 2], to uint8 [..., S, S, 3].

    To the bit what OpenCV's conversion gives (tested), so that where pictures are converted never
    changes a result.
    """
    size = math.isqrt(pictures.shape[-1] * 2 // 3)
    half = size // 2
    flat = pictures.reshape(-1, pictures.shape[-1]).to(torch.int32)
    luma, chroma = flat[:, : size * size], flat[:, size * size :].view(-1, 2, half, 1, half, 1)
    u, v = (chroma - 128).unbind(1)
    y = (luma.view(-1, half, 2, half, 2) - 16).clamp_(min=0) * _LUMA + (1 << (_SHIFT - 1))
    red, green, blue = (
        y + shift for shift in (_V_TO_R * v, _V_TO_G * v + _U_TO_G * u, _U_TO_B * u)
    )
    rgb = torch.stack((red, green, blue), dim=-1)
    return (rgb >> _SHIFT).clamp_(0, 255).to(torch.uint8).view(*pictures.shape[:-1], size, size, 3)
