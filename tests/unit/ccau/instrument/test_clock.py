"""Which objectives a clock solves, on views that share nothing but the block number."""

import pytest

from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.instrument.clock import read_clock

SMALL = {"dim": 64, "blocks": 4, "clips": 8, "steps": 150, "lr": 3e-3}


def test_a_clock_solves_equation_1_read_narrowly():
    found = read_clock(AlignmentConfig(negatives="video"), **SMALL)
    assert found.chance == pytest.approx(0.25)
    assert found.accuracy > 0.9 and found.placebo > 0.9


@pytest.mark.parametrize(
    "align",
    [
        AlignmentConfig(negatives="same_block", normalize=True, tau=0.2),
        AlignmentConfig(negatives="video", centre=True),
    ],
)
def test_same_block_and_centring_leave_it_at_chance(align):
    found = read_clock(align, **SMALL)
    assert abs(found.accuracy - found.chance) < 0.05
