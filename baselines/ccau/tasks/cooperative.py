"""Cooperative training: every pair of modalities aligns (paper, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from baselines.ccau.config.objective_config import AlignmentConfig, CompositionConfig, Negatives
from baselines.ccau.losses.alignment import alignment, over_pairs
from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.models.attention import make_attention, pool
from baselines.ccau.models.build_nets import ModalityNet, ModalityOutput
from baselines.ccau.models.initialise import initialise, torch_default
from baselines.ccau.random_streams import undisturbed
from baselines.ccau.tasks.task import ClipLabels, Task
from homage_sdk.errors import UsageError


class PairSide(nn.Module):
    """One side of a pair in the public code: its own attention, then Linear D-D/2, ReLU, Linear."""

    def __init__(self, net: ModalityNet) -> None:
        super().__init__()
        dim = net.config.features
        kind = net.config.attention
        self.attention_fn = make_attention(kind, dim, net.n_cells, net.config.attention_tau)
        self.plain = net.config.pool
        self.projection = nn.Sequential(
            nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim // 2)
        )

    def forward(self, grid: Tensor) -> Tensor:
        """[B, cells, D] -> [B, D / 2]."""
        vector: Tensor = self.projection(pool(grid, self.attention_fn, self.plain)[0])
        return vector


class Cooperative(Task):
    """Single training plus alignment of every pair (rows "Cooperative", "CCAU").

    Under block granularity a modality with one vector a clip (audio, unless ``audio_blocks``)
    cannot tell blocks apart, so its pairs align whole clips: its vector against the mean of the
    other's valid blocks, with the clips of all ranks as negatives under "video" (one vector a clip
    has no others in its video), else those that ``negatives`` names.
    """

    def __init__(
        self,
        nets: Mapping[str, ModalityNet],
        composition: CompositionConfig | None = None,
        align: AlignmentConfig | None = None,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(nets, composition)
        self.align = align or AlignmentConfig()
        self.sides = nn.ModuleDict()
        if self.align.projection == "pair":
            if self.align.granularity == "block":
                raise UsageError(
                    'projection = "pair" works on the grid of the whole clip',
                    found='granularity = "block"',
                    expected='granularity = "clip"',
                )
            for first, second in self.pairs:
                for own in (first, second):
                    with undisturbed():
                        side = PairSide(self.net(own))
                    name = f"{own}_in_{first}_{second}"
                    initialise(
                        side, {"": torch_default}, seed=seed, modality=name, default_bias=("",)
                    )
                    self.sides[name] = side

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All pairs of modalities, in canonical order."""
        return tuple(combinations(self.modalities, 2))

    def _extra(
        self, outputs: Mapping[str, ModalityOutput], targets: ClipLabels, ranks: Ranks
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        if self.align.weight == 0.0:
            return [], {}
        losses, named = [], {}
        for first, second in self.pairs:
            a, b, valid_a, valid_b, negatives = self._sides(first, second, outputs, targets)
            found = alignment(
                a,
                b,
                valid_a,
                valid_b,
                normalize=self.align.normalize,
                tau=self.align.tau,
                negatives=negatives,
                centre=self.align.centre,
                ranks=ranks,
            )
            losses.append(found.loss)
            pair = f"{first}-{second}"
            named[f"alignment/{pair}"] = found.loss
            named[f"stat/alignment_accuracy/{pair}"] = found.accuracy
            named[f"stat/alignment_chance/{pair}"] = found.chance
            named[f"stat/alignment_placebo/{pair}"] = found.placebo
            named[f"stat/negatives/{pair}"] = found.negatives
        total = self.align.weight * over_pairs(losses, self.align.pairs)
        return [total], named | {"alignment/total": total}

    def _sides(
        self,
        first: str,
        second: str,
        outputs: Mapping[str, ModalityOutput],
        targets: ClipLabels,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Negatives]:
        """Both modalities' vectors [B, N, D], their masks [B, N], and where negatives come from."""
        negatives = self.align.negatives
        valid = {m: outputs[m].valid & targets.has(m).unsqueeze(1) for m in (first, second)}
        by_block = outputs[first].per_block and outputs[second].per_block
        if self.align.granularity == "block" and by_block:
            a, b = outputs[first].blocks, outputs[second].blocks
            return a, b, valid[first], valid[second], negatives
        clips = []
        for m in (first, second):
            if self.align.projection == "pair":
                with torch.autocast(outputs[m].grid.device.type, enabled=False):
                    clip = self.sides[f"{m}_in_{first}_{second}"](outputs[m].grid)
            elif self.align.granularity == "block" and outputs[m].per_block:
                count = valid[m].sum(dim=1, keepdim=True).clamp(min=1)
                clip = (outputs[m].blocks * valid[m].unsqueeze(-1)).sum(dim=1) / count
            else:
                clip = outputs[m].clip
            clips.append(clip.unsqueeze(1))
        masks = [valid[m].any(dim=1, keepdim=True) for m in (first, second)]
        # One vector a clip leaves nothing to contrast within a video.
        return *clips, *masks, "world" if negatives == "video" else negatives
