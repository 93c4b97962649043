"""One batch of each preset as a picture: the bars that are black, and nothing else."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from homage_sdk.shards import PackOptions, ShardSet
from tests.lined import lined_shards
from tools.preset_pictures import CLIPS, PRESETS, main


@pytest.fixture(scope="session")
def official_shards(shared_folder: Path) -> Path:
    """Shards as the public code's frames: 192 lines, every frame. Read only."""
    chosen = PackOptions(short_side=192, stride=1, min_shards=1)
    return lined_shards(shared_folder, "official_shards", 6, chosen)


def tiles_of(path: Path, size: int) -> np.ndarray:
    """[rows, blocks, size, size, 3] without their edges."""
    picture = cv2.imread(str(path))
    side = size + 4
    assert picture.shape == (2 * CLIPS * side, 8 * side, 3)
    tiles = picture.reshape(2 * CLIPS, side, 8, side, 3).swapaxes(1, 2)
    return tiles[:, :, 2:-2, 2:-2]


@pytest.mark.slow
def test_every_preset_gives_a_picture_of_what_its_networks_see(
    official_shards: Path, tmp_path: Path
) -> None:
    assert main([str(official_shards), str(tmp_path)]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{preset}-{mode}.png" for preset in PRESETS for mode in ("train", "eval")
    }
    for preset in PRESETS:
        tiles = tiles_of(tmp_path / f"{preset}-eval.png", 64 if preset == "demo" else 128)
        present = tiles.reshape(*tiles.shape[:2], -1).any(axis=-1).all(axis=1)
        assert present.sum() >= CLIPS
        black = ~tiles[present].any(axis=(0, 1, 3, 4))
        bars = np.abs(np.arange(len(black)) - 63.5) > 55 if preset == "official" else 0
        assert np.array_equal(black, np.zeros_like(black) + bars), preset
    for mode in ("train", "eval"):
        same = [cv2.imread(str(tmp_path / f"{p}-{mode}.png")) for p in ("paper", "same_block")]
        assert np.array_equal(*same)


def test_a_preset_that_the_shards_cannot_give_is_named(
    small_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ShardSet.open(small_shards).manifest.packed.stride == 3
    assert main([str(small_shards), str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 2 and said.count("--size 192") == 2
    assert not list(tmp_path.glob("official-*")) and (tmp_path / "paper-train.png").is_file()
