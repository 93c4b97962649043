"""The pictures that an export's boxes belong to, cut from the videos."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from homage_sdk.errors import MediaError
from homage_sdk.export.scene_graph_rows import FrameRow, frame_rows
from homage_sdk.progress import Meter, Progress
from homage_sdk.storage.folder_swap import new_folder
from homage_sdk.storage.trees import inner_paths
from homage_sdk.time import Frame

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from homage_sdk.dataset.dataset import Dataset

_QUALITY = 95


MARK = ".homage-export"


def mark(folder: Path, to: str) -> None:
    """Mark all that lies in a new folder as an export to ``to``."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    (folder / MARK).write_text("".join(f"{line}\n" for line in (to, *files)), encoding="utf-8")


def exported(folder: Path) -> list[str]:
    """The files of an earlier export, the mark last; nothing where there is none."""
    try:
        lines = (folder / MARK).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [*inner_paths(lines[1:]), MARK]


def coco_name(row: FrameRow) -> str:
    """Where COCO's ``file_name`` looks for the picture of a frame (1-based)."""
    return f"{row.video}/{row.frame:06d}.jpg"


def action_genome_name(row: FrameRow) -> str:
    """Where Action Genome's readers look for it."""
    return f"{row.video}.mp4/{row.frame:06d}.png"


def write_pictures(
    dataset: Dataset,
    out: Path,
    name: Callable[[FrameRow], str] = coco_name,
    progress: Progress | None = None,
    refused: Callable[[MediaError], None] = lambda _: None,
) -> dict[str, int]:
    """Write the picture of every annotated frame below ``out``, whole or not at all.

    What cannot be cut (no video, or the frame lies past its end) is counted by reason and left
    out: labels without media are normal. The suffix of ``name`` decides between JPEG and PNG.
    """
    rows = list(frame_rows(dataset))
    counts = {"pictures": 0}
    meter = Meter(progress, len(rows))
    with new_folder(out, exported) as folder:
        for _, group in groupby(rows, key=lambda row: (row.sequence, row.view)):
            for row in group:
                try:
                    view = dataset[row.sequence].view(row.view)
                    image = view.image(Frame(row.frame))
                except MediaError as error:
                    reason = f"without a picture: {error.message}"
                    reason = reason.replace(f" of view {view.id}", "").replace(f" {view.id}", "")
                    if reason not in counts:
                        refused(error)
                    counts[reason] = counts.get(reason, 0) + 1
                else:
                    target = folder / name(row)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(_encoded(image, target.suffix))
                    counts["pictures"] += 1
                meter.advance()
        mark(folder, "pictures")
    return counts


def _encoded(image: npt.NDArray[np.uint8], suffix: str) -> bytes:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if suffix == ".jpg" else []
    ok, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not ok:
        raise MediaError("the picture cannot be encoded", found=suffix)
    return data.tobytes()
