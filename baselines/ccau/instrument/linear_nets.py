"""The networks of ego and third with a linear encoder in place of the convolutional one.

Everything behind the encoder is what a run trains: ConvGRU, pooling, normalisation, heads, named
dropout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.models.build_nets import ModalityNet, build_nets
from baselines.ccau.models.initialise import initialise, torch_default
from baselines.ccau.models.modality_net import AggregatedNet
from baselines.ccau.random_streams import undisturbed

VIEWS = ("ego", "third")


def linear_model(
    *, dim: int, blocks: int, gru_dropout: float = 0.1, head_dropout: float = 0.5
) -> ModelConfig:
    """A model whose grid is one cell: nothing to attend to, little to compute."""
    return ModelConfig(
        width=dim // 4, dim=dim, size=32, blocks=blocks, attention="none",
        gru_dropout=gru_dropout, head_dropout=head_dropout,
    )  # fmt: skip


class LinearEncoder(nn.Module):
    """f of a block that is a vector: Linear, ReLU."""

    def __init__(self, inputs: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, inputs] to a grid of one cell: [B, N, 1, dim]."""
        features: Tensor = self.linear(x).relu()
        return features.unsqueeze(2)


def linear_nets(
    config: ModelConfig, inputs: int, n_activities: int, seed: int, views: Sequence[str] = VIEWS
) -> dict[str, ModalityNet]:
    """Networks of ``views`` that take [B, N, inputs]; there are no atomic actions (one class)."""
    nets = build_nets(config, views, n_activities, 1, seed)
    for view, net in nets.items():
        with undisturbed():
            encoder = LinearEncoder(inputs, cast(AggregatedNet, net).agg.channels)
        rules = {"": torch_default}
        initialise(encoder, rules, seed=seed, modality=f"{view} linear", default_bias=("",))
        net.backbone = encoder
    return nets
