"""The audio features: VGG19 with BatchNorm over a log-mel spectrogram seen as an image."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.ccau.models.batch_norms import BatchNorm
from homage_sdk.errors import UsageError

# Channels in units of the width; 0 is a 2x2 max-pool. VGG19 ("E" of Simonyan and Zisserman).
VGG19 = (1, 1, 0, 2, 2, 0, 4, 4, 4, 4, 0, 8, 8, 8, 8, 0, 8, 8, 8, 8, 0)


def extra_stages(n_mels: int, n_columns: int) -> int:
    """How many more (convolution, pool) stages bring the short side to 1.

    >>> extra_stages(128, 344)  # 128 x 344 is 4 x 10 after VGG19
    2
    """
    short = min(n_mels, n_columns) // 32
    if short < 1:
        raise UsageError(
            "a spectrogram this small leaves nothing after five poolings",
            found=f"{n_mels} x {n_columns}",
            expected="at least 32 x 32",
            hint="use more mel bands or a longer sound",
        )
    return short.bit_length() - 1


class AudioFeatures(nn.Sequential):
    """Convolutions 0.*, 3.* ... as the authors number them: [B, c, H, W] -> [B, 8 * width, h, w].

    ``channels``: 1 for log-mel, 3 for the public code's coloured pictures; ``width``: of the first
    layer, 64 in VGG19; ``stages``: see :func:`extra_stages`.
    """

    def __init__(self, channels: int, width: int, stages: int) -> None:
        layers: list[nn.Module] = []
        inputs = channels
        for factor in VGG19 + (8, 0) * stages:
            if factor == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            outputs = factor * width
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                BatchNorm(outputs),
                nn.ReLU(inplace=True),
            ]
            inputs = outputs
        super().__init__(*layers)
        self.in_channels = channels
        self.out_channels = inputs
        self.stages = stages

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1 or 3, n_mels, T] -> [B, C, h, w]; one channel is repeated as needed."""
        if x.ndim != 4 or x.shape[1] not in (1, self.in_channels):
            raise UsageError(
                "the audio has another shape",
                found=str(tuple(x.shape)),
                expected=f"[B, 1 or {self.in_channels}, n_mels, T]",
            )
        if min(x.shape[2:]) < 2 ** (5 + self.stages):
            raise UsageError(
                "the spectrogram is smaller than the network was built for",
                found=f"{x.shape[2]} x {x.shape[3]}",
                expected=f"at least {2 ** (5 + self.stages)} on both sides",
                hint="set n_mels and audio_columns of the model to the loader's",
            )
        if x.shape[1] != self.in_channels:
            x = x.expand(-1, self.in_channels, -1, -1)
        for layer in self:
            x = layer(x)
        return x
