"""Batch normalisation that survives a batch of one value a channel.

With a single value there is no variance to normalise by: the running statistics are used and left
as they are, exactly as in evaluation.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from homage_sdk.errors import UsageError


def as_in_evaluation(norm: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    """Normalise [R, C, ...] by the running statistics and leave them alone, whatever the mode."""
    mean, variance = norm.running_mean, norm.running_var
    return F.batch_norm(x, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps)


class ContextNorm(nn.BatchNorm1d):
    """Between the aggregator and the heads.

    The paper does not mention this layer; the public code has it, and without it vision arms
    stayed at chance in a pilot (CCAU.md).
    """

    def forward(self, x: Tensor) -> Tensor:
        """[R, D] -> [R, D]."""
        if self.training and x.shape[0] == 1:
            return as_in_evaluation(self, x)
        return super().forward(x)


class PixelNorm(nn.BatchNorm3d):
    """Inside the encoder, over frames [F, C, H, W] or blocks [R, C, K, H, W]: one statistic."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        if self.training and x.numel() == x.shape[1]:
            return as_in_evaluation(self, x)
        return super().forward(x)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (4, 5):
            raise UsageError("expected frames or blocks", found=f"shape {tuple(input.shape)}")


class ChannelNorm(nn.BatchNorm2d):
    """Inside the audio features, [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        if self.training and x.numel() == x.shape[1]:
            return as_in_evaluation(self, x)
        return super().forward(x)
