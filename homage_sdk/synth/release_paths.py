"""The two published layouts: where each file of a release lies (FORMAT.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from homage_sdk.ids import SequenceId, ViewId


@dataclass(frozen=True, slots=True)
class ReleasePaths:
    """Paths of one layout, relative to the release root."""

    name: str
    lists: str
    splits: tuple[str, ...]
    class_separator: str
    _actions: str
    _actions_suffix: str
    _graphs: str
    _videos: str

    def split_list(self, split: str) -> PurePosixPath:
        """The list of one split."""
        return PurePosixPath(self.lists, f"{split}_list.csv")

    def class_file(self, kind: str) -> PurePosixPath:
        """The class file of ``activity``, ``atomic``, ``object`` or ``relationship``."""
        suffix = "" if kind == "activity" else f"_{kind}"
        return PurePosixPath(self.lists, f"classInd{suffix}.txt")

    def actions(self, sequence: SequenceId) -> PurePosixPath:
        """The atomic actions of a sequence."""
        folder = PurePosixPath(self._actions, sequence.participant_folder)
        return folder / f"{sequence}{self._actions_suffix}"

    def graphs(self, view: ViewId) -> PurePosixPath:
        """The scene graphs of the annotated view of a sequence."""
        return PurePosixPath(self._graphs, view.sequence.participant_folder, f"{view}_sg.json")

    def video(self, view: ViewId) -> PurePosixPath:
        """One video."""
        return PurePosixPath(self._videos, view.sequence.participant_folder, f"{view}.mkv")

    def sensor(self, sequence: SequenceId, kind: str, position: str) -> PurePosixPath:
        """One sensor's readings; no layout is public, this is the documented assumption."""
        name = f"{sequence}__{kind}__{position}.csv"
        return PurePosixPath("sensors", sequence.participant_folder, name)


LAYOUTS = {
    "hacgen": ReleasePaths(
        "hacgen",
        "list_with_activity_labels",
        ("train", "val", "test"),
        " ",
        "annotation_files/atomic_actions",
        "__aa.json",
        "annotation_files/scene_graphs",
        "action_split_data/V1.0",
    ),
    "videoshift": ReleasePaths(
        "videoshift",
        "activity_lists",
        ("train", "test"),
        ",",
        "annotations/atomic_actions",
        "_aa.json",
        "annotations/scene_graph_annotations",
        "ego-and-3rd-person-view",
    ),
}
"""By name."""
