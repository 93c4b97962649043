"""Single-modality training: networks beside each other that do not know of one another."""

from __future__ import annotations

from baselines.ccau.tasks.base import Task


class Single(Task):
    """One or several modalities, each by its own labels alone (row "Single" of Tables 2-4)."""
