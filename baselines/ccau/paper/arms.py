"""The arms of Tables 2 to 7: which configuration gives which row, and all in one command."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.ccau.config.config import Config, read_config
from baselines.ccau.distributed import broadcast, join_world
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.evaluation.fewshot import fewshot, is_judged
from baselines.ccau.training.train import train
from homage_sdk.errors import require_known


@dataclass(frozen=True)
class Arm:
    """One configuration (``configs/arms/NAME.toml``) and the table rows it gives."""

    name: str
    rows: tuple[tuple[str, str], ...]
    """(table, row) as the paper names them."""
    teachers: str = ""
    """The arm whose run teaches (static distillation)."""
    is_fewshot: bool = False
    longer: int = 1
    """Times the epochs of the size."""


ARMS = (
    Arm("single_activity", (("2", "Single Modality"), ("3", "Single Modality"))),
    Arm(
        "coop_activity",
        (
            ("2", "Cooperative Ours"),
            ("3", "Coop - Ego + 3rd + Aud"),
            ("6", "Cooperative - Activity"),
        ),
    ),
    Arm(
        "coop_activity_ego_third",
        (("3", "Coop - Ego + 3rd"), ("5", "Cooperative with Attention")),
    ),
    Arm("coop_activity_no_attention", (("5", "Cooperative"),)),
    Arm("static_kd_activity", (("2", "Static KD"),), teachers="single_activity"),
    Arm("coop_kd_activity", (("2", "Cooperative KD"),)),
    Arm("single_atomic", (("4", "Single Modality"),)),
    Arm("coop_atomic", (("4", "Cooperative"), ("6", "Cooperative - Atomic Actions"))),
    Arm("compositional", (("6", "Compositional"),)),
    Arm("ccau", (("6", "Cooperative Compositional"),)),
    Arm("fewshot_single", (("7", "Single Modality"),), is_fewshot=True),
    Arm("fewshot_ccau", (("7", "CCAU"),), is_fewshot=True),
)

OTHER_ARMS = tuple(
    Arm(name, ())
    for name in ("single_sensors", "coop_sensors", "single_scene_graph", "coop_scene_graph")
)
"""Modalities of the paper (sections 3 and 4.1) that no table trains: run by name alone."""

CONTROLS = "controls"
CONTROL_ARMS = (
    Arm("single_atomic_long", ((CONTROLS, "Atomic actions alone, longer"),), longer=4),
    Arm("coop_atomic_long", ((CONTROLS, "Atomic actions alone, cooperative, longer"),), longer=4),
    Arm("compositional_long", ((CONTROLS, "Compositional, longer"),), longer=4),
)
"""What Table 6 leaves open: whether composition helps, or atomic actions alone take longer. All
have one budget; every second epoch is judged on participants set aside, so that curves show it."""

Note = Callable[[str], None]


def arm_config(arm: Arm, out: Path, seed: int, *, size: str, settings: Sequence[str]) -> Config:
    """What one arm and seed trains; raises ConfigError."""
    own = [f"run.seed={seed}", *settings]
    if arm.teachers:
        teacher = run_folder(out, arm.teachers, seed)
        own += [f"task.teachers.{m}={teacher}" for m in ("audio", "third")]
    config = read_config(arm.name, own, size=size)
    epochs = config.optim.epochs * arm.longer
    return config.replace([f"optim.epochs={epochs}"]) if arm.longer != 1 else config


def run_folder(out: Path, arm: str, seed: int) -> Path:
    """Where the run of one arm and seed lies."""
    return out / arm / f"seed-{seed}"


def run_arms(
    shards: Path,
    out: Path,
    *,
    size: str,
    seeds: int = 3,
    only: Sequence[str] = (),
    tables: Sequence[str] = (),
    settings: Sequence[str] = (),
    minutes: float | None = None,
    note: Note | None = None,
) -> list[Path]:
    """Train and judge every arm with every seed, one after another; the run folders.

    What is done is not done twice, and a run that was stopped goes on. An arm named in ``only``
    brings the arm that teaches it. After ``minutes`` no further run is begun: ``note`` says how
    many are left. Raises UsageError for an unknown arm, table or size.
    """
    chosen = choose(only, tables)
    done: list[Path] = []
    total, begin_s = seeds * len(chosen), time.monotonic()
    for seed in range(seeds):
        for arm in chosen:
            if minutes is not None and _is_over(begin_s, minutes):
                if note is not None:
                    note(f"{total - len(done)} of {total} runs left: the same command goes on")
                return done
            run = run_folder(out, arm.name, seed)
            config = arm_config(arm, out, seed, size=size, settings=settings)
            summary = train(config, shards, run)
            if arm.is_fewshot:
                if not summary.already_done or not is_judged(run):
                    fewshot(run, shards, device=config.run.device)
            else:
                evaluate(run, shards, device=config.run.device)
            done.append(run)
            if note is not None:
                how = "already done" if summary.already_done else f"{summary.train_s:.0f} s"
                note(f"{len(done)}/{total} {arm.name} seed {seed}: {how}")
                for line in summary.notes:
                    note(f"{arm.name} seed {seed}: {line}")
    return done


def _is_over(begin_s: float, minutes: float) -> bool:
    """Whether so many minutes have passed by the first rank's clock: all ranks stop together."""
    with join_world("cpu") as world:
        return bool(broadcast(world, time.monotonic() - begin_s >= 60 * minutes))


def choose(only: Sequence[str], tables: Sequence[str] = ()) -> list[Arm]:
    """The named arms and those of the named tables, teachers first; with neither, of Tables 2 to 7.

    The table ``controls`` is of the control arms.
    """
    known = {arm.name: arm for arm in (*ARMS, *OTHER_ARMS, *CONTROL_ARMS)}
    of_table = {table for arm in known.values() for table, _ in arm.rows}
    for name in only:
        require_known("arm", name, known)
    for table in tables:
        require_known("table", table, sorted(of_table))
    wanted = {a.name for a in known.values() if any(table in tables for table, _ in a.rows)}
    wanted |= set(only)
    if not only and not tables:
        wanted = {arm.name for arm in ARMS}
    wanted |= {known[name].teachers for name in wanted if known[name].teachers}
    return [arm for arm in known.values() if arm.name in wanted]
