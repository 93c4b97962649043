"""What all tasks share: running the networks on the rows they have, and the compositional loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from baselines.ccau.config.objective_config import CompositionConfig
from baselines.ccau.losses.composition import (
    activity_loss,
    atomic_loss,
    weighted_by_uncertainty,
)
from baselines.ccau.losses.ranks import ALONE, Ranks
from baselines.ccau.models.build_nets import MODALITIES, ModalityNet, ModalityOutput
from homage_sdk.errors import UsageError
from homage_sdk.loader.batch import Batch, SceneGraphBatch

Inputs = Mapping[str, Tensor | SceneGraphBatch]


@dataclass
class ClipLabels:
    """The labels of B clips (loader/batch.py holds the same fields)."""

    activity: Tensor  # int64 [B], -1 unknown
    atomic_clip: Tensor  # float [B, C]
    atomic_block: Tensor  # float [B, N, C]
    block_valid: Tensor  # bool [B, N]
    atomic_known: Tensor  # bool [B], False where the sequence has no atomic labels
    present: dict[str, Tensor] = field(default_factory=dict)  # modality: bool [B]

    @classmethod
    def of(cls, batch: Batch, modalities: Iterable[str]) -> ClipLabels:
        """The labels of a loader's batch, and where it has these modalities."""
        return cls(
            activity=batch.activity,
            atomic_clip=batch.atomic_clip,
            atomic_block=batch.atomic_block,
            block_valid=batch.block_valid,
            atomic_known=batch.atomic_known,
            present={modality: batch.present[modality] for modality in modalities},
        )

    def has(self, modality: str) -> Tensor:
        """Rows, bool [B], with this modality (all, where ``present`` does not name it)."""
        if modality in self.present:
            return self.present[modality].bool()
        return torch.ones_like(self.activity, dtype=torch.bool)


class Task(nn.Module):
    """Networks and the losses that train them.

    ``losses`` returns scalars under these names: ``total`` (the one to differentiate),
    ``MODALITY/activity``, ``MODALITY/atomic``, ``MODALITY/total``, and detached figures under
    ``stat/``. Losses are means over the full batch of all ranks (see losses/ranks.py).
    """

    def __init__(
        self,
        nets: Mapping[str, ModalityNet],
        composition: CompositionConfig | None = None,
    ) -> None:
        super().__init__()
        unknown = set(nets) - set(MODALITIES)
        if unknown or not nets:
            raise UsageError(
                "a task needs networks of known modalities",
                found=", ".join(nets) or "none",
                expected="some of " + ", ".join(MODALITIES),
            )
        self.composition = composition or CompositionConfig()
        self.nets = nn.ModuleDict({m: nets[m] for m in MODALITIES if m in nets})
        self.log_variance = nn.ParameterDict()
        if self.composition.weighting == "uncertainty" and self.composition.targets == "both":
            self.log_variance.update({m: nn.Parameter(torch.zeros(2)) for m in self.trained})

    @property
    def modalities(self) -> tuple[str, ...]:
        """All modalities, in canonical order."""
        return tuple(self.nets)

    @property
    def trained(self) -> tuple[str, ...]:
        """The modalities whose networks learn."""
        return self.modalities

    def net(self, modality: str) -> ModalityNet:
        """The network of a modality."""
        return cast(ModalityNet, self.nets[modality])

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Optimizer groups with a ``name``: one a modality, then "alignment" and "uncertainty".

        Clip gradients per group. The uncertainty weights carry ``weight_decay`` 0.
        """
        groups: list[dict[str, Any]] = [
            {"name": m, "params": list(self.net(m).parameters())} for m in self.trained
        ]
        known = {id(p) for p in self.nets.parameters()}
        known |= {id(p) for p in self.log_variance.parameters()}
        rest = [p for p in self.parameters() if id(p) not in known]
        if rest:
            groups.append({"name": "alignment", "params": rest})
        if self.log_variance:
            own = list(self.log_variance.parameters())
            groups.append({"name": "uncertainty", "params": own, "weight_decay": 0.0})
        return groups

    def losses(
        self, inputs: Inputs, targets: ClipLabels, *, step: int, collective: bool = True
    ) -> dict[str, Tensor]:
        """All losses of one batch; UsageError where a modality of the task is no input.

        ``inputs`` has one entry a modality, see :meth:`ModalityNet.forward`. ``step`` names the
        dropout streams: it counts batches, not optimizer steps. Not ``collective``, these are this
        rank's losses alone, without talking to the others.
        """
        ranks = Ranks.current() if collective else ALONE
        outputs = self.outputs(inputs, targets, step=step, rank=ranks.rank)
        return self.compare(outputs, targets, ranks)

    def compare(
        self, outputs: Mapping[str, ModalityOutput], targets: ClipLabels, ranks: Ranks
    ) -> dict[str, Tensor]:
        """The losses of what the networks said; see :meth:`losses`."""
        named: dict[str, Tensor] = {}
        totals = []
        for m in self.trained:
            parts = self._supervised(m, outputs, targets, ranks)
            loss = self._composed(m, parts)
            named |= {f"{m}/{name}": value for name, value in parts.items()}
            named[f"{m}/total"] = loss
            totals.append(loss)
            named[f"stat/context_std/{m}"] = _context_std(outputs[m], targets.has(m))
        terms, reported = self._extra(outputs, targets, ranks)
        named |= reported
        total = torch.stack([*totals, *terms]).sum()
        if torch.is_grad_enabled() and not total.requires_grad:
            # No row trains anything. Each rank still takes part in the backward pass of all.
            trained = next(p for p in self.parameters() if p.requires_grad)
            total = _Idle.apply(total, trained)  # type: ignore[no-untyped-call]
        named["total"] = total
        return named

    forward = losses  # what DistributedDataParallel calls

    def outputs(
        self, inputs: Inputs, targets: ClipLabels, *, step: int, rank: int = 0
    ) -> dict[str, ModalityOutput]:
        """Each network on the rows that have its modality, laid out over all B rows.

        Absent rows never enter a network, so they cannot touch the statistics of its BatchNorm.
        """
        missing = [m for m in self.modalities if m not in inputs]
        if missing:
            raise UsageError(
                "the batch lacks modalities of the task",
                found=", ".join(inputs) or "none",
                expected=", ".join(self.modalities),
                hint="load them, or train without them",
            )
        return {m: self._run(m, inputs[m], targets, step, rank) for m in self.modalities}

    def _run(
        self, modality: str, x: Tensor | SceneGraphBatch, targets: ClipLabels, step: int, rank: int
    ) -> ModalityOutput:
        net = self.net(modality)
        net.source.at(step, rank)
        has = targets.has(modality)
        if bool(has.all()):
            return cast(ModalityOutput, net(x, targets.block_valid))
        rows = has.nonzero().squeeze(1)
        if len(rows) == 0:
            n_clips, n_blocks = targets.block_valid.shape
            return net.absent(n_clips, n_blocks, has.device)
        out: ModalityOutput = net(_take(x, rows), targets.block_valid.index_select(0, rows))
        return out.scattered(rows, len(has))

    def _supervised(
        self,
        modality: str,
        outputs: Mapping[str, ModalityOutput],
        targets: ClipLabels,
        ranks: Ranks,
    ) -> dict[str, Tensor]:
        """The unweighted losses: "activity" and "atomic", as far as they are trained."""
        out, has, config = outputs[modality], targets.has(modality), self.composition
        by_block = out.per_block and self.net(modality).config.classify == "block"
        if by_block:
            rows = (out.valid & has.unsqueeze(1)).flatten()
            n_blocks = out.valid.shape[1]
            activity = targets.activity.repeat_interleave(n_blocks)
            logits = out.activity_block.flatten(0, 1), out.atomic_block.flatten(0, 1)
            atomic = targets.atomic_block.flatten(0, 1)
            labelled = targets.atomic_known.repeat_interleave(n_blocks)
        else:
            rows = has & out.valid.any(dim=1)
            activity, atomic = targets.activity, targets.atomic_clip
            labelled = targets.atomic_known
            logits = out.activity, out.atomic
        parts = {}
        if config.targets != "atomic":
            parts["activity"] = activity_loss(logits[0], activity, rows, ranks=ranks)
        if config.targets != "activity":
            parts["atomic"] = atomic_loss(
                logits[1],
                atomic,
                rows & labelled,
                focal=config.atomic == "focal",
                gamma=config.focal_gamma,
                positive_weight=config.focal_positive_weight,
                ranks=ranks,
            )
        return parts

    def _composed(self, modality: str, parts: Mapping[str, Tensor]) -> Tensor:
        """L_c of one modality; lambda weighs atomic actions also where nothing else is learned.

        Otherwise alignment would weigh lambda times more against them there than beside activities.
        """
        config = self.composition
        if config.weighting == "uncertainty":
            if len(parts) == 1:
                return next(iter(parts.values()))
            both = torch.stack([parts["activity"], parts["atomic"]])
            return weighted_by_uncertainty(both, self.log_variance[modality])
        weights = {"activity": 1.0, "atomic": config.atomic_weight}
        weighted = [weights[name] * loss for name, loss in parts.items()]
        return torch.stack(weighted).sum()

    def _extra(
        self, outputs: Mapping[str, ModalityOutput], targets: ClipLabels, ranks: Ranks
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Terms beyond the supervision of each modality, and what to report of them."""
        return [], {}


class Single(Task):
    """One or several modalities, each by its own labels alone (row "Single" of Tables 2-4)."""


class _Idle(torch.autograd.Function):
    """A loss that can be differentiated and gives ``parameter`` no gradient at all.

    Not even one of zeros: an optimiser would decay the weight by it, and follow its momentum.
    """

    @staticmethod
    def forward(ctx: Any, loss: Tensor, parameter: Tensor) -> Tensor:
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None]:
        return None, None


def _take(x: Tensor | SceneGraphBatch, rows: Tensor) -> Tensor | SceneGraphBatch:
    if isinstance(x, Tensor):
        return x.index_select(0, rows)
    return replace(x, **{f.name: getattr(x, f.name).index_select(0, rows) for f in fields(x)})


def _context_std(out: ModalityOutput, has: Tensor) -> Tensor:
    """Mean over features of the standard deviation between clips: 0 means collapse.

    NaN for fewer than two clips, between which there is none.
    """
    rows = out.clip.detach()[has]
    if len(rows) < 2:
        return out.clip.new_full((), float("nan"))
    return rows.std(dim=0, correction=0).mean()
