"""A pretended accelerator: tensors on it may not meet tensors of the CPU, as on a GPU.

It takes torch's device "meta", which no code of the project names, and computes on the CPU. What a
GPU would refuse is refused here too: an operation over tensors of both kinds (but for numbers and
for indexing, as there) and ``numpy()`` on a tensor that was not brought back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
DEVICE = torch.device("meta")
CROSSING = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}


class Away(Tensor):
    """A tensor on the accelerator; ``held`` is where it really is."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Away:
        away = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        away.held = held
        return away

    def __repr__(self) -> str:
        return f"Away({tuple(self.shape)})"

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert a tensor of the accelerator to numpy")

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class Accelerator(TorchDispatchMode):
    """While it is entered, ``device="meta"`` makes tensors that are :class:`Away`."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    away = [t for t in tensors if isinstance(t, Away)]
    here = [t for t in tensors if not isinstance(t, Away) and t.ndim > 0]
    if away and here and func not in CROSSING | INDEXING:
        shapes = [tuple(t.shape) for t in tensors]
        raise RuntimeError(f"{func}: tensors of two devices, {shapes}")
    device = kwargs.get("device")
    goes_away = torch.device(device) == DEVICE if device is not None else bool(away)
    plain_args, plain = tree_map_only(Away, lambda t: t.held, (args, dict(kwargs)))
    if device is not None:
        plain["device"] = torch.device("cpu")
    out = func(*plain_args, **plain)
    if func is aten.copy_.default:
        return args[0]
    if func is aten._local_scalar_dense.default or not goes_away:
        return out
    out = tree_map_only(Tensor, lambda t: t if isinstance(t, Away) else Away(t), out)
    return return_and_correct_aliasing(func, args, kwargs, out) if away else out
