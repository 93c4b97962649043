"""The ``ccau`` command. This is what starts: nothing heavy is imported before ``main`` runs."""

from __future__ import annotations


def main() -> None:
    """Entry point of ``ccau``; Ctrl-C while it loads is exit code 130 and one line."""
    from homage_sdk.cli import starting

    with starting():
        from baselines.ccau.cli import main as begin
    begin()
