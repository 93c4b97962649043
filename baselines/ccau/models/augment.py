"""Colour augmentation and ImageNet normalisation, on the training device, in one pass.

Brightness, saturation, hue and grey are linear in RGB and contrast adds a constant grey, so one
3x3 matrix and one offset a clip do all of it: ``clamp(M x + o)``, then the normalisation. Crops and
flips are the loader's. Every draw comes from a stream named by (seed, "augment", modality, epoch,
sequence, clip): it does not depend on batch size, rank, workers, or what was drawn before.

Source: CCAU.md, "Optimisation in the public code". The public code draws per *frame*, so a clip
flickers; that is ``per = "frame"``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.ccau.config.model_config import AugmentConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def colour_draws(
    config: AugmentConfig, generator: np.random.Generator, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrices ``[count, 3, 3]`` and contrast offsets ``[count]`` (to multiply the mean luma by).

    A matrix includes brightness and contrast; its rows keep grey grey.
    """
    u = generator.random((count, 6))
    spread = 2 * u[:, :3] - 1
    brightness, contrast, saturation = np.maximum(
        0.0, 1 + spread * [config.brightness, config.contrast, config.saturation]
    ).T
    turn = (2 * u[:, 3] - 1) * config.hue * 2 * math.pi
    grey = u[:, 4] < config.grey
    channel = np.minimum((u[:, 5] * 3).astype(int), 2)

    eye = np.eye(3)
    luma = np.ones((3, 1)) * _LUMA
    saturate = saturation[:, None, None] * eye + (1 - saturation[:, None, None]) * luma
    rotate = np.zeros((count, 3, 3))
    rotate[:, 0, 0] = 1
    rotate[:, 1, 1] = rotate[:, 2, 2] = np.cos(turn)
    rotate[:, 1, 2] = -np.sin(turn)
    rotate[:, 2, 1] = np.sin(turn)
    matrix = _FROM_YIQ @ rotate @ _TO_YIQ @ saturate
    if config.grey_kind == "luma":
        to_grey = np.broadcast_to(luma, (count, 3, 3))
    else:
        to_grey = np.ones((count, 3, 1)) * eye[channel][:, None, :]
    matrix = np.where(grey[:, None, None], to_grey @ matrix, matrix)
    return matrix * (brightness * contrast)[:, None, None], (1 - contrast) * brightness


def prepare_video(
    video: Tensor,
    *,
    config: AugmentConfig | None = None,
    streams: Sequence[np.random.Generator] = (),
) -> Tensor:
    """uint8 ``[B, N, K, H, W, 3]`` to normalised float32 ``[B, N, 3, K, H, W]``.

    With a ``config``, clip b is changed by what it draws from ``streams[b]``. Absent views are
    zeros and stay harmless: the caller masks them.
    """
    B, N, K, H, W, _ = video.shape
    pixels = video.permute(0, 1, 2, 5, 3, 4).reshape(B, N, K, 3, H * W).float().div_(255.0)
    if config is not None:
        per_clip = config.per == "clip"
        draws = [colour_draws(config, stream, 1 if per_clip else N * K) for stream in streams]
        shape = (B, 1, 1) if per_clip else (B, N, K)
        matrix = _tensor(np.concatenate([d[0] for d in draws]), video.device)
        offset = _tensor(np.concatenate([d[1] for d in draws]), video.device)
        luma = _tensor(_LUMA, video.device)
        means = torch.einsum("c,bnkc->bnk", luma, pixels.mean(dim=-1))
        if per_clip:
            means = means.mean(dim=(1, 2), keepdim=True)
        shift = means * offset.view(shape)
        pixels = torch.matmul(matrix.view(*shape, 3, 3), pixels)
        pixels.add_(shift[..., None, None]).clamp_(0.0, 1.0)
    mean = _tensor(np.array(IMAGENET_MEAN), video.device).view(3, 1)
    std = _tensor(np.array(IMAGENET_STD), video.device).view(3, 1)
    pixels.sub_(mean).div_(std)
    return pixels.view(B, N, K, 3, H, W).permute(0, 1, 3, 2, 4, 5)


def _tensor(values: NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float().to(device)
