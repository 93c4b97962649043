"""``homage report``: a page about a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homage_sdk.cli.arguments import Root


def register(app: typer.Typer) -> None:
    """Add this stage's commands to ``app``."""

    @app.command()
    def report(
        catalog: Annotated[Path, typer.Argument(help="A catalog, made by `homage ingest`.")],
        out: Annotated[Path, typer.Argument(help="The HTML file to write.")],
        sequence: Annotated[
            str | None, typer.Option(help="Which sequence to show; the fullest by default.")
        ] = None,
        root: Root = None,
    ) -> None:
        """Write one self-contained page: what is in the dataset, its problems, a sequence."""
        from homage_sdk import Dataset
        from homage_sdk.cli.console import out as console
        from homage_sdk.report.dataset_page import dataset_sections
        from homage_sdk.report.html import render_page
        from homage_sdk.storage import write_file

        dataset = Dataset(catalog, root=root)
        chosen = dataset[sequence] if sequence else None
        write_file(
            out,
            render_page(
                "Home Action Genome", str(catalog), dataset_sections(dataset, sequence=chosen)
            ),
        )
        console.print(f"page: {out}")
