"""Batch normalisation that survives a batch of one value a channel.

With a single value there is no variance to normalise by: the running statistics are used and left
as they are, exactly as in evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from homage_sdk.errors import ConfigError, UsageError


def as_in_evaluation(norm: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    """Normalise [R, C, ...] by the running statistics and leave them alone, whatever the mode."""
    mean, variance = norm.running_mean, norm.running_var
    return F.batch_norm(x, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Over the channels of features [R, C], frames [F, C, H, W] or blocks [R, C, K, H, W].

    Parameters, buffers and arithmetic are those of ``nn.BatchNorm1d``, ``2d`` and ``3d``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        if self.training and x.numel() == x.shape[1]:
            return as_in_evaluation(self, x)
        return super().forward(x)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (2, 4, 5):
            raise UsageError(
                "expected features, frames or blocks", found=f"shape {tuple(input.shape)}"
            )


def refuse_synchronised(device: torch.device) -> None:
    """Raise ConfigError where statistics cannot be shared: torch's SyncBatchNorm is for GPUs."""
    if device.type != "cuda":
        raise ConfigError(
            "optim.sync_batchnorm needs GPUs",
            found=f"run.device {device.type}",
            hint="set optim.sync_batchnorm = false: each rank then normalises by its own clips",
        )


def synchronise(nets: nn.ModuleDict) -> None:
    """Let every batch normalisation in ``nets`` take its statistics over all ranks.

    The parameters stay the same objects under the same names, so optimisers and checkpoints do not
    notice. All ranks must run the same networks at each step; see :func:`absent_here`.
    """
    for name, net in nets.items():
        nets[name] = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]


def absent_here(present: Mapping[str, Tensor], rank: int) -> str | None:
    """What to stop for under shared statistics: a rank without a modality would leave the others
    waiting for it. None when all of ``present`` (bool ``[B]`` a modality) are there.
    """
    absent = [modality for modality, rows in present.items() if not bool(rows.any())]
    if not absent:
        return None
    return (
        f"rank {rank} has no {' and no '.join(absent)} in this batch, so optim.sync_batchnorm "
        "cannot share statistics: raise data.batch_size or switch it off"
    )
