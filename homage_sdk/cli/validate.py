"""Commands of the validation stage: `homage validate` and `homage explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from homage_sdk.cli.console import err, out, progress
from homage_sdk.cli.options import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homage_sdk.problems import Problem


Format = Literal["rich", "json", "junit", "csv"]
_UNFOLDED = 1000  # columns of a report that goes into a file or a pipe: a place is one line

Codes = Annotated[
    str, typer.Option(metavar="CODES", help="Comma-separated codes or beginnings, e.g. HOM3,HOM420")
]


def validate(
    path: Annotated[Path, typer.Argument(help="A release, or a catalog made from one.")],
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every video's packets, and decode some of it.")
    ] = False,
    decode: Annotated[
        Literal["none", "sample", "all"],
        typer.Option(help="With --deep: which pictures are decoded."),
    ] = "sample",
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first error; warnings are errors.")
    ] = False,
    format: Annotated[Format, typer.Option(help="How to write the report.")] = "rich",
    output: Annotated[
        Path | None, typer.Option(help="Write the report here instead of on the terminal.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Leave out the problems that this file knows.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Save the problems found as known, for --baseline.")
    ] = None,
    select: Codes = "",
    ignore: Codes = "",
    scene_graph_map: Annotated[
        Path | None, typer.Option(help="How the scene-graph files are shaped (TOML).")
    ] = None,
    places: Annotated[
        int, typer.Option(min=1, help="Places shown of each kind (rich format).")
    ] = 3,
    workers: Workers = None,
) -> None:
    """Find what is wrong with a release, and where; of a catalog, what its ingest found.

    Exit code 0: no errors or warnings. 1: some. 2: could not run.
    """
    from homage_sdk.codes import CODES as ALL
    from homage_sdk.folders import Kind, look
    from homage_sdk.problems import Severity
    from homage_sdk.validation import CODES, chooser
    from homage_sdk.validation.reports import baseline as baselines
    from homage_sdk.validation.reports.table import problem_table, render

    known = baselines.read_baseline(baseline) if baseline else None
    is_catalog = look(path).kind is Kind.CATALOG
    wanted = chooser(_codes(select), _codes(ignore), ALL if is_catalog else CODES)
    if is_catalog:
        problems, contents, decoded = _recorded(path, deep=deep), None, (0, 0)
    else:
        problems, contents, decoded = _find(
            path,
            decode=decode if deep else None,
            scene_graph_map=scene_graph_map,
            workers=workers,
        )
    problems = [problem for problem in problems if wanted(problem.code)]
    if write_baseline is not None:
        baselines.write_baseline(write_baseline, problems)
        out.print(f"{len(problems)} problems saved as known in {write_baseline}")
        return
    found = len(problems)
    if known is not None:
        problems = baselines.subtract(problems, known)
    hidden = found - len(problems)
    bad = [problem for problem in problems if problem.severity is not Severity.INFO]
    if strict:
        problems = bad[:1]
    if format == "rich":
        table = problem_table(
            problems, path=str(path), known=hidden, places=places, contents=contents
        )
        if output is None and out.is_terminal:
            out.print(table, soft_wrap=False)
        else:
            _write(output, render(table, width=_UNFOLDED))
    else:
        _write(output, _report(problems, format, str(path), hidden, decoded))
    if bad:
        raise typer.Exit(1)


def _codes(text: str) -> tuple[str, ...]:
    return tuple(code.strip().upper() for code in text.split(",") if code.strip())


def _find(
    path: Path,
    *,
    decode: Literal["none", "sample", "all"] | None,
    scene_graph_map: Path | None,
    workers: int | None,
) -> tuple[list[Problem], str, tuple[int, int]]:
    """The problems, in a line what was looked at, and how many pictures of how many."""
    from homage_sdk.ingest.decode import decode_videos
    from homage_sdk.ingest.probe import probe_videos
    from homage_sdk.release import read_release
    from homage_sdk.release.contents import summary
    from homage_sdk.validation import validate as run_rules
    from homage_sdk.validation import video_paths

    with progress("reading") as step:
        release = read_release(path, scene_graph_map=scene_graph_map, progress=step)
    probes = checked = None
    if decode is not None:
        videos = video_paths(release)
        with progress("probing videos") as step:
            probes = probe_videos(release.root, videos, workers=workers, progress=step)
        if decode != "none":
            with progress("decoding pictures") as step:
                checked = decode_videos(
                    release.root,
                    probes,
                    everything=decode == "all",
                    workers=workers,
                    progress=step,
                )
    contents, n_decoded, n_there = summary(release), 0, 0
    if probes is not None:
        n_decoded = sum(each.n_decoded for each in (checked or {}).values())
        n_there = sum(getattr(each, "n_frames", 0) for each in probes.values())
        share = 1 - n_decoded / n_there if n_there else 0
        if share:
            contents += f"; {share:.1%} of {n_there:,} pictures not looked at (--decode all)"
    problems = run_rules(release, probes=probes, checked=checked)
    return problems, contents, (n_decoded, n_there)


def _recorded(path: Path, *, deep: bool) -> list[Problem]:
    """What ingest found: it validates, the videos included unless it was told not to."""
    from homage_sdk.catalog import Catalog
    from homage_sdk.errors import UsageError
    from homage_sdk.problems import Problem

    catalog = Catalog(path)
    if deep:
        raise UsageError(
            "--deep looks into videos, and a catalog has none",
            place=path,
            hint=f"name the release: homage validate {catalog.root} --deep",
        )
    return [Problem.from_row(row) for row in catalog.table("problems").to_pylist()]


def _report(
    problems: Sequence[Problem],
    format: Format,
    path: str,
    known: int,
    decoded: tuple[int, int],
) -> str:
    from homage_sdk.validation import CODES
    from homage_sdk.validation.reports import formats

    if format == "json":
        return formats.to_json(problems, path=path, known=known, decoded=decoded)
    if format == "csv":
        return formats.to_csv(problems)
    return formats.to_junit(problems, CODES, path=path)


def _write(output: Path | None, text: str) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    from homage_sdk.storage import write_file

    write_file(output, text)
    err.print(f"wrote {output}")


def explain(
    code: Annotated[
        str, typer.Argument(help="A code such as HOM304, or a word to look for; empty: all codes.")
    ] = "",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="All codes as the page docs/rules.md.")
    ] = False,
) -> None:
    """Say what a code means, why it matters and what to do."""
    from homage_sdk import codes

    if markdown:
        text = codes.rules_page()
    elif code[:3].upper() == "HOM" and code[3:].isdecimal() and len(code) >= 6:
        text = codes.explain(code)
    else:
        text = codes.overview(code)
    typer.echo(text, nl=False)
