"""What a step keeps in memory, counted without computing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from baselines.ccau.config.config import Config
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.models.build_nets import build_nets
from baselines.ccau.precision import autocast


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one process."""

    weights: int
    """Parameters and running statistics of all networks."""
    trained: int
    """Parameters that are trained: as much again as gradients, and twice as moments of Adam."""
    activations: int
    """Of one micro-batch."""
    left_out: tuple[str, ...]
    """Modalities whose activations are not counted."""

    @property
    def optimizer(self) -> int:
        """The two moments of each parameter."""
        return 2 * self.trained

    @property
    def step(self) -> int:
        """Weights, gradients, moments and activations together."""
        return self.weights + self.trained + self.optimizer + self.activations


class _EveryBlockValid(TorchFunctionMode):
    """Answers what the networks ask of contents that are not there."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return True if func is Tensor.__bool__ else func(*args, **(kwargs or {}))


def step_memory(config: Config, model: ModelConfig, n_classes: Mapping[str, int]) -> StepMemory:
    """What ``config`` takes: the tensors that a forward pass keeps for the backward pass.

    The networks run on tensors without contents, so that this takes no memory and little time.
    Buffers of the libraries come on top, and what the losses keep, which is small.
    """
    data, modalities = config.data, config.task.modalities
    learning = config.task.students if config.task.kind == "static_kd" else modalities
    shapes = {
        "audio": (1, data.n_mels, model.audio_columns),
        "sensors": (data.blocks, 2, data.sensor_samples, model.sensor_channels),
        **dict.fromkeys(
            ("ego", "third"), (data.blocks, 3, data.block_frames, data.size, data.size)
        ),
    }
    weights = trained = kept = 0
    with FakeTensorMode():
        nets = build_nets(
            model, modalities, n_classes["activity"], n_classes["atomic"], config.run.seed
        )
        for modality, net in nets.items():
            own = [*net.parameters(), *net.buffers()]
            weights += sum(map(_bytes, own))
            if modality not in learning:
                continue
            trained += sum(map(_bytes, net.parameters()))
            if modality in shapes:
                x = torch.zeros(data.batch_size, *shapes[modality])
                known = {t.untyped_storage()._cdata for t in own}
                with autocast(config.optim.precision, x.device):
                    kept += _kept(net, x, known)
    return StepMemory(weights, trained, kept, tuple(m for m in learning if m not in shapes))


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _kept(net: torch.nn.Module, x: Tensor, known: set[int]) -> int:
    """Bytes of the distinct memories that the forward pass saves, but for those ``known``."""
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _EveryBlockValid():
        net.train()(x)
    return sum(storage.nbytes() for storage in saved.values())
