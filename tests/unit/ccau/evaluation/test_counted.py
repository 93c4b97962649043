"""Every row says on how many sequences and clips it is; unlike ones are compared on the common."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from baselines.ccau.cli import app
from baselines.ccau.evaluation.counted import Comparison, Counted
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.evaluation.measures import compute_results
from baselines.ccau.evaluation.predictions import Predictions, SavedPredictions
from baselines.ccau.evaluation.result_rows import notes, own_rows
from baselines.ccau.report.run_page import results_section
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.training.train import train
from homage_sdk.cli import run as run_command
from homage_sdk.errors import CheckpointError, UsageError
from homage_sdk.evaluation.intervals import paired_difference

SPLIT = {f"s{i}": "val" if i % 2 else "test" for i in range(8)}


def predictions(hits, *, clips=1, labelled=True, n_atomic=None):
    """``hits`` maps a sequence to whether its activity is found; each has so many clips."""
    names = tuple(sorted(hits))
    right = np.repeat([float(hits[name]) for name in names], clips)
    scores = np.stack([right, 1 - right], axis=1)
    n = len(names)
    return Predictions(
        sequences=names,
        activity_label=np.zeros(n, np.int64) if labelled else np.arange(n) % 2 - 1,
        atomic_label=np.ones((n, 1), np.uint8),
        atomic_known=np.arange(n) < n_atomic if n_atomic is not None else np.ones(n, np.bool_),
        clip_sequence=np.repeat(np.arange(n), clips),
        clip_view=np.zeros(n * clips, np.int64),
        clip_number=np.tile(np.arange(clips), n),
        clip_activity=scores,
        clip_atomic=scores[:, :1],
        clip_atomic_label=np.ones((n * clips, 1), np.uint8),
        clip_embedding=scores,
    )


def results_of(**by_modality):
    prior = {"activity": np.array([0.5, 0.5]), "atomic": np.zeros(1)}
    classes = {"activity": ("a", "b"), "atomic": ("c",)}
    saved = SavedPredictions(by_modality, SPLIT, classes, prior)
    return {
        "targets": "both",
        "splits": {"test": 4, "val": 4},
        "comparison": Comparison.of(by_modality, SPLIT).model_dump(),
        "without_prior": [],
        "modalities": compute_results(saved, draws=20),
    }


def test_rows_of_different_sequences_are_compared_on_the_common_ones():
    # Ego knows all of its two sequences; third person those two and none of its six others.
    ego = predictions({"s0": True, "s1": True}, clips=3)
    third = predictions({f"s{i}": i < 2 for i in range(8)}, clips=2)
    results = results_of(ego=ego, third=third)
    rows = {(row["modality"], row["row"]): row for row in own_rows(results)}
    by_name = {}
    for (title, row), values in rows.items():
        by_name.setdefault(title or row, values)
    assert by_name["Ego"]["sequences"] == "test 1, val 1" and by_name["Ego"]["clips"] == "6"
    assert by_name["3rd person"]["sequences"] == "test 4, val 4"
    assert by_name["3rd person"]["clips"] == "16"
    assert by_name["3rd person"]["top-1 %"].startswith("25.0")
    found = results["modalities"]["third"]["common"]
    assert found["activity"]["mean"]["top1"][0] == pytest.approx(1.0)  # as ego: both know these
    assert Counted(**found["counted"]).sequences == {"test": 1, "val": 1}
    assert "of the 2 that all have" in notes(results)[-1]


def test_rows_of_the_same_sequences_need_no_other_ones():
    same = {f"s{i}": True for i in range(4)}
    results = results_of(ego=predictions(same), third=predictions(same))
    assert "common" not in results["modalities"]["ego"]
    assert notes(results)[-1] == "All modalities were judged on the same 4 sequences."


def test_rows_without_a_common_sequence_are_marked():
    results = results_of(ego=predictions({"s0": True}), third=predictions({"s1": True}))
    assert "common" not in results["modalities"]["ego"]
    assert "do not compare" in notes(results)[-1]


def test_a_row_says_how_many_activities_are_known():
    every = {f"s{i}": True for i in range(8)}
    results = results_of(ego=predictions(every, labelled=False, n_atomic=6))
    said = own_rows(results)[0]["sequences"]
    assert said == "test 4 (0 with activity, 3 with atomic actions), val 4 (3 with atomic actions)"


def test_a_sequence_without_atomic_labels_is_not_one_without_actions():
    """Scored as if nothing happened in it, its high scores would be errors."""
    hits = {f"s{i}": True for i in range(8)}
    whole = predictions(hits, n_atomic=4)
    whole.atomic_label[4:] = 0
    whole.clip_atomic_label[4:] = 0
    whole.clip_atomic[:4] = 0.5  # below what the unlabelled ones score
    found = results_of(ego=whole)["modalities"]["ego"]
    assert found["atomic"]["model"]["pooled"]["weighted"][0] == pytest.approx(1.0)
    assert found["per_clip"]["atomic"]["model"]["pooled"]["weighted"][0] == pytest.approx(1.0)


def test_every_row_comes_of_sequences_and_of_clips():
    """s0 has four clips, all right; s2 one, wrong: of sequences half, of clips four fifths."""
    several = predictions({"s0": True, "s2": False}, clips=4)
    names = [f.name for f in fields(several) if f.name.startswith("clip_")]
    clips = {name: getattr(several, name) for name in names}
    clips = {name: values[:5] for name, values in clips.items() if values is not None}
    found = results_of(ego=replace(several, **clips))["modalities"]["ego"]
    of_sequences, of_clips = (
        each["activity"]["model"]["mean"]["top1"] for each in (found, found["per_clip"])
    )
    assert of_sequences[0] == pytest.approx(0.5) and of_clips[0] == pytest.approx(0.8)
    # Two sequences are two observations, however many clips they have.
    assert of_clips[1] == 0 and of_clips[2] > 0.95
    assert found["per_clip"].keys() == {"activity", "atomic"}
    assert found["per_clip"]["atomic"].keys() == found["atomic"].keys()
    rows = own_rows({**results_of(ego=several), "modalities": {"ego": found}})
    assert [row["row"] for row in rows if row["row"].startswith("ours")] == [
        "ours",
        "ours, per clip",
    ]
    said = {row["row"]: row["top-1 %"][:4] for row in rows}
    assert said["ours"] == "50.0" and said["ours, per clip"] == "80.0"


def test_some_of_the_sequences_are_what_they_were_among_all():
    whole = predictions({f"s{i}": i % 3 == 0 for i in range(8)}, clips=2)
    part = whole.only({"s6", "s2", "elsewhere"})
    assert part.sequences == ("s2", "s6")
    np.testing.assert_array_equal(part.activity, whole.activity[[2, 6]])
    np.testing.assert_array_equal(part.clip_sequence, [0, 0, 1, 1])


def test_two_models_without_a_common_sequence_have_no_difference():
    with pytest.raises(UsageError, match="no sequence that both have"):
        paired_difference(len, len, np.zeros((5, 0)))


@pytest.mark.slow
def test_results_tables_and_page_state_what_each_row_is_of(tiny, small_shards, tmp_path, capsys):
    train(tiny(**{"optim.epochs": 1}), small_shards, tmp_path)
    asked = ["evaluate", str(tmp_path), "--shards", str(small_shards), "--draws", "20"]
    assert run_command(app, asked) == 0
    said = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    for name, found in results["modalities"].items():
        rows = [found, *(found[key] for key in ("one_view", "common") if key in found)]
        for row in rows:
            cells = Counted(**row["counted"]).cells()
            assert cells["sequences"] in said and cells["sequences"] in (
                results_section(tmp_path).body
            ), name
    assert all(line in said for line in notes(results))
    # A file of an older version, whose numbers are of sequences alone, is not shown.
    del results["estimands"]
    (tmp_path / "results.json").write_text(json.dumps(results))
    with pytest.raises(CheckpointError, match="ccau evaluate"):
        results_section(tmp_path)
    assert "estimands" in evaluate(tmp_path, small_shards, draws=20)
    assert read_json(tmp_path, "results.json", "estimands")
