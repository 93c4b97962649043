"""What is read by index is what was packed, or an error that says where."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from homage_sdk.errors import ShardError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.shards import ShardSet


@pytest.fixture
def copy(barcode_shards: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(barcode_shards, tmp_path / "copy"))


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def test_every_flipped_bit_of_a_member_is_refused_with_its_place(copy: Path) -> None:
    """The first and the last bit of each member, and thirty between them."""
    shards = ShardSet.open(copy)
    draw = np.random.default_rng(0)
    for key, members in shards.locations().items():
        for field, (name, offset, size, _) in members.items():
            whole = shards.read(key, field)
            bits = [0, 8 * size - 1, *draw.integers(8 * size, size=30).tolist()]
            for bit in bits:
                flip(copy / name, 8 * offset + bit)
                with pytest.raises(ShardError) as caught:
                    shards.read(key, field)
                assert caught.value.place is not None
                assert caught.value.place.file == str(copy / name)
                assert caught.value.place.pointer == f"/{key}.{field}"
                assert caught.value.found != caught.value.expected is not None
                flip(copy / name, 8 * offset + bit)
            assert shards.read(key, field) == whole


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("field", ["ann.json", "ego.flac", "v000.mp4"])
def test_training_meets_no_member_with_a_flipped_bit(copy: Path, workers: int, field: str) -> None:
    """Batches before the damaged sample are given; then one line names it."""
    options = LoaderOptions(mode="eval", batch_size=1, blocks=4, size=64, workers=workers)
    shards = ShardSet.open(copy)
    victim = shards.samples[-1].key
    name, offset, size, _ = shards.locations()[victim][field]
    before = [b.sequence[0] for b in ClipLoader(shards, options)].index(victim)
    flip(copy / name, 8 * offset + 4 * size)
    loader = ClipLoader(ShardSet.open(copy), options)
    given = 0
    with pytest.raises(ShardError) as caught:
        for _ in loader:
            given += 1
    loader.close()
    assert given == before > 0
    assert caught.value.place is not None
    assert caught.value.place.pointer == f"/{victim}.{field}"
    assert "\n" not in str(caught.value)
