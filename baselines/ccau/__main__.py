"""``python -m baselines.ccau``: the ``ccau`` command."""

from baselines.ccau.command import main

main()
