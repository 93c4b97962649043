"""The authors' networks, written down once more from their description (plain 3D, plain loops).

Nothing here is shared with baselines/ccau: names and shapes follow the keys of the published
checkpoints, the arithmetic follows CCAU.md. ``width`` shrinks them for tests; theirs is 64.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, planes, stride, time, last):
        super().__init__()
        k = (3 if time else 1, 3, 3)
        pad = (1 if time else 0, 1, 1)
        s = (stride if time else 1, stride, stride)
        self.conv1 = nn.Conv3d(inputs, planes, k, s, pad, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, k, 1, pad, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.downsample = None
        if stride != 1 or inputs != planes:
            self.downsample = nn.Sequential(
                nn.Conv3d(inputs, planes, 1, s, bias=False), nn.BatchNorm3d(planes)
            )
        self.last = last

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y)) + shortcut
        return y if self.last else torch.relu(y)


class Backbone(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        w = width
        self.layer1 = nn.Sequential(Block(w, w, 1, False, False), Block(w, w, 1, False, False))
        self.layer2 = nn.Sequential(
            Block(w, 2 * w, 2, False, False), Block(2 * w, 2 * w, 1, False, False)
        )
        self.layer3 = nn.Sequential(
            Block(2 * w, 4 * w, 2, True, False), Block(4 * w, 4 * w, 1, True, False)
        )
        self.layer4 = nn.Sequential(
            Block(4 * w, 4 * w, 2, True, False), Block(4 * w, 4 * w, 1, True, True)
        )

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Cell(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.reset_gate = nn.Conv2d(2 * d, d, 1)
        self.update_gate = nn.Conv2d(2 * d, d, 1)
        self.out_gate = nn.Conv2d(2 * d, d, 1)

    def forward(self, x, h):
        both = torch.cat([x, h], 1)
        update = torch.sigmoid(self.update_gate(both))
        reset = torch.sigmoid(self.reset_gate(both))
        out = torch.tanh(self.out_gate(torch.cat([x, reset * h], 1)))
        return h * (1 - update) + out * update


class Aggregator(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.ConvGRUCell_00 = Cell(d)
        self.cell_list = nn.ModuleList([self.ConvGRUCell_00])  # the same cell under two names


class Attention(nn.Module):
    def __init__(self, d, cells):
        super().__init__()
        hidden = max(d // 8, 4)  # 32 at the authors' width
        self.projection = nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.attention = nn.Sequential(
            nn.Linear(cells * hidden, cells), nn.ReLU(), nn.Linear(cells, cells), nn.Softmax(-1)
        )


def head(d, classes):
    return nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Dropout(0.75), nn.Linear(d, classes))


class AuthorsVideo(nn.Module):
    def __init__(self, width=64, side=4, activities=75, atomic=448):
        super().__init__()
        d = 4 * width
        self.backbone = Backbone(width)
        self.agg = Aggregator(d)
        self.final_bn = nn.BatchNorm1d(d)
        self.final_fc = head(d, activities)
        self.final_fc_video = head(d, activities)
        self.final_fc_atomic = head(d, atomic)
        self.attention_fn = Attention(d, side * side)

    def forward(self, x):
        b, n = x.shape[:2]
        z = torch.relu(self.backbone(x.flatten(0, 1))).mean(2)
        d, s = z.shape[1], z.shape[-1]
        z = z.view(b, n, d, s, s)
        h = torch.zeros(b, d, s, s)
        for j in range(n):
            h = self.agg.ConvGRUCell_00(z[:, j], h)
        cells = h.permute(0, 2, 3, 1).reshape(b, s * s, d)
        small = self.attention_fn.projection(cells)
        p = self.attention_fn.attention(small.reshape(b, -1)).view(b, 1, s, s)
        c = self.final_bn((h * p).sum((-1, -2)))
        return self.final_fc_video(c), self.final_fc_atomic(c)


class AuthorsAudio(nn.Module):
    def __init__(self, width=64, extra=2, positions=2, activities=75, atomic=448, d=None):
        super().__init__()
        d = d or 4 * width
        plan = [1, 1, 0, 2, 2, 0, 4, 4, 4, 4, 0, 8, 8, 8, 8, 0, 8, 8, 8, 8, 0] + [8, 0] * extra
        layers, inputs = [], 3
        for factor in plan:
            if factor:
                layers += [
                    nn.Conv2d(inputs, factor * width, 3, padding=1),
                    nn.BatchNorm2d(factor * width),
                    nn.ReLU(),
                ]
                inputs = factor * width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.flatten = nn.Sequential(nn.Linear(inputs * positions, d))
        self.final_fc = head(d, activities)
        self.final_fc_video = head(d, activities)
        self.final_fc_atomic = head(d, atomic)

    def forward(self, x):
        c = self.flatten(self.features(x).flatten(1))
        return self.final_fc_video(c), self.final_fc_atomic(c)


def stir(module, seed):
    """Give every weight and running statistic values that an error would show."""
    g = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=g))
        elif value.dtype.is_floating_point and (value.ndim == 1):
            value.add_(0.1 * torch.randn(value.shape, generator=g))
    return module.eval()
