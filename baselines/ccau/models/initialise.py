"""Initial values of every parameter, each from its own named stream.

Sources: Kaiming fan-out for the convolutions, orthogonal for the gates of g and the heads
(CCAU.md, "Model"); torch's own rule for the layers the paper and the public code leave alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from baselines.ccau.random_streams import stream

Rule = Callable[[Tensor, torch.Generator], Tensor]


def kaiming_fan_out(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Normal with variance 2 / fan-out."""
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu", generator=generator)


def orthogonal(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Rows (or columns) orthonormal, trailing dimensions flattened."""
    return nn.init.orthogonal_(weight, generator=generator)


def torch_default(weight: Tensor, generator: torch.Generator) -> Tensor:
    """What ``nn.Linear`` and ``nn.Conv2d`` do: uniform within 1 / sqrt(fan-in)."""
    return nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)


def embedding(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Normal with standard deviation 1 / sqrt(columns), so that a row has length about 1."""
    return nn.init.normal_(weight, std=weight.shape[1] ** -0.5, generator=generator)


def initialise(
    module: nn.Module,
    rules: Mapping[str, Rule],
    *,
    seed: int,
    modality: str,
    default_bias: tuple[str, ...] = (),
) -> None:
    """Set every parameter of ``module`` from the stream (seed, "init", modality, name).

    ``rules`` maps a name prefix to the rule of its weights; the longest prefix that fits wins.
    Biases are 0; those below the prefixes ``default_bias`` follow torch's rule. Normalisation
    layers keep their weight 1 and bias 0.
    """
    norms = {
        f"{name}.{leaf}"
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm | nn.LayerNorm)
        for leaf in ("weight", "bias")
    }
    with torch.no_grad():
        weights = dict(module.named_parameters())
        for name, value in weights.items():
            if name in norms:
                continue
            generator = stream(seed, "init", modality, name)
            if value.ndim > 1:
                fitting = [prefix for prefix in rules if name.startswith(prefix)]
                rules[max(fitting, key=len)](value, generator)
            elif name.startswith(default_bias) and default_bias:
                fan_in = weights[name.removesuffix("bias") + "weight"][0].numel()
                value.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
            else:
                value.zero_()
