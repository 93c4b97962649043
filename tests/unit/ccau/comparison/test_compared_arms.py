"""Differences between arms: the seeds and sequences that both have, with errors of either kind."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from baselines.ccau.cli import app
from baselines.ccau.comparison.compare_arms import ArmDifference, compare, with_holm
from baselines.ccau.comparison.compare_predictions import compare_predictions
from baselines.ccau.comparison.run_numbers import RunNumbers
from baselines.ccau.evaluation import predictions as predictions_module
from baselines.ccau.evaluation.fewshot_predictions import load_fewshot, save_fewshot
from baselines.ccau.evaluation.measures import compute_results
from baselines.ccau.evaluation.predictions import load_predictions, save_predictions
from baselines.ccau.paper.arms import ARMS
from baselines.ccau.report import paper_tables
from baselines.ccau.report.paper_tables import make_tables
from baselines.ccau.report.small_arms_page import verdicts
from baselines.ccau.report.table_text import compared_rows, difference_cells
from homage_sdk.cli import run as run_command
from homage_sdk.errors import CheckpointError, UsageError
from tests.unit.ccau.comparison.saved_runs import predictions_of, save_fewshot_run, save_run

CELL = ("accuracy", "ego")


@pytest.fixture
def judged(tmp_path):
    """``judged(arm, seed, hits)`` saves ego predictions whose accuracy is the mean of ``hits``."""

    def make(arm, seed, hits, **more):
        return save_run(tmp_path / arm / f"seed-{seed}", ego=predictions_of(hits, **more))

    return make


def compared(runs, against=(), cell=CELL, estimand="sequence", draws=200):
    return compare(RunNumbers(draws), cell, estimand, runs, against)


def test_a_difference_compares_the_seeds_that_both_arms_have(judged):
    single = [judged("single", s, h) for s, h in ((0, [1, 1, 0, 0]), (1, [0, 0, 0, 0]))]
    coop = [judged("coop", 0, [1, 1, 1, 0])]  # its second seed is not trained yet
    found = compared(coop, single)
    assert found.mean == pytest.approx(75.0) and found.seeds == [75.0]
    assert found.difference.value == pytest.approx(25.0)  # not 50: seed 1 has no partner
    assert (found.difference.n, found.difference.n_seeds) == (4, 1)
    assert found.counted.cells() == {"sequences": "test 2, val 2", "clips": "12"}


def test_arms_judged_on_different_sequences_are_compared_on_the_common_ones(judged):
    single = [judged("single", 0, [1, 1, 0, 0, 1, 1])]  # s00 to s05
    coop = [judged("coop", 0, [1, 1, 0, 0], first=2)]  # s02 to s05
    found = compared(coop, single)
    assert found.counted.sequences == {"test": 2, "val": 2}
    # On s02 to s05 the first arm has 50 %, as this one; over all its own it has 67.
    assert found.difference.value == pytest.approx(0.0) and found.difference.n == 4
    assert difference_cells(found.difference)["on"] == "4 sequences, 1 seed"


def test_both_are_given_of_sequences_and_of_clips(judged):
    """The long sequence of each split is right, the short one wrong."""
    run = judged("single", 0, [1, 1, 0, 0], n_clips=[4, 4, 1, 1])
    assert compared([run]).mean == pytest.approx(50.0)
    assert compared([run], estimand="clip").mean == pytest.approx(80.0)
    for metric in ("accuracy", "map"):
        of = [compared([run], cell=(metric, "ego"), estimand=e).mean for e in ("sequence", "clip")]
        assert of[1] > of[0] + 10


def test_an_interval_is_of_other_seeds_too(judged):
    """Seeds that differ by much more than sequences make a wide interval; alike ones do not."""
    rng = np.random.default_rng(0)
    base = (rng.random(60) < 0.5).astype(int)

    def arm(name, rates):
        return [
            judged(name, seed, np.where(rng.random(60) < rate, 1, base).tolist())
            for seed, rate in enumerate(rates)
        ]

    single = [judged("single", seed, base.tolist()) for seed in range(5)]
    unlike, alike = arm("unlike", (0.0, 0.0, 0.9, 0.9, 0.0)), arm("alike", (0.36,) * 5)
    wide, narrow = (compared(runs, single, draws=1000).difference for runs in (unlike, alike))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.p_value > 0.05 > narrow.p_value and wide.n_seeds == 5
    assert wide.detectable > wide.value > narrow.detectable
    assert compared(unlike).high - compared(unlike).low > 30  # the number itself, too


def test_arms_that_answer_alike_are_not_a_test(judged):
    """Static distillation leaves its teachers as they were: there is nothing to correct for."""
    runs = [[judged(arm, s, [1, 0, 1, 1]) for s in range(3)] for arm in ("single", "static")]
    found = compared(*runs).difference
    assert found.p_value is None and found.value == 0
    assert difference_cells(found)["difference"] == "+0.0, the same answers"
    tested = ArmDifference(1.0, 0.5, 1.5, 0.03, 9, 3, 0.9)
    corrected = with_holm([found, tested, None, tested])
    assert [None if each is None else each.holm for each in corrected] == [None, 0.06, None, 0.06]


def test_arms_without_a_common_sequence_are_marked(judged):
    single = [judged("single", 0, [1, 1])]
    found = compared([judged("coop", 0, [1, 0], first=2)], single, draws=10)
    assert found.difference is None
    said = difference_cells(found.difference, found.not_comparable)["difference"]
    assert said == "not comparable: judged on other sequences"


def test_seeds_judged_on_different_sequences_are_refused(judged):
    runs = [judged("single", 0, [1, 0, 1, 0]), judged("single", 1, [1, 0])]
    with pytest.raises(CheckpointError, match="different sequences"):
        compared(runs, draws=10)


def test_runs_judged_by_other_truth_are_refused_by_name(judged, tmp_path):
    """The same sequences, but of another split, under other labels, or of other classes."""
    hits = [1, 0] * 8
    first = judged("single", 0, hits)
    saved = load_predictions(first / "predictions.npz")
    ego = saved.by_modality["ego"]
    moved = {**saved.split, "s00": "test"}
    others = {
        "splits": replace(saved, split=moved),
        "labels": replace(saved, by_modality={"ego": relabelled(ego)}),
        "classes": replace(saved, classes={"activity": ("a", "z"), "atomic": ("c", "z")}),
    }
    for what, other in others.items():
        run = tmp_path / "other" / what / "seed-0"
        run.mkdir(parents=True)
        save_predictions(run / "predictions.npz", other)
        for metric in ("accuracy", "map"):
            with pytest.raises(CheckpointError, match=what) as refused:
                compared([run], [first], cell=(metric, "ego"), draws=10)
            assert str(first) in str(refused.value) and str(run) in str(refused.value)
        with pytest.raises(CheckpointError, match=what):
            compare_predictions(run, first, draws=10)


def relabelled(found):
    """The same answers under other labels of the first sequence."""
    activity, atomic = found.activity_label.copy(), found.atomic_label.copy()
    activity[0], atomic[0] = 1, 1 - atomic[0]
    return replace(found, activity_label=activity, atomic_label=atomic)


def test_a_draw_that_taught_nothing_is_left_out_and_counted(drawn):
    (run,) = drawn("ccau", hits_of(0.5, by=None))
    probed = load_fewshot(run / "fewshot.npz")["ego"]
    taught = np.arange(20) != 3
    probed = replace(probed, by_k={5: replace(probed.by_k[5], taught=taught)})
    save_fewshot(run / "fewshot.npz", {"ego": probed})
    found = compared([run], cell=("map@5", "ego"))
    assert found.untaught == 1 and found.low < found.mean < found.high
    assert "without 1 untaught" in paper_tables.said(found)
    table = probed.table(draws=50)["5"]["map"]
    assert table["untaught"] == 1 and table["mean"] == pytest.approx(found.mean / 100)
    assert compared([run], cell=("accuracy@5", "ego")).untaught == 0


def test_results_and_tables_have_one_mean_where_a_split_has_no_labels(judged):
    run = judged("single", 0, [1, 0, 1, 1, 0, 1, 1, 0])
    saved = load_predictions(run / "predictions.npz")
    ego = saved.by_modality["ego"]
    in_test = np.array([saved.split[name] == "test" for name in ego.sequences])
    ego = replace(
        ego, atomic_known=in_test, activity_label=np.where(in_test, ego.activity_label, -1)
    )
    saved = replace(saved, by_modality={"ego": ego})
    save_predictions(run / "predictions.npz", saved)
    found = compute_results(saved, draws=20)["ego"]
    for kind, key, metric in (("activity", "top1", "accuracy"), ("atomic", "weighted", "map")):
        for of, each in (("sequence", found), ("clip", found["per_clip"])):
            mean = each[kind]["model"]["mean"]
            table = compared([run], cell=(metric, "ego"), estimand=of, draws=20)
            assert mean[key][0] == pytest.approx(table.mean / 100)
            assert mean["splits"] == ["test"]


@pytest.mark.parametrize("what", ["atomic", "activity"])
def test_a_modality_without_any_labelled_sequence_has_no_number_and_the_page_says_why(
    judged, tmp_path, what
):
    metric, table = {"atomic": ("map", "4"), "activity": ("accuracy", "2")}[what]
    arm = f"single_{what}"
    labelled = judged(arm, 0, [1, 0])
    assert compared([labelled], cell=(metric, "ego"), draws=10) is not None
    shutil.rmtree(labelled)
    run = judged(arm, 0, [1, 0], unlabelled=(what,))
    assert compared([run], cell=(metric, "ego"), draws=10) is None
    assert table not in {place.table for place in make_tables(tmp_path, draws=10)}
    said = (tmp_path / "tables.md").read_text()
    assert "no test sequence" in said and f"* Table {table}, Single Modality" in said


@pytest.fixture
def drawn(tmp_path):
    """``drawn(name, hits, n_seeds)`` saves few-shot runs: ``hits [draws, S]`` of ego at k = 5."""

    def make(name, hits, n_seeds=1, **more):
        folder = tmp_path / f"{name}-{n_seeds}"
        return [save_fewshot_run(folder / f"seed-{s}", hits, **more) for s in range(n_seeds)]

    return make


def hits_of(rate, n_draws=20, n=24, seed=0, by=1):
    """Which sequences are found in which draw of supports: alike along axis ``by``."""
    rng = np.random.default_rng(seed)
    shape = {0: (n_draws, 1), 1: (1, n), None: (n_draws, n)}[by]
    return np.broadcast_to(rng.random(shape) < rate, (n_draws, n)).astype(int)


def test_few_shot_resamples_the_test_sequences_and_the_supports(drawn):
    """Draws that all say the same still leave the sequences, and the other way round."""
    cell = ("accuracy@5", "ego")
    for by, n in ((1, 24), (0, 20)):  # of one value in all draws; of one value for all sequences
        hits = hits_of(0.5, by=by)
        found = compared(drawn(f"by-{by}", hits), cell=cell, draws=2000)
        rate = hits.mean()
        error = 100 * np.sqrt(rate * (1 - rate) / n)
        assert found.mean == pytest.approx(100 * rate)
        assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_the_same_answers_under_three_seeds_are_one_observation(drawn):
    ours, theirs = hits_of(0.7, by=None), hits_of(0.5, by=None, seed=1)
    one, three = (
        compared(
            drawn("ccau", ours, n), drawn("single", theirs, n), ("map@5", "ego"), draws=500
        ).difference
        for n in (1, 3)
    )
    assert (three.value, three.low, three.high) == pytest.approx((one.value, one.low, one.high))
    assert (three.n_seeds, one.n_seeds) == (3, 1)


def test_one_support_set_is_marked(drawn):
    (run,) = drawn("ccau", hits_of(0.5), support_sets=1)
    found = compared([run], cell=("map@5", "ego"))
    assert found.support_sets == 1 and "one support set" in paper_tables.said(found)
    assert compared([run], cell=("map@7", "ego")) is None  # k = 7 was not asked


def test_few_shot_predictions_come_back_and_a_cut_file_is_refused(drawn):
    (run,) = drawn("ccau", hits_of(0.5, by=None))
    found = load_fewshot(run / "fewshot.npz")["ego"]
    table = found.table(draws=50)["5"]
    hits = hits_of(0.5, by=None)
    assert table["accuracy"]["draws"] == pytest.approx(hits.mean(axis=1).tolist())
    low, high = table["per_clip"]["map"]["interval"]
    assert low < table["per_clip"]["map"]["mean"] < high
    data = (run / "fewshot.npz").read_bytes()
    (run / "fewshot.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="ccau fewshot"):
        load_fewshot(run / "fewshot.npz")


def test_the_tables_need_nothing_but_saved_predictions(tmp_path, monkeypatch):
    """Every arm, three seeds, folders with prediction files alone; each file is read once."""
    rng = np.random.default_rng(0)
    for arm in ARMS:
        for seed in range(3):
            run = tmp_path / arm.name / f"seed-{seed}"
            if arm.is_fewshot:
                save_fewshot_run(run, (rng.random((20, 16)) < 0.6).astype(int))
                continue
            rate = {"single_activity": 0.3, "coop_activity": 0.95}.get(arm.name, 0.6)
            modalities = ("audio", "ego", "third")
            hits = {m: (rng.random(40) < rate).astype(int).tolist() for m in modalities}
            save_run(run, **{m: predictions_of(h) for m, h in hits.items()})
    read = []
    plain = predictions_module.np.load
    monkeypatch.setattr(
        predictions_module.np, "load", lambda p, **k: (read.append(p), plain(p, **k))[1]
    )
    tables = make_tables(tmp_path, draws=1000)
    assert len(read) == len(set(read)) == 3 * len(ARMS)
    assert {place.table for place in tables} == set("234567")
    assert {place.estimand for place in tables} == {"sequence", "clip"}
    values = json.loads((tmp_path / "tables.json").read_text())
    gain = values["2"]["Cooperative Ours"]["accuracy ego"]
    assert gain["paper"] == 37.7 and gain.keys() == {"paper", "sequence", "clip"}
    for of in ("sequence", "clip"):
        difference = gain[of]["difference"]
        assert difference["p_value"] < difference["holm"] <= 1
        assert difference["low"] > 0 and difference["detectable"] > 0
    # The same two arms stand in Tables 2 and 3: one comparison, corrected once.
    again = values["3"]["Coop - Ego + 3rd + Aud"]["accuracy ego"]["sequence"]["difference"]
    assert again == gain["sequence"]["difference"]
    tested = {p.key: f.difference for p, f in tables.items() if f.difference}
    smallest, lowest = (min(getattr(d, p) for d in tested.values()) for p in ("p_value", "holm"))
    assert lowest == pytest.approx(min(1.0, smallest * len(tested)))
    said = verdicts(tables, [])
    n = sum(found.holm is not None for found in tested.values())
    assert said[0].startswith(f"Of {n} differences in the tables")  # and no "0 of 0 aligned pairs"
    text = (tmp_path / "tables.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| Cooperative Ours | Ego")]
    assert [row.split(" | ")[2] for row in rows] == ["sequences", "clips"]


def test_two_runs_files_or_arms_are_compared(judged, tmp_path, capsys):
    rng = np.random.default_rng(0)
    base = (rng.random((2, 40)) < 0.4).astype(int)
    single = [judged("single", s, base[s].tolist()) for s in range(2)]
    better = base.copy()
    better[:, :12] = 1
    coop = [judged("coop", s, better[s].tolist()) for s in range(2)]
    whole = compare_predictions(tmp_path / "coop", tmp_path / "single", draws=500)
    assert [(c.cell[0], c.estimand) for c in whole] == [
        (metric, of) for metric in ("accuracy", "map") for of in ("sequence", "clip")
    ]
    assert whole[0].difference.n_seeds == 2
    one = compare_predictions(coop[0], single[0] / "predictions.npz", draws=500)
    expected = 100 * (better[0].mean() - base[0].mean())
    assert one[0].difference.value == pytest.approx(expected) and one[0].difference.low > 0
    back = compare_predictions(single[0], coop[0], draws=500)
    assert back[0].difference.value == pytest.approx(-expected)
    assert all(c.difference.holm >= c.difference.p_value for c in one)
    assert compared_rows(one)[0]["modality"] == "Ego"
    asked = ["compare", str(coop[0]), str(single[0]), "--draws", "50"]
    assert run_command(app, asked) == 0
    said = capsys.readouterr().out
    assert f"{expected:+.1f}" in said and "40 sequences, 1 seed" in said
    # What one of them did not learn is not compared.
    (coop[0] / "results.json").write_text(
        json.dumps({"identity": {}, "modalities": {}, "targets": "activity"})
    )
    only = compare_predictions(coop[0], single[0], draws=50)
    assert {c.cell[0] for c in only} == {"accuracy"}


def test_what_cannot_be_compared_is_one_line(judged, tmp_path):
    run = judged("single", 0, [1, 0, 1, 0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="ccau evaluate"):
        compare_predictions(run, tmp_path / "empty", draws=10)
    for seed in (1, 2):
        judged("coop", seed, [1, 0, 1, 0])
    with pytest.raises(UsageError, match="no seed in common"):
        compare_predictions(tmp_path / "coop", tmp_path / "single", draws=10)
