"""Prints which alignment objectives a clock solves (a minute or two on one core).

Two views whose contents are independent share nothing but the block number. An objective whose
accuracy rises on them teaches a network to count blocks.

    python tools/clock.py [--steps 200]
"""

from __future__ import annotations

import argparse

import torch

from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.instrument.clock import read_clock

OBJECTIVES = {
    "video (Eq. 1 read narrowly)": AlignmentConfig(negatives="video"),
    "video, centred": AlignmentConfig(negatives="video", centre=True),
    "batch (preset paper)": AlignmentConfig(negatives="batch"),
    "batch, centred": AlignmentConfig(negatives="batch", centre=True),
    "same_block": AlignmentConfig(negatives="same_block"),
}


def main() -> None:
    """Each objective on independent views, and on views that share half of their variance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(f"after {chosen.steps} steps, batches of 16 clips, 8 blocks, D = 256")
    print("| negatives | contents | loss | accuracy | chance | placebo |")
    print("|---|---|---|---|---|---|")
    for name, align in OBJECTIVES.items():
        for contents, shared in (("independent", 0.0), ("half shared", 0.5)):
            found = read_clock(align, shared=shared, steps=chosen.steps, seed=chosen.seed)
            shares = (found.accuracy, found.chance, found.placebo)
            figures = " | ".join(f"{value:.1%}" for value in shares)
            print(f"| {name} | {contents} | {found.loss:.3f} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
