"""From a grid of cells to one vector: attention by Eq. 2, the authors' variant, mean or max."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.ccau.config.model_config import AttentionKind, PoolKind
from homage_sdk.errors import UsageError


class CellAttention(nn.Module):
    """Eq. 2: p = softmax over cells of alpha / tau, alpha by a small MLP on each cell alone.

    The paper does not say how alpha is predicted; one MLP shared by all cells fits any grid.
    """

    def __init__(self, dim: int, tau: float) -> None:
        super().__init__()
        if not tau > 0:
            raise UsageError(
                "the temperature of the attention must be positive", found=f"tau = {tau}"
            )
        self.tau = tau
        hidden = max(dim // 8, 4)
        self.alpha = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, cells: Tensor) -> Tensor:
        """Weights that sum to 1: [..., cells, D] -> [..., cells]."""
        return torch.softmax(self.alpha(cells).squeeze(-1) / self.tau, dim=-1)


class GridAttention(nn.Module):
    """The public code's variant: an MLP over the whole flattened grid, no temperature.

    Per cell D -> 32 -> 32, then cells * 32 -> cells -> cells and a softmax (at D = 256, h = w = 4).
    """

    def __init__(self, dim: int, n_cells: int) -> None:
        super().__init__()
        hidden = max(dim // 8, 4)
        self.n_cells = n_cells
        self.projection = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden)
        )
        self.attention = nn.Sequential(
            nn.Linear(n_cells * hidden, n_cells),
            nn.ReLU(),
            nn.Linear(n_cells, n_cells),
            nn.Softmax(dim=-1),
        )

    def forward(self, cells: Tensor) -> Tensor:
        """Weights that sum to 1: [..., cells, D] -> [..., cells]."""
        if cells.shape[-2] != self.n_cells:
            raise UsageError(
                "this attention is bound to its grid",
                found=f"{cells.shape[-2]} cells",
                expected=f"{self.n_cells}",
                hint='set the model\'s "size" to the frames\' size, or use attention = "eq2"',
            )
        weights: Tensor = self.attention(self.projection(cells).flatten(-2))
        return weights


def make_attention(
    kind: AttentionKind, dim: int, n_cells: int, tau: float = 1.0
) -> CellAttention | GridAttention | None:
    """The module for ``kind``; None stands for a plain pooling of the grid."""
    if kind == "eq2":
        return CellAttention(dim, tau)
    if kind == "official":
        return GridAttention(dim, n_cells)
    if kind == "none":
        return None
    raise UsageError("unknown attention", found=repr(kind), expected='"eq2", "official", "none"')


def pool(
    cells: Tensor, attention: nn.Module | None, plain: PoolKind = "mean"
) -> tuple[Tensor, Tensor | None]:
    """Weighted sum over cells: [..., cells, D] -> ([..., D], weights [..., cells] or None).

    Without attention their mean or, of each of the D numbers, the largest: of a square grid what
    stacked max-pool layers give (paper, section 5.1).
    """
    if attention is None:
        return cells.amax(dim=-2) if plain == "max" else cells.mean(dim=-2), None
    weights: Tensor = attention(cells)
    return (weights.unsqueeze(-2) @ cells).squeeze(-2), weights
