"""Shards that hold pictures of sound: what they are made of, and the part that a clip gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from homage_sdk import Dataset
from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import ClipLoader, webdataset_stream
from homage_sdk.loader.assemble import Assembler
from homage_sdk.media.audio import read_sound
from homage_sdk.media.spectrograms.jet import clip_window, picture_of
from homage_sdk.shards import PackOptions, ShardSet, pack, verify
from tests.conftest import once
from tests.unit.loader.batches import all_same
from tests.unit.loader.test_loader import options

JET = PackOptions(short_side=32, min_shards=1, audio="jet", audio_rate=44_100)


@pytest.fixture(scope="session")
def pictured(shared_folder: Path, barcode_catalog: Path) -> Path:
    """Shards with pictures of sound. Read only."""

    def make(out: Path) -> None:
        pack(Dataset(barcode_catalog), out, JET, workers=1)

    return once(shared_folder, "pictured", make)


def test_a_clip_hears_its_part_of_the_picture_of_the_whole_sound(
    pictured: Path, dataset: Dataset
) -> None:
    shards = ShardSet.open(pictured)
    loader = ClipLoader(
        shards, options(mode="eval", blocks=8, batch_size=1, n_mels=128, third_views="first")
    )
    n_heard = 0
    for batch in loader:
        sound = shards[batch.sequence[0]].sound
        assert batch.logmel is not None and batch.logmel.shape == (1, 3, 128, 344)
        if not batch.present["audio"][0]:
            assert not batch.logmel.any()
            continue
        assert sound is not None and sound.field.endswith(".jet.png")
        path = dataset[batch.sequence[0]].view(sound.view).file()
        wave = read_sound(path, 0, sound.n_samples / 44_100, 44_100).samples
        picture = picture_of(wave)
        first, last = batch.frames[0].flatten()[[0, -1]].tolist()
        begin, end = clip_window(first - 1, last - 1, 120, picture.shape[1])
        expected = np.zeros((128, 344, 3), np.uint8)
        part = picture[:, begin:end]
        expected[:, : part.shape[1]] = part
        found = np.rint(batch.logmel[0].numpy() * 255).astype(np.uint8).transpose(1, 2, 0)
        assert np.array_equal(found, expected)
        n_heard += 1
    assert n_heard >= 4


def test_pictures_of_sound_are_the_same_on_every_road(pictured: Path) -> None:
    shards = ShardSet.open(pictured)
    chosen = options(mode="eval", batch_size=1, modalities=("audio",))
    whole = list(ClipLoader(shards, chosen))
    assert all_same(whole, list(ClipLoader(shards, chosen.with_(workers=2))))
    streamed = {(b.sequence, int(b.clip[0])): b for b in webdataset_stream(pictured, chosen)}
    assert all(all_same([b], [streamed[b.sequence, int(b.clip[0])]]) for b in whole)


def test_a_broken_picture_is_named(pictured: Path) -> None:
    shards = ShardSet.open(pictured)
    assert list(verify(pictured, deep=True)) == []
    wanted = options(modalities=("audio",), batch_size=1)
    row = next(row for row in ClipLoader(shards, wanted).rows(0, 0) if row is not None)

    def fetch(key: str, field: str) -> bytes:
        data = shards.read(key, field)
        return data[:100] if field.endswith(".png") else data

    def give(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype)

    with pytest.raises(ShardError, match=r"jet\.png.*a sound that cannot be decoded"):
        Assembler(shards.manifest, wanted, fetch).batch([row], 0, give)
    with pytest.raises(UsageError, match="n_mels 64; expected 128"):
        ClipLoader(shards, wanted.with_(n_mels=64))
    assert ClipLoader(shards, options(modalities=("ego",), n_mels=64)).samples


def test_a_picture_is_of_the_public_codes_rate() -> None:
    with pytest.raises(UsageError, match="invalid audio_rate; found 16000; expected 44100"):
        PackOptions(audio="jet")
    with pytest.raises(UsageError, match="invalid audio; found 'mp3'; expected true, false or jet"):
        PackOptions(audio="mp3")  # type: ignore[arg-type]
    official = PackOptions.preset("official")
    assert (official.short_side, official.stride, official.audio) == (192, 1, "jet")
    assert PackOptions.from_json(official.to_json()) == official


def test_pictures_of_sound_are_made_once_and_change_no_view(
    pictured: Path, shards: ShardSet, barcode_catalog: Path
) -> None:
    done = pack(Dataset(barcode_catalog), pictured, JET, workers=1)
    assert not done.made
    now = {sample.key: sample for sample in ShardSet.open(pictured).samples}
    for sample in shards.samples:
        other = now[sample.key]
        assert other.has_audio == sample.has_audio
        assert [view.n_frames for view in other.views] == [view.n_frames for view in sample.views]
