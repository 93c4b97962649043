"""What the networks see: one batch of pixels of each preset, as a picture to look at.

    python tools/preset_pictures.py SHARDS OUT

``OUT/PRESET-train.png`` and ``OUT/PRESET-eval.png`` hold four clips, ego and third-person views one
below the other, the first picture of each of the eight blocks from left to right; training with the
colours as augmented. A preset that the shards cannot give is named, with what to pack, and makes
the exit code 1. Shards of ``homage pack CATALOG SHARDS --size 192 --stride 1`` give them all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from baselines.ccau.config.config import Config, from_dict, read_config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.distributed import World
from baselines.ccau.models.augment import IMAGENET_MEAN, IMAGENET_STD
from homage_sdk.errors import UsageError
from homage_sdk.shards import ShardSet

PRESETS = ("paper", "official", "same_block", "demo")
"""The presets, and the sizes of the demo, which cut a square."""
VIEWS = ("ego", "third")
CLIPS = 4
_EDGE = 2


def config_of(preset: str) -> Config:
    """Four clips a batch of ego and third-person views."""
    found = read_config("demo") if preset == "demo" else from_dict({"preset": preset})
    batch = [f"data.batch_size={CLIPS}", f"data.eval_batch_size={CLIPS}"]
    return found.replace([*batch, 'task.modalities=["ego", "third"]'])


def batch_picture(shards: ShardSet, config: Config, *, training: bool) -> npt.NDArray[np.uint8]:
    """The first batch, RGB: a row a clip and view, a column a block."""
    every = tuple(sample.sequence for sample in shards.samples)
    loader = open_loader(shards, config, VIEWS, every, World(), training=training)
    batch = next(iter(loader)).rgb()
    inputs, _ = prepare(batch, config, VIEWS, epoch=0, training=training)
    rows = []
    for clip in range(len(batch)):
        for view in VIEWS:
            frames = inputs[view][clip, :, :, 0].permute(0, 2, 3, 1).numpy()  # [N, H, W, 3]
            shown = (frames * IMAGENET_STD + IMAGENET_MEAN) * 255
            tiles = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
            edges = ((0, 0), (_EDGE, _EDGE), (_EDGE, _EDGE), (0, 0))
            rows.append(np.concatenate(list(np.pad(tiles, edges, constant_values=255)), axis=1))
    return np.concatenate(rows, axis=0)


def write_pictures(shards: ShardSet, out: Path) -> dict[str, str]:
    """Write the pictures of every preset; those that these shards cannot give, with the reason."""
    out.mkdir(parents=True, exist_ok=True)
    refused = {}
    for preset in PRESETS:
        for mode in ("train", "eval"):
            try:
                picture = batch_picture(shards, config_of(preset), training=mode == "train")
            except UsageError as error:
                refused[f"{preset}-{mode}"] = str(error)
                continue
            cv2.imwrite(str(out / f"{preset}-{mode}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return refused


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    refused = write_pictures(ShardSet.open(options.shards), options.out)
    for name, reason in refused.items():
        print(f"{name}: {reason}", file=sys.stderr)
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
