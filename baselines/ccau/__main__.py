"""The ``ccau`` command, also as ``python -m baselines.ccau``: nothing heavy is imported before."""

from __future__ import annotations


def main() -> None:
    """Entry point of ``ccau``; Ctrl-C while it loads is exit code 130 and one line."""
    from homage_sdk.cli import starting

    with starting():
        from baselines.ccau.cli import main as begin
    begin()


if __name__ == "__main__":
    main()
