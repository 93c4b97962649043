"""Layout 1: the original release (FORMAT.md, grade A for lists, labels and videos)."""

from __future__ import annotations

from homage_sdk.release.files.layouts import Layout

HACGEN = Layout(
    name="hacgen",
    lists="list_with_activity_labels",
    atomic_actions="annotation_files/atomic_actions",
    scene_graphs="annotation_files/scene_graphs",
    videos="action_split_data",
    sensors="sensors",
    atomic_suffix="__aa.json",
    scene_graph_suffix="__sg.json",
)
