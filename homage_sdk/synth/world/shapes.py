"""Every object that an activity can use, by the name that its scene graphs give it."""

from __future__ import annotations

from homage_sdk.synth.world.household_shapes import HOUSEHOLD_THINGS
from homage_sdk.synth.world.kitchen_shapes import KITCHEN_THINGS

THINGS = {thing.name: thing for thing in (*KITCHEN_THINGS, *HOUSEHOLD_THINGS)}
