"""Commands of the shards stage: `homage pack`, `homage verify` and `homage repair`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from homage_sdk.cli.console import out, progress, tell_card
from homage_sdk.cli.options import CatalogPath, Root, ShardsPath, Split, Workers, open_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.progress import Progress
    from homage_sdk.shards.format.manifest import Quarantined
    from homage_sdk.shards.packing.survey import Survey

_NAMED = 20
"""So many views with damage are named."""


def pack(
    catalog: CatalogPath,
    shards: Annotated[Path, typer.Argument(help="A new folder, or one that this command wrote.")],
    *,
    preset: Annotated[
        str, typer.Option(help="ccau, small, fine, official, ego or archive.")
    ] = "ccau",
    views: Annotated[
        str | None, typer.Option(help="all, ego, third, or view numbers such as 0,1,3.")
    ] = None,
    audio: Annotated[bool, typer.Option(help="Pack the sound.")] = True,
    scene_graphs: Annotated[bool, typer.Option(help="Pack the scene graphs.")] = True,
    sensors: Annotated[bool, typer.Option(help="Pack the sensors, where there are any.")] = True,
    size: Annotated[int | None, typer.Option(help="Short side of the pictures, pixels.")] = None,
    stride: Annotated[
        int | None, typer.Option(help="Keep every n-th frame of 30 a second.")
    ] = None,
    crf: Annotated[int | None, typer.Option(help="x264 quality, lower is better.")] = None,
    unit: Annotated[
        Literal["sequence", "action", "clip"] | None, typer.Option(help="What one sample is.")
    ] = None,
    clip_seconds: Annotated[
        float | None, typer.Option(help="Length of a window for --unit clip.")
    ] = None,
    shard_mb: Annotated[float | None, typer.Option(help="About how large a shard becomes.")] = None,
    min_good: Annotated[
        float | None,
        typer.Option(help="Leave out a view when a smaller share of its pictures is good (0.1)."),
    ] = None,
    split: Split = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Only about this many sequences, of the activities that have most."),
    ] = None,
    root: Root = None,
    workers: Workers = None,
    plan_only: Annotated[
        bool,
        typer.Option("--plan", help="Say what would be kept and what made, and stop."),
    ] = False,
    engine: Annotated[
        Literal["processes", "ray"], typer.Option(help="Where the work runs.")
    ] = "processes",
    address: Annotated[
        str | None, typer.Option(help="For --engine ray: the cluster, such as auto.")
    ] = None,
) -> None:
    """Pack videos, sound and labels into WebDataset shards.

    Stopped at any moment, the same command goes on where it was. After videos were added or labels
    corrected (and ingested), it brings the shards up to date and encodes only what is new. Exit
    code 1: some videos could not be packed; they are listed, and tried again by the next call.
    """
    from homage_sdk.shards import pack as run_pack
    from homage_sdk.shards.format.pack_options import PackOptions
    from homage_sdk.shards.packing.pack import look_ahead

    changes: dict[str, Any] = {
        "views": _views(views),
        "short_side": size,
        "stride": stride,
        "crf": crf,
        "unit": unit,
        "clip_s": clip_seconds,
        "min_good": min_good,
        "split": split,
        "shard_bytes": None if shard_mb is None else round(shard_mb * 1e6),
        "audio": None if audio else False,
        "scene_graphs": None if scene_graphs else False,
        "sensors": None if sensors else False,
    }
    options = PackOptions.preset(
        preset, **{name: value for name, value in changes.items() if value is not None}
    )
    dataset = open_dataset(catalog, root=root)
    if limit is not None:
        from homage_sdk.shards.packing.plan import busiest_activities

        dataset = busiest_activities(dataset, limit)

    def announce(found: Survey) -> None:
        out.print(_announcement(dataset, found, shards))

    if plan_only:
        announce(look_ahead(dataset, shards, options))
        return
    with ExitStack() as bar:

        def step(done: int, total: int) -> None:
            if not shown:  # the bar begins below the announcement
                shown.append(bar.enter_context(progress("packing")))
            shown[0](done, total)

        shown: list[Progress] = []
        summary = run_pack(
            dataset,
            shards,
            options,
            workers=workers,
            starting=announce,
            progress=step,
            engine=engine,
            address=address,
        )
    did = f"{summary.made} shards made" if summary.made else "complete already, nothing to do"
    out.print(
        f"{shards}: {did}; {summary.samples} samples in {summary.shards} shards, "
        f"{summary.bytes / 1e6:.1f} MB",
        markup=False,
    )
    for view in summary.damaged[:_NAMED]:
        out.print(f"damaged or not recorded: {view}")
    if (more := len(summary.damaged) - _NAMED) > 0:
        out.print(f"and {more} more views; the manifest names them all")
    if summary.damaged:
        out.print("what is damaged or was not recorded is marked, and loaders mask it")
    tell_card(shards, summary.card)
    _say_left_out(summary.quarantine)


def _say_left_out(faults: Sequence[Quarantined]) -> None:
    for fault in faults:
        out.print(f"left out: {fault}")
    if faults:
        raise typer.Exit(1)


def _views(text: str | None) -> str | tuple[int, ...] | None:
    if text is None or text in ("all", "ego", "third"):
        return text
    from homage_sdk.errors import UsageError

    numbers = [part.strip().lstrip("v") for part in text.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise UsageError(
            "not a choice of views", found=text, expected="all, ego, third or numbers such as 0,1"
        )
    return tuple(sorted({int(number) for number in numbers}))


def _announcement(dataset: Dataset, found: Survey, folder: Path) -> str:
    """What is kept and made, and about how large; how long shows after the first samples."""
    import shutil

    from homage_sdk.shards.packing.plan import expected_bytes

    plan, todo, options = found.plan, found.todo, found.plan.options
    expected = expected_bytes(dataset, todo, options)
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    short = f"; only {free / 1e6:,.0f} MB are free there" if free < expected else ""
    rest = "" if len(todo) == len(plan.shards) else f", {len(todo)} of them still to write"
    if found.removed:
        rest += f", {len(found.removed)} to remove"
    why = ", ".join(f"{count} {reason}" for reason, count in found.to_encode.most_common())
    if found.n_kept or why:
        rest += f"; of their videos, sounds and sensors {found.n_kept} are kept, "
        rest += f"{found.to_encode.total()} encoded" + (f": {why}" if why else "")
    return (
        f"{plan.n_samples} samples into {len(plan.shards)} shards{rest} ({options.fps:g} frames a "
        f"second, short side {options.short_side}, crf {options.crf}); about "
        f"{expected / 1e6:,.{0 if expected > 1e7 else 1}f} MB to write, as typical footage takes"
        f"{short}"
    )


def verify(
    path: Annotated[Path, typer.Argument(help="Shards, or a catalog.")],
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Of shards: decode every picture and sound as well.")
    ] = False,
) -> None:
    """Compare every byte of shards or of a catalog with what was written.

    Names every file and every sample that is damaged. Exit code 0: whole. 1: damaged.
    """
    from homage_sdk.catalog.tables import verify_catalog
    from homage_sdk.errors import UsageError
    from homage_sdk.folders import Kind, look
    from homage_sdk.problems import Severity
    from homage_sdk.release.files.find import what_is
    from homage_sdk.shards import verify as run_verify

    kind = look(path).kind
    with progress("verifying") as step:
        if kind is Kind.SHARDS:
            problems = run_verify(path, deep=deep, progress=step)
        elif kind is Kind.CATALOG:
            problems = verify_catalog(path, progress=step)
        else:
            there = what_is(path)
            raise UsageError(
                "neither shards nor a catalog",
                place=path,
                found=there.found,
                hint=there.hint_for() or None,
            )
    if not problems:
        out.print(f"{path}: {kind}, whole")
        return
    for problem in problems:
        out.print(str(problem))
    again = "repair SHARDS CATALOG" if kind is Kind.SHARDS else "ingest RELEASE CATALOG"
    out.print(
        f"{path}: {kind} with {len(problems)} problems; `homage {again}` mends them", markup=False
    )
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise typer.Exit(1)


def repair(
    shards: ShardsPath,
    catalog: Annotated[Path, typer.Argument(help="The catalog it was packed from.")],
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Look as hard as `verify --deep`.")] = False,
    root: Root = None,
    workers: Workers = None,
) -> None:
    """Make again just the shards that are broken, and try again what was left out.

    Exit code 1: something is still left out.
    """
    from homage_sdk.shards import repair as run_repair

    with progress("repairing") as step:
        dataset = open_dataset(catalog, root=root)
        summary = run_repair(shards, dataset, deep=deep, workers=workers, progress=step)
    if summary.recovered:
        out.print(f"{shards}: the manifest was brought back from the index")
    made = ", ".join(summary.rebuilt) or "nothing"
    out.print(f"{shards}: made again: {made}")
    for name in summary.changed:
        out.print(f"{name} has other bytes than before; the manifest was updated")
    _say_left_out(summary.quarantine)
