"""What is damaged or was not recorded is marked in shards, masked by loaders, and costs no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk import Frame
from homage_sdk.dataset.dataset import Dataset
from homage_sdk.errors import MediaError
from homage_sdk.ingest import ingest
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.shards import PackSummary, ShardSet, pack, verify
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.time import Seconds
from tests.unit.media.test_damage import noise
from tests.unit.media.videos import number_of, remux, write_video
from tests.unit.release.tiny import Tiny

OPTIONS = PackOptions(short_side=32)
Change = Callable[[int, av.Packet], av.Packet | None]


def packed(
    folder: Path, changes: list[Change | None], options: PackOptions = OPTIONS
) -> tuple[Dataset, ShardSet, PackSummary]:
    """Shards of one sequence of 180 frames; each view's packets as ``changes`` gives them."""
    tiny = Tiny(folder / "release")
    tiny.list("train", ["p0001_r001_a001,make_tea"])
    whole = write_video(folder / "whole.mkv", frames=180, size=(96, 64))
    for view, change in enumerate(changes):
        path = tiny.video(f"p0001_r001_v{view:03d}_a001")
        count = iter(range(10_000))
        remux(path, whole, lambda p, c=count, change=change: change(next(c), p) if change else p)
    ingest(tiny.root, folder / "catalog")
    dataset = Dataset(folder / "catalog")
    summary = pack(dataset, folder / "shards", options, workers=1)
    return dataset, ShardSet.open(folder / "shards"), summary


def broken(first: int, last: int) -> Change:
    return lambda n, p: noise(p) if first <= n <= last else p


def without(first: int, last: int) -> Change:
    return lambda n, p: None if first <= n <= last else p


def gaps(shards: ShardSet) -> list[tuple[tuple[int, int], ...]]:
    (sample,) = shards.samples
    return [view.gaps for view in sample.views]


def numbers(shards: ShardSet, view: int = 0) -> list[int]:
    """The number in each packed frame."""
    (sample,) = shards.samples
    info = sample.views[view]
    out = np.empty((info.n_frames, info.height, info.width, 3), np.uint8)
    data = shards.read(sample.key, info.field)
    decode_clip(data, np.arange(info.n_frames), OPTIONS.fps, None, out)
    return [number_of(image) for image in out]


def clips(shards: ShardSet, **options: object) -> list[tuple[int, list[bool], dict[str, bool]]]:
    """Of each clip of a second: its number, which blocks are valid, what is present."""
    how = LoaderOptions(
        **{
            "modalities": ("ego",),
            "mode": "eval",
            "blocks": 5,
            "block_frames": 2,
            "size": 16,
            "batch_size": 1,
            **options,
        }
    )
    return [
        (int(b.clip[0]), b.block_valid[0].tolist(), {m: bool(p[0]) for m, p in b.present.items()})
        for b in ClipLoader(shards, how)
    ]


def test_one_bad_packet_costs_the_pictures_that_refer_to_it(tmp_path: Path) -> None:
    _, shards, summary = packed(tmp_path, [broken(100, 100)])
    assert gaps(shards) == [((34, 36),)], "frames 102 and 105; the next keyframe is 108"
    shown = numbers(shards)
    assert shown[:34] == list(range(0, 102, 3)) and shown[36:] == list(range(108, 180, 3))
    assert shown[34:36] == [99, 99], "the last good picture, never a wrong one"
    assert not summary.quarantine and len(summary.damaged) == 1
    assert verify(tmp_path / "shards", deep=True) == []


def test_loaders_mask_the_blocks_of_what_is_damaged(tmp_path: Path) -> None:
    _, shards, _ = packed(tmp_path, [broken(100, 100)])
    (hit,) = [clip for clip in clips(shards) if not all(clip[1])]
    assert hit == (3, [True, True, False, True, True], {"ego": True})


def test_packets_that_decode_to_nothing_cost_only_their_frames(tmp_path: Path) -> None:
    dataset, shards, _ = packed(tmp_path, [without(0, 4)])
    assert gaps(shards) == [((0, 3),)], "seven pictures up to the first keyframe"
    shown = numbers(shards)
    assert shown[3:] == list(range(14, 180, 3)) and shown[:3] == [14, 14, 14]
    with pytest.raises(MediaError):
        dataset["p0001_r001_a001"].view(0).image(Frame(1))


def test_a_hole_is_a_gap_and_a_moment_in_it_is_none(tmp_path: Path) -> None:
    dataset, shards, _ = packed(tmp_path, [without(60, 119)])
    sequence = dataset["p0001_r001_a001"]
    assert gaps(shards) == [((21, 39),)], "2.0 to 4.0 s, but for a tenth of a second at its ends"
    for pick in ("nearest", "before", "after"):
        assert sequence.at(Seconds(3.0), pick=pick).image(0) is None
        assert sequence.at(Seconds(3.0), pick=pick).shown_at(0) is None
    with pytest.raises(MediaError, match=r"1\.967 s to 4\.000 s"):
        sequence.view(0).image(Seconds(3.0))
    image = sequence.at(Seconds(4.5)).image(0)
    assert image is not None and number_of(image) == 135
    assert [c[2]["ego"] for c in clips(shards)] == [True, True, False, False, True, True]


def test_damage_of_one_view_leaves_the_other_to_be_learned_from(tmp_path: Path) -> None:
    _, shards, _ = packed(tmp_path, [without(60, 119), None])
    found = clips(shards, modalities=("ego", "third"))
    assert [c[2] for c in found[2:4]] == [{"ego": False, "third": True}] * 2
    assert all(found[2][1]), "what the third-person view shows is valid"


def test_a_view_is_left_out_only_below_the_stated_share(tmp_path: Path) -> None:
    change = broken(36, 180)
    _, shards, summary = packed(tmp_path / "kept", [change, None])
    assert gaps(shards) == [((12, 60),), ()] and not summary.quarantine
    strict = PackOptions(short_side=32, min_good=0.5)
    _, shards, summary = packed(tmp_path / "strict", [change, None], strict)
    assert [fault.view for fault in summary.quarantine] == [0]
    assert [view.number for view in shards.samples[0].views] == [1]


def test_packing_again_keeps_the_marks(tmp_path: Path) -> None:
    dataset, shards, _ = packed(tmp_path, [broken(100, 100)])
    before = (tmp_path / "shards/manifest.json").read_bytes()
    assert pack(dataset, tmp_path / "shards", OPTIONS, workers=1).made == 0
    (tmp_path / "shards" / shards.samples[0].shard).unlink()
    from homage_sdk.shards import repair

    repair(tmp_path / "shards", dataset, workers=1)
    assert (tmp_path / "shards/manifest.json").read_bytes() == before
