"""Rules about the view that was annotated: which one, and of what size."""

from __future__ import annotations

from collections.abc import Iterator

from homage_sdk.soundness.columns import NULL
from homage_sdk.soundness.judge import LARGEST_SIDE
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, warning


@warning(
    "HOM407",
    "more than one annotated view",
    why="One third-person view of each sequence was annotated (paper, section 3). Boxes of two "
    "views are in different pixels and must not be mixed.",
    example="scene graphs for p0002_r000_v001_a000 and for p0002_r000_v002_a000",
    hint="keep the file of the view that the boxes belong to",
)
def two_views(data: Data) -> Iterator[Finding]:
    """At the first frame of the second and later views of a sequence."""
    frames = data.frames[data.frames["sequence"].notna() & (data.frames["view"] != NULL)]
    views = frames.drop_duplicates(["sequence", "view"])
    for row in views.index[views.duplicated("sequence")]:
        sequence, view = views["sequence"].at[row], views["view"].at[row]
        first = views.loc[views["sequence"] == sequence, "view"].iat[0]
        yield data.at_file_of(row, f"view {view}", f"only view {first}")


@warning(
    "HOM408",
    "annotated view is the ego view",
    why="Scene graphs were annotated on third-person views (paper, section 3). In the ego view "
    "the person who acts cannot be seen, so that their box means nothing.",
    example="p0002_r000_v000_a000_sg.json",
    hint="check the view in the file's name",
)
def ego_annotated(data: Data) -> Iterator[Finding]:
    """Once a file whose frames are of view 0."""
    frames = data.frames[data.frames["view"] == 0]
    for row in frames.drop_duplicates("file").index:
        yield data.at_file_of(row, "view 0", "view 1 or above")


@warning(
    "HOM409",
    "annotated view has no video",
    why="The boxes are in the pixels of a view whose video is not here, while other views of the "
    "same sequence are: the boxes cannot be drawn or trained on.",
    example="scene graphs for v003 of a sequence that has v000 and v001",
    hint="copy the missing video, or check the view in the file's name",
)
def view_without_video(data: Data) -> Iterator[Finding]:
    """Once a file, where the sequence has other videos."""
    videos = data.videos
    there = set(zip(videos["sequence"], videos["view"], strict=True))
    filmed = set(videos["sequence"])
    frames = data.frames[data.frames["view"] > 0]
    columns = ["sequence", "view"]
    for row, sequence, view in frames.drop_duplicates("file")[columns].itertuples():
        if sequence in filmed and (sequence, view) not in there:
            views = sorted(v for s, v in there if s == sequence)
            expected = f"one of the views {', '.join(map(str, views))}"
            yield data.at_file_of(row, f"view {view}", expected)


@warning(
    "HOM411",
    "annotated view without its size",
    why="Without the width and height that the boxes were drawn on, a box cannot be checked, "
    "scaled or normalised.",
    example='{"video": "p0002_r000_v001_a000", "frames": [...]}, no width and height',
    hint="add width and height to the document, or to the --scene-graph-map file",
)
def size_missing(data: Data) -> Iterator[Finding]:
    """Once a file."""
    frames = data.frames
    missing = (frames["width"] == NULL) | (frames["height"] == NULL)
    faulty = data.in_faulty_file(frames)
    for row in where(missing & ~faulty & ~frames["file"].where(missing).duplicated()):
        yield data.at_file_of(row, "no width or height", "both")


@error(
    "HOM412",
    "annotated size differs from the video's",
    why="Boxes are pixels of the annotated view. If the video has another size, every box is "
    "drawn in the wrong place unless it is scaled first.",
    example="width 1280, height 720 for a video of 1024x768",
    hint="correct the size, or scale the boxes",
    deep=True,
)
def size_differs(data: Data) -> Iterator[Finding]:
    """Once a file, against the probe of the annotated view's video."""
    videos, frames = data.videos, data.frames
    sizes = {
        (sequence, view): (data.probes[file].width, data.probes[file].height)
        for file, sequence, view in videos[["file", "sequence", "view"]].itertuples(index=False)
        if file in data.probes and data.probes[file].n_frames
    }
    given = frames[(frames["width"] != NULL) & (frames["height"] != NULL)]
    for row in given.drop_duplicates(["file", "width", "height"]).index:
        at = frames.loc[row]
        size = sizes.get((at["sequence"], at["view"]))
        if size is not None and size != (at["width"], at["height"]):
            found, expected = f"{at['width']}x{at['height']}", f"{size[0]}x{size[1]} as the video"
            yield data.at_file_of(row, found, expected)


@error(
    "HOM413",
    "annotated view of no possible size",
    why="A width or height of 0 or less, or beyond any camera, makes every box of the file "
    "meaningless. It is taken as not known.",
    example='"width": 0, "height": 720',
    hint="correct the size",
)
def size_impossible(data: Data) -> Iterator[Finding]:
    """Once a file."""
    frames, wrong = data.frames, data.records.frames.impossible_size
    for row in where(wrong & ~frames["file"].where(wrong).duplicated()):
        at = frames.iloc[row]
        yield data.at_file_of(row, f"{at['width']}x{at['height']}", f"1 to {LARGEST_SIDE}")
