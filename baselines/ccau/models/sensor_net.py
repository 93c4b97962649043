"""The sensor encoder: a small 1-D network over the readings of each block.

The paper trains no sensors and names them for privacy-aware recognition (section 3); this is our
reading. Letters: B clips, N blocks, J values a block, S channels, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.ccau.models.batch_norms import BatchNorm
from homage_sdk.errors import UsageError

RESOLUTION = float(torch.finfo(torch.float32).eps)
"""A channel varies where its deviation is above this share of its mean: what float32 can tell."""


class RecordedNorm(nn.Module):
    """Standardises each channel by mean and variance of everything recorded in training so far.

    Units differ by orders (hPa, lux, m/s^2), and a batch holds few values of a slow sensor: so the
    statistics are those of all batches, also while training, and what is absent has no part in
    them. A channel that was never recorded in training, or never changed, says nothing. Under
    several ranks they are the first rank's, as those of BatchNorm: every step begins with its
    buffers, so that what other ranks saw before is dropped.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("count", "mean", "squares"):
            self.register_buffer(name, torch.zeros(channels, dtype=torch.float64))

    def forward(self, values: Tensor, recorded: Tensor) -> Tensor:
        """[..., S] and bool [..., S] -> [..., S]; 0, the mean, where not recorded, and throughout
        a channel that did not vary in training.
        """
        if self.training:
            self._learn(values.detach().double().flatten(0, -2), recorded.flatten(0, -2))
        deviation = (self.squares / self.count.clamp(min=1)).sqrt()
        varies = deviation > RESOLUTION * self.mean.abs()
        normed = (values.double() - self.mean) / torch.where(varies, deviation, 1)
        return torch.where(recorded & varies, normed.clamp(-10, 10), 0).to(values.dtype)

    def _learn(self, values: Tensor, recorded: Tensor) -> None:
        """Join these values to the statistics (Chan et al.); ``squares``: from the mean, summed."""
        n = recorded.sum(dim=0).double()
        mean = torch.where(recorded, values, 0).sum(dim=0) / n.clamp(min=1)
        squares = torch.where(recorded, values - mean, 0).square().sum(dim=0)
        total = self.count + n
        away = mean - self.mean
        share = n / total.clamp(min=1)
        self.squares.add_(squares + away.square() * self.count * share)
        self.mean.add_(away * share)
        self.count.copy_(total)


class SensorEncoder(nn.Module):
    """Standardised channels through two convolutions along time, then the mean: [B, N, 1, D]."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        if channels < 1:
            raise UsageError(
                "the sensors have no channel",
                hint="model.sensor_channels follows the shards and data.sensors",
            )
        self.channels = dim
        self.norm = RecordedNorm(channels)
        self.conv1 = nn.Conv1d(channels, dim, 3, padding=1, bias=False)
        self.bn1 = BatchNorm(dim)
        self.conv2 = nn.Conv1d(dim, dim, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, 2, J, S]: values in the units of their files, and 1 where recorded, else 0."""
        if x.ndim != 5 or x.shape[2] != 2 or x.shape[4] != self.conv1.in_channels:
            raise UsageError(
                "the sensors have another shape",
                found=str(tuple(x.shape)),
                expected=f"[B, N, 2, J, {self.conv1.in_channels}]",
            )
        with torch.autocast(x.device.type, enabled=False):
            normed = self.norm(x[:, :, 0], x[:, :, 1] > 0)
        out = normed.flatten(0, 1).transpose(1, 2)
        out = F.relu(self.bn1(self.conv1(out).unsqueeze(2))).squeeze(2)
        out = F.relu(self.bn2(self.conv2(out).unsqueeze(2))).squeeze(2)
        return out.mean(dim=2).reshape(*x.shape[:2], 1, -1)
