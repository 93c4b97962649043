"""Whether an accelerator computes what a CPU in float64 computes: the checks of tools/check_gpu.py.

Every figure is a relative error: the norm of the difference over the norm of the float64 reference.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.ccau.config.config import from_dict
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.config.objective_config import (
    AlignmentConfig,
    CompositionConfig,
    DistillationConfig,
    Negatives,
)
from baselines.ccau.models.build_nets import ModalityNet, build_nets
from baselines.ccau.random_streams import Dropout
from baselines.ccau.tasks import ClipLabels, Cooperative, CooperativeKD, Single, StaticKD, Task

N_ACTIVITIES, N_ATOMIC = 75, 448

PRECISIONS = ("fp64", "fp32", "tf32", "bf16")
"""How the device computes: in float64, float32, float32 with TF32 products, bfloat16 autocast."""

EXACT = 1e-9
"""The largest relative error in float64 that counts as right."""

SHARES = {"fp32": ("fp32", 3.0), "tf32": ("bf16", 0.7), "bf16": ("bf16", 1.5)}
"""In less: so many times the error that the CPU itself has on this batch, in which precision."""


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow or forbid TF32 products, in matrix products and convolutions."""
    before = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def relative(found: Tensor, reference: Tensor) -> float:
    """Norm of the difference over the norm of the reference; inf where anything is not finite."""
    found, reference = found.detach().double().cpu(), reference.detach().double().cpu()
    if not bool(torch.isfinite(found).all()):
        return float("inf")
    return float((found - reference).norm() / reference.norm().clamp(min=1e-300))


def tasks(config: ModelConfig, modalities: tuple[str, ...]) -> dict[str, Task]:
    """One task of each kind, on networks with equal initial weights."""

    def nets() -> dict[str, ModalityNet]:
        return build_nets(config, modalities, N_ACTIVITIES, N_ATOMIC, 0)

    both = CompositionConfig()
    official = from_dict({"preset": "official"})
    made: dict[str, Task] = {
        "single": Single(nets(), both),
        "cooperative, video": Cooperative(nets(), both, AlignmentConfig(negatives="video")),
        "cooperative, batch": Cooperative(nets(), both, AlignmentConfig(negatives="batch")),
        "cooperative, official": Cooperative(
            nets(),
            official.composition,
            official.align,
        ),
        "cooperative KD": CooperativeKD(nets(), both, DistillationConfig()),
        "static KD": StaticKD(nets(), both, DistillationConfig(), students=(modalities[0],)),
        "uncertainty": Single(nets(), CompositionConfig(weighting="uncertainty")),
    }
    return made


def random_batch(
    config: ModelConfig, modalities: tuple[str, ...], n_clips: int, frames: int, seed: int = 0
) -> tuple[dict[str, Tensor], ClipLabels]:
    """Random clips and labels as tasks take them, float32 on the CPU, one row without third."""
    generator = torch.Generator().manual_seed(seed)
    inputs: dict[str, Tensor] = {}
    for modality in modalities:
        shape: tuple[int, ...] = (n_clips, config.blocks, 3, frames, config.size, config.size)
        if modality == "audio":
            shape = (n_clips, 1, config.n_mels, config.audio_columns)
            inputs[modality] = torch.randn(shape, generator=generator)
            continue
        coarse = torch.randn(n_clips * config.blocks, 3, 8, 8, generator=generator)
        picture = F.interpolate(coarse, size=config.size, mode="bicubic")
        moving = picture.view(n_clips, config.blocks, 3, 1, config.size, config.size)
        inputs[modality] = moving + 0.2 * torch.randn(shape, generator=generator)
    blocks = (torch.rand(n_clips, config.blocks, N_ATOMIC, generator=generator) < 0.02).float()
    present = {m: torch.ones(n_clips, dtype=torch.bool) for m in modalities}
    if "third" in present and n_clips > 2:
        present["third"][-1] = False
    targets = ClipLabels(
        activity=torch.randint(N_ACTIVITIES, (n_clips,), generator=generator),
        atomic_clip=blocks.amax(dim=1),
        atomic_block=blocks,
        block_valid=torch.ones(n_clips, config.blocks, dtype=torch.bool),
        atomic_known=torch.ones(n_clips, dtype=torch.bool),
        present=present,
    )
    return inputs, targets


def moved(
    inputs: Mapping[str, Tensor], targets: ClipLabels, device: torch.device, dtype: torch.dtype
) -> tuple[dict[str, Tensor], ClipLabels]:
    """The batch on a device; pixels and labels in ``dtype``."""
    there = {name: x.to(device, dtype) for name, x in inputs.items()}
    return there, ClipLabels(
        activity=targets.activity.to(device),
        atomic_clip=targets.atomic_clip.to(device, dtype),
        atomic_block=targets.atomic_block.to(device, dtype),
        block_valid=targets.block_valid.to(device),
        atomic_known=targets.atomic_known.to(device),
        present={name: x.to(device) for name, x in targets.present.items()},
    )


def without_dropout(task: Task) -> Task:
    """The same task with dropout off: masks are drawn by the device and differ between devices."""
    for module in task.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
    return task


def loss_and_gradient(
    task: Task,
    inputs: Mapping[str, Tensor],
    targets: ClipLabels,
    device: torch.device,
    precision: str,
) -> tuple[float, Tensor]:
    """The total loss and the gradient by every parameter, as one float64 vector on the CPU."""
    dtype = torch.float64 if precision == "fp64" else torch.float32
    own = without_dropout(copy.deepcopy(task)).to(device, dtype).train()
    x, y = moved(inputs, targets, device, dtype)
    with (
        tf32(precision == "tf32"),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
    ):
        losses = own(x, y, step=0)
        losses["total"].backward()
    gradients = [
        (torch.zeros_like(p) if p.grad is None else p.grad).detach().double().flatten().cpu()
        for p in own.parameters()
    ]
    return float(losses["total"].detach()), torch.cat(gradients)


def compare_tasks(
    config: ModelConfig,
    modalities: tuple[str, ...],
    device: torch.device,
    *,
    n_clips: int,
    frames: int,
    deadline_s: float,
) -> list[tuple[str, str, float, float, float]]:
    """Task, precision, relative errors of loss and gradient against the CPU's float64, and a limit.

    Tasks that ``deadline_s`` (a moment of ``time.monotonic``) leaves no time for are left out.
    """
    rows = []
    inputs, targets = random_batch(config, modalities, n_clips, frames)
    cpu = torch.device("cpu")
    for name, task in tasks(config, modalities).items():
        if time.monotonic() > deadline_s:
            break
        loss, gradient = loss_and_gradient(task, inputs, targets, cpu, "fp64")
        own_errors = {
            coarse: relative(loss_and_gradient(task, inputs, targets, cpu, coarse)[1], gradient)
            for coarse in ("fp32", "bf16")
        }
        for precision in PRECISIONS:
            if precision == "tf32" and device.type != "cuda":
                continue
            found, own = loss_and_gradient(task, inputs, targets, device, precision)
            peer, times = SHARES.get(precision, ("", 0.0))
            limit = times * own_errors[peer] if peer else EXACT
            errors = abs(found - loss) / abs(loss), relative(own, gradient)
            rows.append((name, precision, *errors, limit))
    return rows


CONVOLUTIONS = {
    "stem (1,7,7) 3 to 64, 128 px": ((3, 5, 128, 128), 64, (1, 7, 7), (1, 2, 2), (0, 3, 3)),
    "layer1 (1,3,3) 64, 32 px": ((64, 5, 32, 32), 64, (1, 3, 3), (1, 1, 1), (0, 1, 1)),
    "layer3 3x3x3 128 to 256, 16 px": ((128, 5, 16, 16), 256, (3, 3, 3), (2, 2, 2), (1, 1, 1)),
    "layer3 3x3x3 256, 8 px": ((256, 3, 8, 8), 256, (3, 3, 3), (1, 1, 1), (1, 1, 1)),
    "layer4 3x3x3 256, 4 px": ((256, 2, 4, 4), 256, (3, 3, 3), (1, 1, 1), (1, 1, 1)),
    "side shorter than the kernel": ((256, 1, 2, 2), 256, (3, 3, 3), (1, 1, 1), (1, 1, 1)),
}
"""Name: input [C, K, h, w], output channels, kernel, stride, padding."""


def compare_convolutions(
    device: torch.device, n_clips: int, *, only: int | None = None
) -> list[tuple[str, str, float, float, float]]:
    """Layer, precision, relative errors of its weight and input gradients, milliseconds a step."""
    rows = []
    for name, (shape, channels, kernel, stride, padding) in list(CONVOLUTIONS.items())[:only]:
        generator = torch.Generator().manual_seed(1)
        x = torch.randn((n_clips, *shape), generator=generator)
        w = torch.randn((channels, shape[0], *kernel), generator=generator) / 10

        def run(
            place: torch.device,
            dtype: torch.dtype,
            x: Tensor = x,
            w: Tensor = w,
            stride: tuple[int, ...] = stride,
            padding: tuple[int, ...] = padding,
        ) -> tuple[Tensor, Tensor]:
            a, b = (t.to(place, dtype).requires_grad_() for t in (x, w))
            out = F.conv3d(a, b, stride=stride, padding=padding)
            seed = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
            by_input, by_weight = torch.autograd.grad(out, (a, b), seed.to(place, dtype))
            return by_weight, by_input

        reference = run(torch.device("cpu"), torch.float64)
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            with tf32(False):
                found = run(device, dtype)
                synchronise(device)
                begin_s = time.perf_counter()
                for _ in range(3):
                    run(device, dtype)
                synchronise(device)
            took_ms = 1e3 * (time.perf_counter() - begin_s) / 3
            errors = [relative(own, ref) for own, ref in zip(found, reference, strict=True)]
            rows.append((name, precision, errors[0], errors[1], took_ms))
    return rows


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def shortcut(
    config: ModelConfig,
    device: torch.device,
    negatives: Negatives,
    *,
    n_clips: int,
    frames: int,
    steps: int,
    report: tuple[int, ...],
    precision: str = "bf16",
) -> dict[int, tuple[float, float]]:
    """Alignment loss and accuracy after some steps, of two views whose contents are independent.

    Each clip is a smooth random picture with noise, drawn anew for each view and step: the only
    thing that both views share is the number of the block. A loss that falls here is solved by the
    recurrent state, which tells that number, and not by contents (Eq. 1 read most narrowly).
    """
    generator = torch.Generator(device=device).manual_seed(3)
    nets = build_nets(config, ("ego", "third"), 2, 2, 0)
    align = AlignmentConfig(negatives=negatives)
    task = Cooperative(nets, CompositionConfig(targets="activity"), align).to(device).train()
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-3)
    targets = ClipLabels(
        activity=torch.full((n_clips,), -1, device=device),
        atomic_clip=torch.zeros(n_clips, 2, device=device),
        atomic_block=torch.zeros(n_clips, config.blocks, 2, device=device),
        block_valid=torch.ones(n_clips, config.blocks, dtype=torch.bool, device=device),
        atomic_known=torch.ones(n_clips, dtype=torch.bool, device=device),
    )

    def view() -> Tensor:
        coarse = torch.randn(n_clips, 3, 8, 8, generator=generator, device=device)
        picture = F.interpolate(coarse, size=config.size, mode="bicubic")[:, None, :, None]
        shape = (n_clips, config.blocks, 3, frames, config.size, config.size)
        noise = torch.randn(shape, generator=generator, device=device)
        return picture + 0.3 * noise

    found = {}
    for step in range(1, steps + 1):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            losses = task({"ego": view(), "third": view()}, targets, step=step)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        optimizer.step()
        if step in report:
            accuracy = float(losses["stat/alignment_accuracy/ego-third"])
            found[step] = (float(losses["alignment/ego-third"].detach()), accuracy)
    return found
