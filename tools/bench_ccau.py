"""A CCAU training step against the same step of the public code's networks, in turn.

One step is forward, losses, backward and Adam on ego, third and audio. The public code's networks
are those that the tests write down once more from their description (plain 3D convolutions in
PyTorch's own memory order, a loop over the cells of g) without its alignment and its loader.

    python tools/bench_ccau.py                  # batch 4, 128 px, full width, float32
    python tools/bench_ccau.py --precision bf16
    python tools/bench_ccau.py --threads 1      # on a busy machine: CPU seconds of one thread

Prints the median wall and CPU seconds of both, the median and range of their paired ratios (ours
over theirs, below 1 is faster), and the peak resident memory of our steps.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from baselines.ccau.config.model_config import ModelConfig  # noqa: E402
from baselines.ccau.config.objective_config import AlignmentConfig  # noqa: E402
from baselines.ccau.models.audio_net import extra_stages  # noqa: E402
from baselines.ccau.models.build_nets import build_nets  # noqa: E402
from baselines.ccau.tasks import ClipLabels, Cooperative  # noqa: E402
from tests.unit.ccau.models.authors import AuthorsAudio, AuthorsVideo  # noqa: E402

MODALITIES = ("ego", "third", "audio")
A, C, N, K = 75, 448, 8, 5
ATOMIC_WEIGHT = 10.0


class Steps:
    """Both training steps on one batch."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.config = ModelConfig(width=args.width, size=args.size)
        self.is_bf16 = args.precision == "bf16"
        b, generator = args.batch, torch.Generator().manual_seed(0)
        pixels = torch.randn(b, N, K, args.size, args.size, 3, generator=generator)
        self.video = pixels.permute(0, 1, 5, 2, 3, 4)  # channels last in memory, as the loader's
        self.sound = torch.randn(
            b, 1, self.config.n_mels, self.config.audio_columns, generator=generator
        )
        self.targets = ClipLabels(
            activity=torch.arange(b) % A,
            atomic_clip=torch.rand(b, C, generator=generator).lt(0.02).float(),
            atomic_block=torch.rand(b, N, C, generator=generator).lt(0.02).float(),
            block_valid=torch.ones(b, N, dtype=torch.bool),
            atomic_known=torch.ones(b, dtype=torch.bool),
        )

    def ours(self) -> Callable[[], None]:
        """Cooperative training with Eq. 1."""
        nets = build_nets(self.config, MODALITIES, A, C, seed=0)
        task = Cooperative(nets, align=AlignmentConfig(weight=1.0))
        inputs = {m: self.sound if m == "audio" else self.video for m in MODALITIES}
        count = iter(range(1 << 30))
        return self._step(
            task, lambda: task.losses(inputs, self.targets, step=next(count))["total"]
        )

    def public(self) -> Callable[[], None]:
        """The public code's networks, with cross entropy and binary cross entropy alone."""
        config, side = self.config, self.config.size // 32
        extra = extra_stages(config.n_mels, config.audio_columns)
        shrink = 2 ** (5 + extra)
        positions = (config.n_mels // shrink) * (config.audio_columns // shrink)
        nets = nn.ModuleDict({m: AuthorsVideo(config.width, side, A, C) for m in ("ego", "third")})
        nets["audio"] = AuthorsAudio(config.width, extra, positions, A, C)
        video, sound = self.video.contiguous(), self.sound.expand(-1, 3, -1, -1).contiguous()

        def total() -> torch.Tensor:
            losses = []
            for modality, net in nets.items():
                activity, atomic = net(sound if modality == "audio" else video)
                losses.append(F.cross_entropy(activity.float(), self.targets.activity))
                labels = self.targets.atomic_clip
                atomic_loss = F.binary_cross_entropy_with_logits(atomic.float(), labels)
                losses.append(ATOMIC_WEIGHT * atomic_loss)
            return torch.stack(losses).sum()

        return self._step(nets, total)

    def _step(self, module: nn.Module, total: Callable[[], torch.Tensor]) -> Callable[[], None]:
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-4, weight_decay=1e-5, fused=True)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.is_bf16):
                loss = total()
            loss.backward()
            optimizer.step()

        return step


def timed(step: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f"torch {torch.__version__}, {args.threads} threads, {args.precision}, batch {args.batch}, "
        f"{args.size} px, width {args.width}"
    )
    made = Steps(args)
    ours = made.ours()
    for _ in range(2):
        ours()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    public = made.public()
    public()
    taken = [(timed(ours), timed(public)) for _ in range(args.rounds)]
    for name, found in zip(("ours", "public"), zip(*taken, strict=True), strict=True):
        wall_s, cpu_s = (statistics.median(seconds) for seconds in zip(*found, strict=True))
        print(f"{name:7s} wall {wall_s:.2f} s, CPU {cpu_s:.2f} s")
    for which, kind in enumerate(("wall", "CPU")):
        ratios = [own[which] / theirs[which] for own, theirs in taken]
        middle = statistics.median(ratios)
        print(f"ours / public, {kind}: {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"peak resident, ours: {peak_gb:.2f} GB")


if __name__ == "__main__":
    main()
