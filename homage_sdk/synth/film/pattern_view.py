"""Views that show gratings: a world in which it is known what two views have in common.

As in docs/ccau_instrument.md, ``z = mu_y + e_i + e_in / 2`` carries the activity and
``q = q_i + q_in / 2`` does not. A view mixes both into one number a grating, and the number is the
grating's contrast: a network that looks for contrast anywhere in the picture can read it. What
``z`` is drawn for is the ``content`` of a view; views of one content show the same ``z``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from homage_sdk.synth.film.canvas import Floats, Picture
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.takes import Take

CONTENT = 6
"""Dimensions of z."""
PRIVATE = 12
"""Dimensions of q."""
PRIVATE_SCALE = 1.5
ANCHORS_S = 1.0
"""Between two drawings of e_in and q_in; they are blended in between."""

CYCLES = (4.0, 8.0)
ANGLES = tuple(k * np.pi / 4 for k in range(4))
AXES = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
"""Colours in which gratings swing: light, red against green, yellow against blue."""
GRATINGS = len(CYCLES) * len(ANGLES) * len(AXES)
CONTRAST = 9.0
"""Grey levels of a grating whose number is 0."""
SPREAD = 0.4
_DRIFT = 0.6
"""Cycles a second (standard deviation): speed says nothing."""


class PatternView:
    """Draws the frames of one view; ``frame`` is a pure function of time.

    ``content`` names what the view shows: its own sequence, or another one of the same activity.
    """

    def __init__(
        self, seed: int, take: Take, view: int, content: str, size: tuple[int, int]
    ) -> None:
        sequence = str(take.sequence)
        n_anchors = int(take.seconds / ANCHORS_S) + 2
        mean = stream(seed, "pattern mean", take.activity.name).standard_normal(CONTENT)
        z = mean + _slow(stream(seed, "pattern content", content), n_anchors, CONTENT)
        q = _slow(stream(seed, "pattern private", sequence, view), n_anchors, PRIVATE)
        shown, hidden = mixing(seed, view)
        numbers = z @ shown + PRIVATE_SCALE * (q @ hidden)
        self._contrast = CONTRAST * np.clip(1 + SPREAD * numbers, 0.0, 3.0)  # [anchors, gratings]
        rng = stream(seed, "pattern phase", sequence, view)
        self._phase = rng.uniform(0, 2 * np.pi, GRATINGS)
        self._speed = 2 * np.pi * _DRIFT * rng.standard_normal(GRATINGS)
        width, height = size
        turns = phases(width, height)
        self._waves = np.concatenate([np.cos(turns), np.sin(turns)], axis=1)  # [pixels, 2 waves]
        self._shape = (height, width, 3)

    def frame(self, time_s: float) -> Picture:
        """RGB [H, W, 3] at a moment of the sequence."""
        at = min(max(time_s, 0.0) / ANCHORS_S, len(self._contrast) - 1.001)
        before, share = int(at), at - int(at)
        contrast = (1 - share) * self._contrast[before] + share * self._contrast[before + 1]
        phase = self._phase + self._speed * time_s
        parts = np.stack([contrast * np.cos(phase), -contrast * np.sin(phase)])
        by_colour = parts.reshape(2, -1, len(AXES)) @ AXES  # [cos and sin, waves, RGB]
        picture = 128.0 + self._waves @ by_colour.reshape(-1, 3).astype(np.float32)
        seen: Picture = np.clip(picture, 0, 255).astype(np.uint8).reshape(self._shape)
        return seen


def phases(width: int, height: int) -> npt.NDArray[np.float32]:
    """Of each wave in each pixel, row by row: radians, [pixels, waves]."""
    y, x = np.mgrid[:height, :width] / height
    along = [c * (x * np.cos(angle) + y * np.sin(angle)) for c in CYCLES for angle in ANGLES]
    return 2 * np.pi * np.array(along, np.float32).reshape(len(along), -1).T


def mixing(seed: int, view: int) -> tuple[Floats, Floats]:
    """How a view makes its gratings of z [CONTENT, GRATINGS] and of q [PRIVATE, GRATINGS]."""
    fixed = stream(seed, "pattern mixing", min(view, 1))
    shown = fixed.standard_normal((CONTENT, GRATINGS)) / CONTENT**0.5
    return shown, fixed.standard_normal((PRIVATE, GRATINGS)) / PRIVATE**0.5


def _slow(rng: np.random.Generator, n_anchors: int, size: int) -> Floats:
    """``e_i + e_in / 2``: [anchors, size], unit normals."""
    own = rng.standard_normal(size)
    return np.asarray(own + rng.standard_normal((n_anchors, size)) / 2)
