"""What all arms of Tables 2 to 7 will take: each is trained once a seed, for every table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.ccau.data.novel_split import TRAIN_SPLIT
from baselines.ccau.data.partition import TEST_SPLITS
from baselines.ccau.paper.arms import Arm, arm_config, choose, run_folder
from baselines.ccau.planning.run_plan import RunPlan, in_words, plan_run


@dataclass(frozen=True)
class ArmPlan:
    """One arm and the plans of its runs, one a seed."""

    arm: Arm
    runs: tuple[RunPlan, ...]

    @property
    def left_s(self) -> float | None:
        """Seconds that all its runs will take; None where the speed is unknown."""
        return _total(seconds for run in self.runs for seconds in (run.train_s, run.judge_s))


def plan_arms(
    shards: Path,
    out: Path,
    *,
    size: str,
    seeds: int = 3,
    only: Sequence[str] = (),
    tables: Sequence[str] = (),
    settings: Sequence[str] = (),
    gpu: Path | None = None,
    measure: bool = False,
) -> list[ArmPlan]:
    """The plan of ``ccau arms`` with these arguments, an arm each; writes nothing.

    Raises what ``plan_run`` raises, and UsageError for an unknown arm.
    """
    plans = []
    for arm in choose(only, tables):
        judged = (TRAIN_SPLIT, *TEST_SPLITS) if arm.is_fewshot else TEST_SPLITS
        runs: list[RunPlan] = []
        for seed in range(seeds):
            config = arm_config(arm, out, seed, size=size, settings=settings)
            run = run_folder(out, arm.name, seed)
            like = runs[0] if runs else None
            runs.append(
                plan_run(config, shards, run, gpu=gpu, measure=measure, judged=judged, like=like)
            )
        plans.append(ArmPlan(arm, tuple(runs)))
    return plans


def arm_rows(plans: Sequence[ArmPlan]) -> list[dict[str, str]]:
    """A row an arm, and the sum, as ``ccau arms --dry-run`` prints them."""
    rows = []
    for plan in plans:
        first = plan.runs[0]
        rows.append(
            {
                "arm": plan.arm.name,
                "tables": ", ".join(sorted({table for table, _ in plan.arm.rows})),
                "teaches": ", ".join(p.arm.name for p in plans if p.arm.teachers == plan.arm.name),
                "runs": f"{len(plan.runs)}",
                "updates": f"{sum(run.updates for run in plan.runs):,}",
                "done": f"{sum(run.done for run in plan.runs):,}",
                "memory GB": f"{first.memory.step / 1e9:.2f}",
                "disk MB": f"{sum(run.disk for run in plan.runs) / 1e6:,.0f}",
                "to go": in_words(plan.left_s),
            }
        )
    runs = [run for plan in plans for run in plan.runs]
    rows.append(
        {
            "arm": "all",
            "tables": f"{sum(len(plan.arm.rows) for plan in plans)} rows",
            "teaches": "",
            "runs": f"{len(runs)}",
            "updates": f"{sum(run.updates for run in runs):,}",
            "done": f"{sum(run.done for run in runs):,}",
            "memory GB": f"{max(run.memory.step for run in runs) / 1e9:.2f}",
            "disk MB": f"{sum(run.disk for run in runs) / 1e6:,.0f}",
            "to go": in_words(_total(plan.left_s for plan in plans)),
        }
    )
    return rows


def arms_notes(plans: Sequence[ArmPlan]) -> list[str]:
    """What the rows leave out: who would be trained twice, where the speed comes from."""
    rows = sum(len(plan.arm.rows) * len(plan.runs) for plan in plans)
    lent = sum(len(p.runs) for p in plans if p.arm.teachers)
    runs = sum(len(plan.runs) for plan in plans)
    sources = {run.speed.why: plan.arm.name for plan in plans for run in plan.runs}
    return [
        f"each arm is trained once a seed: {runs} runs give {rows} rows of seeds"
        + (f" and teach {lent} of them" if lent else ""),
        *(f"speed of {name}: {why}" for why, name in sources.items()),
    ]


def _total(parts: Iterable[float | None]) -> float | None:
    """The sum, or None where a part is unknown."""
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total
