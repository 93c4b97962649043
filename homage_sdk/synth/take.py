"""Recording one take: its videos, sound, labels, scene graphs and sensors. Runs in a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2

from homage_sdk.synth.camera import camera
from homage_sdk.synth.encode import Track, write_video
from homage_sdk.synth.labels import actions_text
from homage_sdk.synth.layouts import LAYOUTS
from homage_sdk.synth.plan import Take
from homage_sdk.synth.render_ego import EgoView
from homage_sdk.synth.render_third import ThirdView
from homage_sdk.synth.scene_graph import document
from homage_sdk.synth.sensors import sensor_tables
from homage_sdk.synth.sound import take_sound
from homage_sdk.synth.streams import stream
from homage_sdk.synth.timeline import FPS, Script, write_script
from homage_sdk.synth.world import participant, room


@dataclass(frozen=True, slots=True)
class TakeOptions:
    """What is the same for every take of a release."""

    folder: str
    layout: str
    seed: int
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TakeSummary:
    """What one take added."""

    videos: int
    actions: int
    boxes: int
    relationships: int
    seconds: int


def script_of(seed: int, take: Take) -> Script:
    """What happens in a take."""
    return write_script(take.activity, take.seconds, stream(seed, "script", str(take.sequence)))


def used_classes(seed: int, takes: tuple[Take, ...]) -> tuple[str, ...]:
    """Every atomic class that the labels of these takes name, sorted."""
    labelled = (take for take in takes if "no_labels" not in take.mess)
    return tuple(sorted({b.raw for take in labelled for b in script_of(seed, take).beats}))


def third_view(seed: int, take: Take, view: int, size: tuple[int, int]) -> ThirdView:
    """The renderer of one third-person view of a take."""
    place = room(seed, take.sequence.room)
    spot = place.spots[take.activity.place]
    lens = camera(seed, str(take.sequence), view, place, spot, size)
    person = participant(seed, take.sequence.participant)
    return ThirdView(script_of(seed, take), person, place, spot, lens)


def write_take(options: TakeOptions, take: Take) -> TakeSummary:
    """Write everything of one take below ``options.folder``."""
    cv2.setNumThreads(1)
    folder, layout = Path(options.folder), LAYOUTS[options.layout]
    seed, sequence = options.seed, take.sequence
    script = script_of(seed, take)
    person = participant(seed, sequence.participant)
    place = room(seed, sequence.room)
    sound = take_sound(seed, str(sequence), script, person, place)
    times = [index / FPS for index in range(take.seconds * FPS)]
    for view in take.views:
        drawn: EgoView | ThirdView
        if view == 0:
            drawn = EgoView(seed, str(sequence), script, person, place, options.size)
        else:
            drawn = third_view(seed, take, view, options.size)
        gain = stream(seed, "microphone", place.number, view).uniform(0.5, 1.0)
        track = None
        if "no_audio" not in take.mess:
            track = Track(sound, 1.0 if view == 0 else float(gain), 48_000 if view == 0 else 44_100)
        write_video(
            folder / layout.video(sequence.view(view)),
            (drawn.frame(t) for t in times),
            options.size,
            track,
            lying_header="lying_header" in take.mess and view == take.views[-1],
        )
    if "no_labels" not in take.mess:
        _write(folder / layout.actions(sequence), actions_text(script, take.mess))
    boxes = relationships = 0
    if take.third_views and "no_labels" not in take.mess:
        rng = stream(seed, "annotated view", str(sequence))
        view = take.third_views[int(rng.integers(len(take.third_views)))]
        view_id = sequence.view(view)
        graphs = document(str(view_id), third_view(seed, take, view, options.size), script)
        _write(folder / layout.graphs(view_id), json.dumps(graphs) + "\n")
        boxes = sum(len(f["objects"]) for f in graphs["frames"])
        relationships = sum(len(f["relationships"]) for f in graphs["frames"])
    tables = sensor_tables(seed, str(sequence), script, person, place, sound)
    for (kind, position), text in tables.items():
        _write(folder / layout.sensor(sequence, kind, position), text)
    n_actions = 0 if "no_labels" in take.mess else len(script.beats)
    return TakeSummary(len(take.views), n_actions, boxes, relationships, take.seconds)


def _write(path: Path, text: str) -> None:
    # Into a folder that appears as a whole: `write_release` holds it with `storage.new_folder`.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
