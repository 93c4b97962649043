"""Shards are WebDataset: a reader that has never heard of this project opens them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.shards import ShardSet


def test_three_lines_of_plain_webdataset_read_every_sample(small_shards: Path) -> None:
    import webdataset as wds

    urls = sorted(str(path) for path in small_shards.glob("*.tar"))
    samples = {sample["__key__"]: sample for sample in wds.WebDataset(urls, shardshuffle=False)}

    shards = ShardSet.open(small_shards)
    assert samples.keys() == {sample.key for sample in shards.samples}
    for info in shards.samples:
        sample = samples[info.key]
        fields = {name for name in sample if not name.startswith("__")}
        assert fields == set(shards.members(info.key))
        assert all(sample[field] == shards.read(info.key, field) for field in fields)
        meta = json.loads(sample["meta.json"])
        assert meta["sample"]["sequence"] == info.sequence
        for view in info.views:
            with av.open(io.BytesIO(sample[view.field])) as container:
                frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert np.stack(frames).shape == (view.n_frames, view.height, view.width, 3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_shuffling_webloader_reads_every_sample_once(small_shards: Path, workers: int) -> None:
    """Worker processes, shards and samples in random order, samples split over the workers."""
    import webdataset as wds

    urls = sorted(str(path) for path in small_shards.glob("*.tar"))

    def keys(seed: int) -> list[str]:
        dataset = wds.WebDataset(urls, shardshuffle=len(urls), seed=seed).shuffle(8)
        dataset = dataset.to_tuple("__key__", "meta.json", "ann.json").map(parsed)
        loader = wds.WebLoader(dataset, batch_size=None, num_workers=workers)
        return [key for key, _, _ in loader]

    first, second = keys(1), keys(2)
    shards = ShardSet.open(small_shards)
    assert sorted(first) == sorted(second) == [sample.key for sample in shards.samples]
    assert first != second


def parsed(sample: tuple[str, bytes, bytes]) -> tuple[str, object, object]:
    key, meta, labels = sample
    return key, json.loads(meta), json.loads(labels)


def test_the_standard_library_reads_the_same_members(small_shards: Path) -> None:
    shards = ShardSet.open(small_shards)
    for shard in shards.manifest.shards:
        with tarfile.open(small_shards / shard.name) as archive:
            for member in archive:
                key, field = member.name.split(".", 1)
                content = archive.extractfile(member)
                assert content is not None and content.read() == shards.read(key, field)
                assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")


def test_the_index_opens_in_pandas_and_points_at_the_bytes(small_shards: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(small_shards / "index.parquet")
    shards = ShardSet.open(small_shards)
    for row in table.itertuples():
        with (small_shards / row.shard).open("rb") as file:
            file.seek(row.offset)
            assert file.read(row.size) == shards.read(row.sample, row.member)


def test_soundfile_reads_the_sound(small_shards: Path) -> None:
    import soundfile

    shards = ShardSet.open(small_shards)
    for info in shards.samples:
        if info.sound is not None:
            wave, rate = soundfile.read(io.BytesIO(shards.read(info.key, info.sound.field)))
            assert (len(wave), rate) == (info.sound.n_samples, 16000)
