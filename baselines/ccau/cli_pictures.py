"""``ccau tsne`` and ``ccau localise``: what networks tell apart, and where they look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baselines.ccau.cli_options import Shards
from homage_sdk.cli.console import out, progress
from homage_sdk.cli.print_rows import print_rows


def tsne(
    runs: Annotated[list[Path], typer.Argument(help="Evaluated run folders; a panel each.")],
    *,
    folder: Annotated[
        Path, typer.Option("--out", help="Where tsne.svg, tsne.png and tsne.json go.")
    ] = Path("tsne"),
    classes: Annotated[
        Path | None,
        typer.Option(
            help="TOML of related classes, or demo for ours; default: every class by itself."
        ),
    ] = None,
    modality: Annotated[str | None, typer.Option(help="One modality; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Of the layout.", min=0)] = 0,
    perplexity: Annotated[
        float | None, typer.Option(help="Of t-SNE; default 30, less for few clips.")
    ] = None,
) -> None:
    """Contexts of test sequences in two dimensions (figure 4), a point a clip.

    tsne.json names the sequence, view and clip of each point.
    """
    from baselines.ccau.report.embedding import embed
    from baselines.ccau.report.embedding_picture import draw
    from baselines.ccau.report.related_classes import read_groups
    from baselines.ccau.runs.json_files import write_json

    groups = () if classes is None else read_groups(classes)
    found = []
    with progress("tsne") as bar:
        for done, run in enumerate(runs):
            found += embed(run, modality, groups=groups, seed=seed, perplexity=perplexity)
            bar(done + 1, len(runs))
    write_json(folder / "tsne.json", {"embeddings": [each.model_dump() for each in found]})
    pictures = draw(found, folder)
    for each in found:
        share = {name: getattr(each, f"same_{name}") for name in ("class", "group")}
        said = ", ".join(
            f"same {name} {100 * of.share:.1f} % (chance {100 * of.chance:.1f} %)"
            for name, of in share.items()
            if of.share is not None and of.chance is not None
        )
        out.print(
            f"{each.run} {each.modality}: {len(each.points)} clips, {each.left_out} left out; "
            f"of the 10 nearest of other sequences {said}"
        )
    out.print(f"pictures: {', '.join(map(str, pictures))}; points: {folder / 'tsne.json'}")


def localise(
    run: Annotated[Path, typer.Argument(help="An evaluated run folder.")],
    *,
    shards: Shards,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.", min=1)] = 1000,
    picture: Annotated[
        Path | None, typer.Option(help="PNG of six test frames: weights and boxes.")
    ] = None,
) -> None:
    """Does attention look at people and objects? Against scene-graph boxes of test frames.

    Beside it two maps that look at nothing: the centre of the picture, and all of it alike.
    """
    from baselines.ccau.evaluation.localise import localise as localise_run
    from baselines.ccau.report.table_text import localisation_rows

    with progress("localise") as bar:
        found = localise_run(run, shards, draws=draws, progress=bar)
    out.print(f"{found['name']}: attention against the boxes of annotated test frames")
    print_rows(localisation_rows(found))
    out.print(
        "pointing: the middle of the most attended cell lies in a box; in_box: the share of the "
        "attention in boxes. Means over sequences, 95 % interval by bootstrap over sequences."
    )
    out.print(f"results: {run / 'localisation.json'}")
    if picture is not None:
        from baselines.ccau.report.localisation_picture import draw_looks

        draw_looks(run, shards, picture)
        out.print(f"picture: {picture}")
