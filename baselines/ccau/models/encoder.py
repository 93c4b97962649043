"""f: the 2D-3D ResNet of the video modalities.

The stem and layers 1-2 use (1, k, k) kernels: they never look along time. They are applied as 2D
convolutions over all B * N * K frames, in channels-last memory. Parameters keep the shapes and
names of ``nn.Conv3d``, so that state dicts are the authors'. Layers 3-4 are 3x3x3 with stride 2 in
time as well, on the same memory seen as clips.

On a CPU torch 2.13 adds up the batch statistics of channels-last memory one by one in float32: at
the stem of the full size (160 frames of 64 x 64) 1 / deviation is off by up to 1.5e-4, in PyTorch's
own memory order by 1e-7.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.ccau.models.batch_norms import BatchNorm
from baselines.ccau.precision import exact
from homage_sdk.errors import UsageError

CELL = 32
"""Pixels from one cell of the grid to the next: five halvings."""


def cell_spans(size: int) -> list[tuple[float, float]]:
    """Along a side of ``size`` pixels, the share of it that each cell of the grid stands for.

    Every kernel is padded by half its size, so that cell i is centred on pixel 32 i, not on the
    middle of the i-th of equal parts: the first cell sees half as much as the others, and the last
    one also what is left up to the edge, the less the further out.

    >>> [(round(a * 128, 1), round(b * 128, 1)) for a, b in cell_spans(128)]
    [(0.0, 16.5), (16.5, 48.5), (48.5, 80.5), (80.5, 128.0)]
    """
    edges = [0.0, *(CELL * i - CELL / 2 + 0.5 for i in range(1, -(-size // CELL))), size]
    return [(begin / size, end / size) for begin, end in pairwise(edges)]


def cell_middles(size: int) -> list[float]:
    """Along a side of ``size`` pixels, what each cell looks at most, as a share of the side.

    The middle of its span, and of the last one's as if that had the length of the others.

    >>> [round(middle * 128, 2) for middle in cell_middles(128)]
    [8.25, 32.5, 64.5, 96.5]
    """
    return [(a + min(b, a + CELL / size)) / 2 for a, b in cell_spans(size)]


BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


class FrameConv(nn.Conv3d):
    """A (1, k, k) convolution, without bias, over frames [F, C, H, W] or blocks [R, C, K, H, W]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            inputs,
            outputs,
            (1, kernel, kernel),
            stride=(1, stride, stride),
            padding=(0, kernel // 2, kernel // 2),
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """2D on 4-dimensional input, plain 3D on 5-dimensional input: the same numbers."""
        if x.ndim == 5:
            return super().forward(x)
        stride, padding = self.stride[1:], self.padding[1:]
        return F.conv2d(x, self.weight.squeeze(2), None, stride, padding)


class BlockConv(nn.Conv3d):
    """A k x k x k convolution, without bias, over blocks [R, C, K, H, W]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Conv3d``; on a CPU a side shorter than the kernel keeps it out of bfloat16.

        There the weight gradient of bfloat16 reads unwritten memory: infinite or 1.5 times
        too large, and different at every call (torch 2.13, measured at 2 x 4 x 4, which is layer 4
        of the paper's model).
        """
        if x.device.type == "cpu" and min(x.shape[2:]) < max(self.kernel_size):
            with torch.autocast("cpu", enabled=False):
                return super().forward(exact(x))
        return super().forward(x)


Conv = Callable[..., nn.Conv3d]


class ResidualBlock(nn.Module):
    """Two 3x3 (or 3x3x3) convolutions beside a shortcut; as a bottleneck 1x1, 3x3, 1x1.

    The output of a bottleneck has 4 x planes channels. Spatial and temporal stride are the same on
    both paths.
    """

    def __init__(
        self,
        conv: Conv,
        inputs: int,
        planes: int,
        stride: int,
        *,
        bottleneck: bool,
        final_relu: bool,
    ) -> None:
        super().__init__()
        outputs = planes * (4 if bottleneck else 1)
        self.conv1 = conv(inputs, planes, 1) if bottleneck else conv(inputs, planes, 3, stride)
        self.bn1 = BatchNorm(planes)
        self.conv2 = conv(planes, planes, 3, stride if bottleneck else 1)
        self.bn2 = BatchNorm(planes)
        if bottleneck:
            self.conv3 = conv(planes, outputs, 1)
            self.bn3 = BatchNorm(outputs)
        self.bottleneck, self.final_relu = bottleneck, final_relu
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:  # the input does not fit the sum
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), BatchNorm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[F, C, H, W] or [R, C, K, H, W], as its convolutions take it."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.bottleneck:
            out = self.bn3(self.conv3(F.relu(out, inplace=True)))
        out = out + (x if self.downsample is None else self.downsample(x))
        return F.relu(out, inplace=True) if self.final_relu else out


class VideoEncoder(nn.Module):
    """2D-3D ResNet18, 34 or 50: blocks of frames to grids of features (paper, section 5.1).

    The stem and layer 1 have ``width`` channels, layers 2-4 2, 4 and 4 times as many. Not
    ``folded``, every convolution is run as a plain 3D one, for comparison.
    """

    def __init__(self, width: int = 64, depth: int = 18, *, folded: bool = True) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise UsageError("no such depth", found=str(depth), expected="18, 34 or 50")
        if width < 1:
            raise UsageError("the width must be positive", found=str(width))
        bottleneck = depth == 50
        expansion, counts = 4 if bottleneck else 1, BLOCKS[depth]
        self.folded = folded
        self.channels = 4 * width * expansion
        self.conv1 = FrameConv(3, width, 7, 2)
        self.bn1 = BatchNorm(width)

        inputs = width
        planes = (width, 2 * width, 4 * width, 4 * width)
        convs: tuple[Conv, ...] = (FrameConv, FrameConv, BlockConv, BlockConv)
        layers = []
        for number, (conv, size, count) in enumerate(zip(convs, planes, counts, strict=True), 1):
            blocks = []
            for index in range(count):
                stride = 2 if index == 0 and number > 1 else 1
                last = number == 4 and index == count - 1
                blocks.append(
                    ResidualBlock(
                        *(conv, inputs, size, stride), bottleneck=bottleneck, final_relu=not last
                    )
                )
                inputs = size * expansion
            layers.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, 3, K, H, W] float -> [B, N, h * w, C], h = ceil(H / 32), mean over time."""
        if x.ndim != 6 or x.shape[2] != 3:
            raise UsageError(
                "a video modality has another shape",
                found=str(tuple(x.shape)),
                expected="[B, N, 3, K, H, W]",
            )
        n_clips, n_blocks, _, n_frames, height, width = x.shape
        if self.folded:
            out = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, 3, height, width)
            out = out.contiguous(memory_format=torch.channels_last)
        else:
            out = x.flatten(0, 1)
        out = F.relu(self.bn1(self.conv1(out)), inplace=True)
        if self.folded:
            out = F.max_pool2d(out, 3, 2, 1)
        else:
            out = F.max_pool3d(out, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        out = self.layer2(self.layer1(out))
        if self.folded:
            out = _as_blocks(out, n_frames)
        out = self.layer4(self.layer3(out))
        cells = F.relu(out).mean(dim=2).flatten(2).transpose(1, 2)
        return cells.reshape(n_clips, n_blocks, *cells.shape[1:])


def _as_blocks(frames: Tensor, n_frames: int) -> Tensor:
    """[R * K, C, H, W] to [R, C, K, H, W] without a copy: both are channels-last in memory."""
    pixels = frames.permute(0, 2, 3, 1)
    return pixels.reshape(-1, n_frames, *pixels.shape[1:]).permute(0, 4, 1, 2, 3)
