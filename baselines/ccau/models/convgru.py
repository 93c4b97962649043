"""g: the 1x1 ConvGRU, computed as a GRU over rows of cells.

A kernel of (1, 1) shares its weights over all cells and mixes none of them, so B clips with h x w
cells are B * h * w independent rows: one matrix product for the inputs of all steps and gates,
then two small ones a step. Parameters keep the shapes and names of the authors' convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.ccau.precision import exact
from baselines.ccau.random_streams import Dropout, DropoutStream


class ConvGRUCell(nn.Module):
    """The three gates; each weight is [D, C + D, 1, 1], input channels first."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.reset_gate = nn.Conv2d(channels + dim, dim, 1)
        self.update_gate = nn.Conv2d(channels + dim, dim, 1)
        self.out_gate = nn.Conv2d(channels + dim, dim, 1)


class ConvGRU(nn.Module):
    """One layer over the blocks of a clip (paper, section 5.1).

    Dropout falls on every hidden state, the one handed on included. Where ``valid`` is False the
    state is carried over unchanged, so the last state is that of the last valid block.
    """

    def __init__(self, channels: int, dim: int, dropout: float, source: DropoutStream) -> None:
        super().__init__()
        self.channels, self.dim = channels, dim
        self.ConvGRUCell_00 = ConvGRUCell(channels, dim)
        self.dropout = Dropout(dropout, source, "agg")

    def forward(self, z: Tensor, valid: Tensor | None = None) -> Tensor:
        """States after each block: z [B, N, cells, C], valid [B, N] -> [B, N, cells, D] float32."""
        n_clips, n_blocks, n_cells, channels = z.shape
        rows = n_clips * n_cells
        cell = self.ConvGRUCell_00
        gates = [g.weight.flatten(1) for g in (cell.reset_gate, cell.update_gate, cell.out_gate)]
        biases = [g.bias for g in (cell.reset_gate, cell.update_gate, cell.out_gate)]
        from_input = torch.cat([w[:, :channels] for w in gates])
        from_state = torch.cat([w[:, channels:] for w in gates[:2]])
        from_reset_state = gates[2][:, channels:]

        steps = z.transpose(0, 1).reshape(n_blocks, rows, channels)
        inputs = F.linear(steps, from_input, torch.cat([b for b in biases if b is not None]))
        dtype = torch.float64 if z.dtype == torch.float64 else torch.float32
        state = torch.zeros(rows, self.dim, dtype=dtype, device=z.device)
        keep = self.dropout.mask((n_blocks, rows, self.dim), state)

        states = []
        for step in range(n_blocks):
            x_gates, x_out = inputs[step, :, : 2 * self.dim], inputs[step, :, 2 * self.dim :]
            both = torch.sigmoid(x_gates + F.linear(state, from_state))
            reset, update = both.chunk(2, dim=-1)
            out = torch.tanh(x_out + F.linear(state * reset, from_reset_state))
            new = torch.lerp(state, exact(out), exact(update))
            if keep is not None:
                new = new * keep[step]
            if valid is not None:
                shown = valid[:, step, None].expand(n_clips, n_cells).reshape(rows, 1)
                new = torch.where(shown, new, state)
            state = new
            states.append(state)
        stacked = torch.stack(states).view(n_blocks, n_clips, n_cells, self.dim)
        return stacked.transpose(0, 1)
