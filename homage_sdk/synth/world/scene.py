"""Everything that is true of one take: who does what, where, with which things."""

from __future__ import annotations

from dataclasses import dataclass

from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.takes import Take
from homage_sdk.synth.world.rooms import Participant, Room, Spot, belongings, participant, room
from homage_sdk.synth.world.things import Thing
from homage_sdk.synth.world.timeline import Script, write_script


@dataclass(frozen=True, slots=True)
class Scene:
    """A take as the world knows it; every view, sound, sensor and label follows from it."""

    seed: int
    sequence: str
    script: Script
    person: Participant
    room: Room
    spot: Spot
    things: dict[str, Thing]


def script_of(seed: int, take: Take) -> Script:
    """What happens in a take."""
    return write_script(take.activity, take.seconds, stream(seed, "script", str(take.sequence)))


def scene_of(seed: int, take: Take) -> Scene:
    """The scene of a take; a pure function of the seed and the plan."""
    place = room(seed, take.sequence.room)
    number = take.sequence.participant
    return Scene(
        seed,
        str(take.sequence),
        script_of(seed, take),
        participant(seed, number),
        place,
        place.spots[take.activity.place],
        belongings(seed, number, take.activity.things),
    )


def used_classes(seed: int, takes: tuple[Take, ...]) -> tuple[str, ...]:
    """Every atomic class that the labels of these takes name, sorted."""
    labelled = (take for take in takes if "no_labels" not in take.mess)
    return tuple(sorted({b.raw for take in labelled for b in script_of(seed, take).beats}))
