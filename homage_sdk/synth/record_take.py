"""Recording one take: its videos, sound, labels, scene graphs and sensors. Runs in a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2

from homage_sdk.synth.audio.soundtrack import take_sound
from homage_sdk.synth.audio.timbre import Samples
from homage_sdk.synth.film.camera import camera
from homage_sdk.synth.film.pattern_view import PatternView
from homage_sdk.synth.film.render_ego import EgoView
from homage_sdk.synth.film.render_third import ThirdView
from homage_sdk.synth.film.video_file import Track, write_video
from homage_sdk.synth.label_files import actions_text
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.release_paths import LAYOUTS
from homage_sdk.synth.scene_graph_files import document
from homage_sdk.synth.sensor_files import sensor_tables
from homage_sdk.synth.takes import Take, World
from homage_sdk.synth.world.scene import Scene, scene_of
from homage_sdk.synth.world.timeline import FPS

Drawn = EgoView | ThirdView | PatternView


@dataclass(frozen=True, slots=True)
class TakeOptions:
    """What is the same for every take of a release."""

    folder: str
    layout: str
    seed: int
    size: tuple[int, int]
    world: World = "home"


@dataclass(frozen=True, slots=True)
class TakeSummary:
    """What one take added."""

    videos: int
    actions: int
    boxes: int
    relationships: int
    seconds: int


def third_view(scene: Scene, view: int, size: tuple[int, int]) -> ThirdView:
    """The renderer of one third-person view of a take."""
    lens = camera(scene.seed, scene.sequence, view, scene.room, scene.spot, size)
    return ThirdView(scene, lens)


def _drawn(scene: Scene, take: Take, view: int, options: TakeOptions) -> Drawn:
    if options.world != "home":
        content = take.partner if view and options.world == "apart" else take.sequence
        return PatternView(scene.seed, take, view, str(content), options.size)
    return EgoView(scene, options.size) if view == 0 else third_view(scene, view, options.size)


def write_take(options: TakeOptions, take: Take) -> TakeSummary:
    """Write everything of one take below ``options.folder``."""
    cv2.setNumThreads(1)
    folder, layout = Path(options.folder), LAYOUTS[options.layout]
    seed, sequence = options.seed, take.sequence
    scene = scene_of(seed, take)
    sound = take_sound(scene)
    times = [index / FPS for index in range(take.seconds * FPS)]
    for view in take.views:
        drawn = _drawn(scene, take, view, options)
        write_video(
            folder / layout.video(sequence.view(view)),
            (drawn.frame(t) for t in times),
            options.size,
            None if "no_audio" in take.mess else _track(scene, view, sound),
            lying_header="lying_header" in take.mess and view == take.views[-1],
        )
    if "no_labels" not in take.mess:
        _write(folder / layout.actions(sequence), actions_text(scene.script, take.mess))
    boxes = relationships = 0
    if take.third_views and "no_labels" not in take.mess:
        rng = stream(seed, "annotated view", str(sequence))
        view = take.third_views[int(rng.integers(len(take.third_views)))]
        view_id = sequence.view(view)
        graphs = document(str(view_id), third_view(scene, view, options.size))
        _write(folder / layout.graphs(view_id), json.dumps(graphs) + "\n")
        boxes = sum(len(f["objects"]) for f in graphs["frames"])
        relationships = sum(len(f["relationships"]) for f in graphs["frames"])
    tables = sensor_tables(scene, sound)
    for (kind, position), text in tables.items():
        _write(folder / layout.sensor(sequence, kind, position), text)
    n_actions = 0 if "no_labels" in take.mess else len(scene.script.beats)
    return TakeSummary(len(take.views), n_actions, boxes, relationships, take.seconds)


def _track(scene: Scene, view: int, sound: Samples) -> Track:
    """What the microphone of one camera records: the head-mounted one is nearest."""
    gain = stream(scene.seed, "microphone", scene.room.number, view).uniform(0.5, 1.0)
    noise = stream(scene.seed, "microphone noise", scene.sequence, view)
    if view == 0:
        return Track(sound, 1.0, noise, 48_000)
    return Track(sound, float(gain), noise, 44_100)


def _write(path: Path, text: str) -> None:
    # Into a folder that appears as a whole: `write_release` holds it with `new_folder`.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
