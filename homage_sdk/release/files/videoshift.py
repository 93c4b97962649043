"""Layout 2: the VideoShift release (FORMAT.md, grade B)."""

from __future__ import annotations

from homage_sdk.release.files.layouts import Layout

VIDEOSHIFT = Layout(
    name="videoshift",
    lists="activity_lists",
    atomic_actions="annotations/atomic_actions",
    scene_graphs="annotations/scene_graph_annotations",
    videos="ego-and-3rd-person-view",
    sensors="sensors",
    atomic_suffix="_aa.json",
    scene_graph_suffix="_sg.json",
)
