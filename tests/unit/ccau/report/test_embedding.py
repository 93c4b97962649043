"""Contexts in two dimensions: seeded, each point with its clip, the eye held to a number."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from baselines.ccau.cli import app
from baselines.ccau.evaluation.predictions import (
    Predictions,
    SavedPredictions,
    save_predictions,
)
from baselines.ccau.report.embedding import embed
from baselines.ccau.report.embedding_picture import draw
from baselines.ccau.report.related_classes import DEMO, Group, read_groups
from homage_sdk.cli import run as run_command
from homage_sdk.errors import ConfigError, HomageError, UsageError
from homage_sdk.synth.world.grammar import ACTIVITIES

CLASSES = ("washing_dishes", "drying_dishes", "ironing_clothes")
N, CLIPS = 24, 3  # sequences, clips of each


def write_run(
    folder: Path,
    *,
    by: str = "class",
    modalities: tuple[str, ...] = ("ego",),
    classes: tuple[str, ...] = CLASSES,
    sequences: int = N,
) -> Path:
    """An evaluated run whose contexts tell the classes apart, or only the sequences."""
    rng = np.random.default_rng(0)
    sequence = np.repeat(np.arange(sequences), CLIPS)
    label = np.arange(sequences) % 3
    label[-1] = -1
    own = {"class": label[sequence], "sequence": sequence}[by]
    directions = 10 * rng.standard_normal((sequences, 8))
    contexts = directions[own] + rng.standard_normal((sequences * CLIPS, 8))
    scores = np.full((sequences * CLIPS, 3), 1 / 3)
    names = tuple(f"p{n:04d}_r000_a000" for n in range(sequences))
    each = Predictions(
        sequences=names,
        activity_label=label,
        atomic_label=np.zeros((sequences, 3), np.uint8),
        atomic_known=np.ones(sequences, bool),
        clip_sequence=sequence,
        clip_view=np.zeros(sequences * CLIPS, np.int64),
        clip_number=np.tile(np.arange(CLIPS), sequences),
        clip_activity=scores,
        clip_atomic=scores,
        clip_atomic_label=np.zeros((sequences * CLIPS, 3), np.uint8),
        clip_embedding=contexts.astype(np.float32),
    )
    split = {name: ("val", "test")[n % 2] for n, name in enumerate(names)}
    lists = {"activity": classes, "atomic": ("a", "b", "c")}
    prior = {kind: np.full(3, 1 / 3) for kind in lists}
    folder.mkdir()
    saved = SavedPredictions(dict.fromkeys(modalities, each), split, lists, prior)
    save_predictions(folder / "predictions.npz", saved)
    return folder


def test_classes_that_contexts_tell_apart_lie_apart_and_each_point_names_its_clip(tmp_path):
    (found,) = embed(write_run(tmp_path / "run"))
    assert found.left_out == CLIPS and len(found.points) == (N - 1) * CLIPS
    assert found.same_class.share == 1.0 and 0.28 < found.same_class.chance < 0.34
    keys = [(p.sequence, p.view, p.clip) for p in found.points]
    assert len(set(keys)) == len(keys)
    for p in found.points:
        n = int(p.sequence[1:5])
        assert p.activity == CLASSES[n % 3] and p.split == ("val", "test")[n % 2]
    places = np.array([(p.x, p.y) for p in found.points])
    own = np.array([p.activity for p in found.points])
    for point, name in zip(places, own, strict=True):
        away = np.linalg.norm(places - point, axis=1)
        away[(places == point).all(axis=1)] = np.inf
        assert own[away.argmin()] == name


def test_clips_of_one_sequence_are_no_evidence_for_each_other(tmp_path):
    """Contexts that only tell sequences apart look like clusters, and are no better than chance."""
    (found,) = embed(write_run(tmp_path / "run", by="sequence"))
    assert abs(found.same_class.share - found.same_class.chance) < 0.12


def test_the_same_seed_gives_the_same_points(tmp_path):
    run = write_run(tmp_path / "run")
    first, again, other = (embed(run, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_groups_choose_what_is_shown_and_related_classes_count_together(tmp_path):
    run = write_run(tmp_path / "run")
    groups = (
        Group(name="Dishes", activities=("washing_dishes", "drying_dishes", "licking_dishes")),
    )
    (found,) = embed(run, groups=groups)
    assert {p.activity for p in found.points} == {"washing_dishes", "drying_dishes"}
    assert found.groups[0].activities == ("washing_dishes", "drying_dishes")
    assert found.same_group.share == found.same_group.chance == 1.0
    with pytest.raises(UsageError, match="no activity of the groups"):
        embed(run, groups=[Group(name="x", activities=("flying",))])


@pytest.mark.parametrize("n_sequences", [3, 4, 8])
def test_small_runs_are_laid_out(tmp_path, n_sequences):
    """Fewer clips than are asked for as neighbours; one sequence has no activity."""
    (found,) = embed(write_run(tmp_path / "run", sequences=n_sequences))
    assert len(found.points) == (n_sequences - 1) * CLIPS
    assert found.same_class.share is not None and found.same_class.chance is not None


@pytest.mark.parametrize("n_sequences", [1, 2])
def test_too_few_clips_are_one_plain_error(tmp_path, n_sequences):
    run, clips = write_run(tmp_path / "run", sequences=n_sequences), (n_sequences - 1) * CLIPS
    with pytest.raises(UsageError, match=f"too few clips of ego.*{clips} clips.*at least 4 clips"):
        embed(run)


def test_classes_that_only_a_later_run_knows_are_in_its_panel_and_in_the_legend(tmp_path):
    other = (CLASSES[0], "licking_dishes", CLASSES[2])
    runs = write_run(tmp_path / "a"), write_run(tmp_path / "b", classes=other)
    groups = (Group(name="Dishes", activities=(*CLASSES[:2], other[1])),)
    for name, chosen in (("each", ()), ("grouped", groups)):
        found = [each for run in runs for each in embed(run, groups=chosen)]
        draw(found, tmp_path / name)
        drawn = (tmp_path / name / "tsne.svg").read_text()
        assert drawn.count("licking dishes") == drawn.count("drying dishes") == 1  # the legend
        n_points = sum(len(each.points) for each in found)
        n_legend = 4 if name == "each" else 3
        assert len(re.findall(r'<use [^>]*style="fill:', drawn)) == n_points + n_legend


def test_what_cannot_be_laid_out_is_refused(tmp_path):
    run = write_run(tmp_path / "run")
    with pytest.raises(HomageError, match="audio"):
        embed(run, "audio")
    with pytest.raises(UsageError, match="a perplexity that these clips cannot give"):
        embed(run, perplexity=40)
    with pytest.raises(UsageError, match="too few clips of ego"):
        embed(run, groups=no_clips(run))


def no_clips(run: Path) -> list[Group]:
    """Groups of a class that the run knows and no test sequence has."""
    path = run / "predictions.npz"
    with np.load(path) as file:
        members = {name: file[name] for name in file.files}
    members["classes/activity"] = np.array(["a", "b", "c", "d"])
    np.savez_compressed(path, **members)
    return [Group(name="x", activities=("d",))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[group]", "not valid TOML"),
        ("", "group"),
        ("[[group]]\nname = 'A'\nactivities = []", "/group/0/activities"),
        ("[[group]]\nname = 'A'\nactivities = ['x']\ncolor = '#ffffff'", "color"),
        ("[[group]]\nname = 'A'\nactivities = ['x']\ncolour = 'red'", "colour"),
        (
            "[[group]]\nname = 'A'\nactivities = ['x']\n[[group]]\nname = 'B'\nactivities = ['x']",
            "two groups.*x",
        ),
    ],
)
def test_a_file_of_classes_with_a_fault_is_refused_with_its_place(tmp_path, text, said):
    (tmp_path / "classes.toml").write_text(text)
    with pytest.raises(ConfigError, match=rf"(?s)classes\.toml.*{said}|{said}.*classes\.toml"):
        read_groups(tmp_path / "classes.toml")
    with pytest.raises(ConfigError, match="nowhere"):
        read_groups(tmp_path / "nowhere.toml")


def test_ours_names_every_activity_of_the_synthetic_release_once():
    named = [name for group in read_groups(Path("demo")) for name in group.activities]
    assert sorted(named) == sorted(activity.name for activity in ACTIVITIES)
    assert read_groups(DEMO) == read_groups(Path("demo"))


def test_the_command_writes_pictures_and_points(tmp_path, capsys):
    run = write_run(tmp_path / "run", modalities=("ego", "third"))
    words = ["tsne", str(run), "--classes", "demo", "--out", str(tmp_path / "figure4")]
    assert run_command(app, words) == 0
    said = capsys.readouterr().out
    assert "same class 100.0 % (chance 3" in said.replace("\n", " ")
    found = json.loads((tmp_path / "figure4" / "tsne.json").read_text())["embeddings"]
    assert [each["modality"] for each in found] == ["ego", "third"]
    point = found[0]["points"][0]
    assert {"sequence", "view", "clip", "activity", "group", "x", "y"} <= point.keys()
    svg = (tmp_path / "figure4" / "tsne.svg").read_text()
    assert "washing dishes" in svg and len(re.findall("<svg", svg)) == 1
    assert (tmp_path / "figure4" / "tsne.png").read_bytes().startswith(b"\x89PNG")
    before = {p.name: p.read_bytes() for p in (tmp_path / "figure4").iterdir()}
    assert run_command(app, words) == 0
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "figure4").iterdir()}
