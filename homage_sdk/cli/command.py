"""The application: which commands there are, and how ``homage --help`` groups them."""

from __future__ import annotations

import typer

from homage_sdk.cli import catalog, query, report, shards, synth, validate
from homage_sdk.cli.options import Version

app = typer.Typer(
    name="homage",
    help="Home Action Genome: read, validate, query, pack and look at a release.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_COMMANDS = {
    "Your download": (
        *(validate.validate, validate.explain),
        *(catalog.ingest, catalog.info, catalog.migrate),
    ),
    "Look and ask": (
        *(report.stats, query.show, query.find, query.query),
        *(report.sync, report.view, report.report, query.export),
    ),
    "Shards for training": (shards.pack, shards.verify, shards.repair),
    "Without the dataset": (synth.synth,),
}
"""A command imports its stage when it runs, never before."""

for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


@app.callback()
def _root(version: Version = False) -> None:
    """Home Action Genome: read, validate, query, pack and look at a release."""
