"""Knowledge distillation between modalities: the rivals of Table 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from torch import Tensor

from baselines.ccau.config.objective_config import CompositionConfig, DistillationConfig
from baselines.ccau.losses.distillation import activity_divergence, atomic_divergence, distilled
from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.models.build_nets import ModalityNet, ModalityOutput
from baselines.ccau.tasks.task import ClipLabels, Task
from homage_sdk.errors import UsageError


class _Distilling(Task):
    """Adds the teachers' part to the losses of each student.

    The hard losses are those of the other tasks (per block or per clip); teachers and student
    meet at the clip's logits, which every modality has. A row counts where the student and at
    least one teacher are present.
    """

    def __init__(
        self,
        nets: Mapping[str, ModalityNet],
        composition: CompositionConfig | None = None,
        distillation: DistillationConfig | None = None,
    ) -> None:
        super().__init__(nets, composition)
        self.distillation = distillation or DistillationConfig()
        if len(self.nets) < 2:
            raise UsageError(
                "distillation needs a teacher",
                found=", ".join(self.nets),
                expected="two modalities",
            )

    def teachers(self, student: str) -> tuple[str, ...]:
        """Who teaches ``student``."""
        return tuple(m for m in self.modalities if m != student)

    def _supervised(
        self,
        modality: str,
        outputs: Mapping[str, ModalityOutput],
        targets: ClipLabels,
        ranks: Ranks,
    ) -> dict[str, Tensor]:
        parts = super()._supervised(modality, outputs, targets, ranks)
        own = targets.has(modality) & outputs[modality].valid.any(dim=1)
        teachers = self.teachers(modality)
        rows = [own & targets.has(t) & outputs[t].valid.any(dim=1) for t in teachers]
        w, temperature = self.distillation.weight, self.distillation.temperature
        divergences = {"activity": activity_divergence, "atomic": atomic_divergence}
        soft = {
            name: divergences[name](
                getattr(outputs[modality], name),
                [getattr(outputs[t], name) for t in teachers],
                rows,
                temperature,
                ranks=ranks,
            )
            for name in parts
        }
        return {name: distilled(hard, soft[name], w, temperature) for name, hard in parts.items()}


class CooperativeKD(_Distilling):
    """All modalities learn and all teach all: the logits of the same pass, detached."""


class StaticKD(_Distilling):
    """Trained teachers teach the students; teachers are frozen and stay in evaluation mode.

    ``nets`` holds the teachers with their trained weights loaded. All that are not ``students``
    teach: their columns therefore equal Single exactly (28.5 and 21.8 in the paper's Table 2).
    """

    def __init__(
        self,
        nets: Mapping[str, ModalityNet],
        composition: CompositionConfig | None = None,
        distillation: DistillationConfig | None = None,
        *,
        students: tuple[str, ...] = ("ego",),
    ) -> None:
        if not students or not set(students) < set(nets):
            raise UsageError(
                "static distillation needs students and at least one teacher",
                found=f"students {', '.join(students) or 'none'} of {', '.join(nets)}",
            )
        self.students = students
        super().__init__(nets, composition, distillation)
        for m in self.modalities:
            if m not in students:
                self.net(m).requires_grad_(False)
        self.train(self.training)

    @property
    def trained(self) -> tuple[str, ...]:
        """The students."""
        return tuple(m for m in self.modalities if m in self.students)

    def teachers(self, student: str) -> tuple[str, ...]:
        """All modalities that are not students."""
        return tuple(m for m in self.modalities if m not in self.students)

    def train(self, mode: bool = True) -> Self:
        """Set the students' mode; teachers stay in evaluation mode."""
        super().train(mode)
        for m in self.modalities:
            if m not in self.students:
                self.net(m).eval()
        return self
