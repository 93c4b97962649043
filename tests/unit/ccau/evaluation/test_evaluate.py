"""Evaluation: every clip once, recomputable without a model, honest rows beside it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from baselines.ccau.cli import app
from baselines.ccau.data.novel_split import split_ranked
from baselines.ccau.data.partition import TEST_SPLITS
from baselines.ccau.distributed import World
from baselines.ccau.evaluation import evaluate_run as evaluate_module
from baselines.ccau.evaluation import predict as predict_module
from baselines.ccau.evaluation.evaluate_run import evaluate, selection_note
from baselines.ccau.evaluation.fewshot import fewshot
from baselines.ccau.evaluation.linear_probe import Standard, activity_scores, atomic_scores
from baselines.ccau.evaluation.measures import compute_results
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.evaluation.predictions import (
    join_clips,
    load_predictions,
    merge,
    save_predictions,
)
from baselines.ccau.runs.build_task import build_task, make_nets
from baselines.ccau.runs.run_folder import load_result
from baselines.ccau.tasks import StaticKD
from baselines.ccau.training.train import train
from baselines.ccau.training.validation_score import validate
from homage_sdk.cli import run as run_command
from homage_sdk.errors import (
    CheckpointError,
    ConfigError,
    ShardError,
    StorageError,
    TrainingError,
    UsageError,
)
from homage_sdk.shards import ShardSet
from tests.conftest import once


def clip(sequence, number, *, view=1, present=True, score=0.5, label=(1.0, 0.0)):
    one = np.array([score, 1 - score], dtype=np.float32)
    return {
        "sequence": sequence, "view": view, "clip": number, "present": present, "activity": one,
        "atomic": one, "context": one, "activity_label": 0, "atomic_label": np.array(label),
        "atomic_known": True,
    }  # fmt: skip


def joined(rows, planned):
    return merge({name: np.array([row[name] for row in rows]) for name in rows[0]}, planned)


def plan(**clips):
    """How many views each clip comes with: ``plan(a=[1, 1])``."""
    return {(name, i): n for name, views in clips.items() for i, n in enumerate(views)}


def test_a_clip_that_comes_twice_or_not_at_all_is_an_error():
    whole = [clip("a", 0), clip("a", 1), clip("b", 0)]
    planned = plan(a=[1, 1], b=[1])
    assert joined(whole, planned).sequences == ("a", "b")
    with pytest.raises(TrainingError, match="clip 1 came twice"):
        joined([*whole, clip("a", 1)], planned)
    with pytest.raises(TrainingError, match="a was not evaluated in full"):
        joined([clip("a", 1), clip("b", 0)], planned)
    with pytest.raises(TrainingError, match=r"a was not .*found clip 1 with 1 views; expected 2"):
        joined([*whole[:2], clip("a", 0, view=2)], plan(a=[2, 2]))
    with pytest.raises(TrainingError, match="c was not evaluated in full"):
        joined(whole, plan(a=[1, 1], b=[1], c=[1]))
    with pytest.raises(TrainingError, match="b was not evaluated in full"):
        joined(whole, plan(a=[1, 1]))
    # A view that ends before its sequence is counted and not used.
    short = joined([clip("a", 0), clip("a", 1, present=False)], plan(a=[1, 1]))
    assert len(short.clip_sequence) == 1
    assert joined([clip("a", 0, present=False)], plan(a=[1])) is None


def test_clips_join_by_mean_of_softmax_and_max_of_sigmoid_then_views_are_averaged():
    scores = {(1, 0): 0.2, (1, 1): 0.4, (4, 0): 0.9, (4, 1): 0.5}
    clips = [clip("a", c, view=v, score=s) for (v, c), s in scores.items()]
    merged = joined(clips, plan(a=[2, 2]))
    assert merged.activity[0, 0] == pytest.approx((0.3 + 0.7) / 2)
    assert merged.atomic[0, 0] == pytest.approx((0.4 + 0.9) / 2)
    assert merged.one_view().activity[0, 0] == pytest.approx(0.3)
    assert merged.one_view().atomic[0, 0] == pytest.approx(0.4)
    assert merged.n_views.tolist() == [2]


def test_every_modality_is_judged_by_the_labels_of_the_whole_sequence():
    beyond = clip("a", 1, present=False, label=(0.0, 1.0))
    assert joined([clip("a", 0), beyond], plan(a=[1, 1])).atomic_label.tolist() == [[1, 1]]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=5))
def test_joining_equals_plain_loops(lengths):
    """``lengths``: for each sequence how many clips each of its views has."""
    rng = np.random.default_rng(0)
    rows = [
        (s, v) for s, views in enumerate(lengths) for v, n in enumerate(views) for _ in range(n)
    ]
    sequence, view = np.array(rows).T
    scores = rng.random((len(rows), 3))
    for how, over in (("mean", np.mean), ("max", np.max)):
        expected = [
            np.mean(
                [
                    over([x for x, row in zip(scores, rows, strict=True) if row == (s, v)], axis=0)
                    for v in range(len(views))
                ],
                axis=0,
            )
            for s, views in enumerate(lengths)
        ]
        np.testing.assert_allclose(join_clips(scores, sequence, view, how), expected)


@pytest.mark.slow
def test_every_planned_clip_must_come_from_the_loader(tiny, small_shards, monkeypatch):
    shards = ShardSet.open(small_shards)
    config = tiny(**{"data.eval_batch_size": 3})
    net = make_nets(config, shards)["third"]
    names = tuple(sorted(s.sequence for s in shards.samples if s.third))
    plain = predict_module.open_loader

    class Losing:
        """The loader without its last row: one view of one clip."""

        def __init__(self, loader):
            self.loader = loader

        def __getattr__(self, name):
            return getattr(self.loader, name)

        def __len__(self):
            return len(self.loader)

        def __iter__(self):
            *first, last = list(self.loader)
            yield from first
            kept = [name for name in last.sequence if name][:-1]
            yield dataclasses.replace(last, sequence=(*kept, *[""] * (len(last) - len(kept))))

    Judge(shards, config, ["third"], names, world=World())({"third": net})
    monkeypatch.setattr(predict_module, "open_loader", lambda *a, **k: Losing(plain(*a, **k)))
    with pytest.raises(TrainingError, match="not evaluated in full"):
        Judge(shards, config, ["third"], names, world=World())({"third": net})


@pytest.fixture
def run(tiny, small_shards, shared_folder, tmp_path):
    """A copy of a run of one epoch, trained once for all tests."""

    def make(out):
        train(tiny(**{"optim.epochs": 1}), small_shards, out)

    return shutil.copytree(once(shared_folder, "run-of-one-epoch", make), tmp_path / "run")


@pytest.mark.slow
def test_results_can_be_computed_again_without_the_model(run, small_shards):
    results = evaluate(run, small_shards, device="cpu")
    saved = load_predictions(run / "predictions.npz")
    again = compute_results(saved, draws=50)
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(results["modalities"]))
    for numbers in results["modalities"].values():
        assert {"model", "prior", "random"} <= numbers["activity"].keys()
        assert {"mean", "pooled"} <= numbers["atomic"]["model"].keys()
        value, low, high = numbers["activity"]["model"]["pooled"]["top1"]
        assert low <= value <= high


def as_if_learned_from(run, *names):
    """What a run's record says when the splits were drawn anew after it was trained."""
    record = json.loads((run / "config.json").read_text())
    record["parts"]["train"] = sorted({*record["parts"]["train"], *names})
    (run / "config.json").write_text(json.dumps(record))


def test_no_run_is_judged_on_what_it_learned_from(run, small_shards, capsys):
    samples = ShardSet.open(small_shards).samples
    tested = sorted(s.sequence for s in samples if s.split in TEST_SPLITS)
    assert evaluate(run, small_shards, device="cpu")["left_out"] == []
    (run / "results.json").unlink()
    as_if_learned_from(run, tested[0])
    assert run_command(app, ["evaluate", str(run), "--shards", str(small_shards)]) == 0
    assert f"the first {tested[0]}" in capsys.readouterr().out
    results = evaluate(run, small_shards, device="cpu")
    assert results["left_out"] == [tested[0]]
    assert sum(results["splits"].values()) == len(tested) - 1
    assert tested[0] not in load_predictions(run / "predictions.npz").split
    (run / "results.json").unlink()
    as_if_learned_from(run, *tested)
    with pytest.raises(ShardError, match=f"learned from every test sequence.*{tested[0]}"):
        evaluate(run, small_shards, device="cpu")


def test_the_prior_is_of_the_sequences_that_trained_the_run(run, small_shards):
    shards = ShardSet.open(small_shards)
    evaluate(run, small_shards, device="cpu")
    prior = load_predictions(run / "predictions.npz").prior
    trained = json.loads((run / "config.json").read_text())["parts"]["train"]
    activities = [s.activity_id for s in shards.samples if s.sequence in trained]
    for column, class_id in enumerate(shards.taxonomy("activity")):
        assert prior["activity"][column] == pytest.approx(
            activities.count(class_id) / len(activities)
        )
    assert 0 < prior["atomic"].max() <= 1


@pytest.mark.slow
def test_an_evaluation_is_not_done_twice_and_a_cut_one_is_done_again(run, small_shards):
    evaluate(run, small_shards, device="cpu")
    before = (run / "predictions.npz").stat().st_mtime_ns
    evaluate(run, small_shards, device="cpu")
    assert (run / "predictions.npz").stat().st_mtime_ns == before
    (run / "results.json").write_text('{"name"')
    evaluate(run, small_shards, device="cpu")
    assert (run / "predictions.npz").stat().st_mtime_ns != before


@pytest.mark.slow
def test_another_version_of_the_code_evaluates_again(run, small_shards, monkeypatch):
    found = evaluate(run, small_shards, device="cpu")
    monkeypatch.setattr(evaluate_module, "code_version", lambda: "another")
    again = evaluate(run, small_shards, device="cpu")
    assert again["identity"] == {**found["identity"], "code": "another"}


@pytest.mark.slow
def test_nobody_trains_a_run_anew_while_it_is_judged(tiny, run, small_shards, monkeypatch):
    plain, config = evaluate_module.Judge, tiny(**{"optim.epochs": 1, "optim.lr": 0.3})

    def judge(*arguments, **options):
        with pytest.raises(StorageError, match="another process"):
            train(config, small_shards, run, fresh=True)
        return plain(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(evaluate_module, "Judge", judge)
        results = evaluate(run, small_shards, device="cpu")
    weights = load_result(run).model_sha256
    assert results["identity"]["model_sha256"] == weights
    train(config, small_shards, run, fresh=True)
    assert not (run / "results.json").exists() and load_result(run).model_sha256 != weights


def test_a_run_that_never_validated_does_not_claim_a_selection(tiny):
    for selection in ("validation", "paper", "last"):
        config = tiny(**{"run.selection": selection})
        assert selection_note(config, "checkpoint-last") == "the last weights, no selection"
    assert "carved out" in selection_note(tiny(), "checkpoint-best")


@pytest.mark.slow
def test_the_size_of_batches_changes_nothing(tiny, run, small_shards, tmp_path):
    first = load_predictions_of(run, small_shards)
    config = json.loads((run / "checkpoint-best" / "manifest.json").read_text())
    assert config["config"]["data"]["eval_batch_size"] == 4
    train(tiny(**{"optim.epochs": 1, "data.eval_batch_size": 3}), small_shards, tmp_path / "other")
    second = load_predictions_of(tmp_path / "other", small_shards)
    for modality, found in first.by_modality.items():
        other = second.by_modality[modality]
        assert found.sequences == other.sequences
        np.testing.assert_allclose(found.activity, other.activity, atol=1e-5)


def load_predictions_of(run, shards):
    evaluate(run, shards, device="cpu")
    return load_predictions(run / "predictions.npz")


def test_saved_predictions_come_back_and_a_cut_file_is_refused(run, small_shards):
    saved = load_predictions_of(run, small_shards)
    save_predictions(run / "again.npz", saved)
    again = load_predictions(run / "again.npz")
    for modality, found in saved.by_modality.items():
        for field in dataclasses.fields(found):
            left, right = (getattr(x, field.name) for x in (found, again.by_modality[modality]))
            np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
    data = (run / "again.npz").read_bytes()
    (run / "again.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="predictions"):
        load_predictions(run / "again.npz")


def test_an_unfinished_run_is_refused(tmp_path, small_shards):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="not a run folder"):
        evaluate(tmp_path / "empty", small_shards)


def minimised(x, target, n_classes, loss_of):
    """Logits at the minimum of sum of losses + ||w||^2 / 2, by torch's L-BFGS."""
    x, target = torch.from_numpy(x), torch.from_numpy(target)
    weight = torch.zeros(x.shape[1], n_classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = loss_of(x @ weight + bias, target, reduction="sum") + weight.square().sum() / 2
        loss.backward()
        return loss

    optimizer.step(closure)
    return (x @ weight + bias).detach()


def test_the_probe_is_at_the_minimum_of_its_objective():
    rng = np.random.default_rng(0)
    x = rng.normal(loc=3.0, scale=2.0, size=(60, 5))
    y = (x @ rng.normal(size=(5, 3)) + 2 * rng.normal(size=(60, 3))).argmax(axis=1)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = torch.softmax(minimised(standard, y, 3, F.cross_entropy), dim=1)
    found = activity_scores(x, y, x, 3, Standard.of(x))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    labels = np.stack([y == 0, y == 1, y > 5, y >= 0], axis=1).astype(float)
    logits = minimised(standard, labels[:, :2], 2, F.binary_cross_entropy_with_logits)
    many = atomic_scores(x, labels, x, Standard.of(x))
    np.testing.assert_allclose(many[:, :2], torch.sigmoid(logits), atol=1e-4)
    assert (many[:, 2] == 0).all() and (many[:, 3] == 1).all()  # none and all of the support


def test_a_class_without_support_is_never_the_answer():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 3))
    standard = Standard.of(x)
    two = activity_scores(x, np.array([0, 2] * 4), x, 4, standard)
    assert (two[:, [1, 3]] == 0).all() and np.allclose(two.sum(axis=1), 1)
    one = activity_scores(x, np.full(8, 2), x, 4, standard)
    assert (one == np.eye(4)[2]).all()


def test_the_novel_split_is_seeded_stratified_and_published_by_hash():
    names = [f"class {i:02d}" for i in range(75)]
    split = split_ranked(names, 15, seed=0)
    assert len(split.novel) == 15 and len(split.base) == 60
    assert not set(split.novel) & set(split.base)
    for stratum in range(15):  # one of every five by frequency
        assert len(set(split.novel) & set(names[5 * stratum : 5 * stratum + 5])) == 1
    assert split.sha256 == split_ranked(names, 15, seed=0).sha256
    assert split.sha256 != split_ranked(names, 15, seed=1).sha256


def test_few_shot_refuses_a_backbone_that_saw_everything(run, small_shards):
    with pytest.raises(ConfigError, match=r"data\.novel_share"):
        fewshot(run, small_shards, device="cpu")
    with pytest.raises(UsageError, match="at least 20"):
        fewshot(run, small_shards, device="cpu", draws=3)


def test_validation_asks_only_the_networks_that_learn(tiny, small_shards):
    shards, config = ShardSet.open(small_shards), tiny(**{"task.modalities": '["ego", "audio"]'})
    task = StaticKD(make_nets(config, shards), students=("audio",))
    names = tuple(s.sequence for s in shards.samples)
    judge = Judge(shards, config, task.trained, names, world=World())
    found = validate(task, config, judge)
    assert set(found.by_modality) == {"audio"}
    (numbers,) = found.by_modality.values()
    assert found.score == pytest.approx((numbers["accuracy"] + numbers["map_weighted"]) / 2)
    assert found.likelihood == numbers["log_likelihood"]
    for one, key in (("atomic", "map_weighted"), ("activity", "accuracy")):
        alone = validate(task, config.replace([f"run.select_on={one}"]), judge)
        assert alone.score == pytest.approx(numbers[key])
    with pytest.raises(ConfigError, match=r"run\.select_on"):
        config.replace(["run.select_on=activity", "composition.targets=atomic"])


def test_evaluating_leaves_mode_and_random_streams_alone(tiny, small_shards):
    shards = ShardSet.open(small_shards)
    task = build_task(tiny(), shards, torch.device("cpu"))
    modes = [part.training for part in task.modules()]
    before = {k: v.clone() for k, v in task.state_dict().items()}
    random = torch.get_rng_state()
    test = tuple(s.sequence for s in shards.samples if s.split in ("val", "test"))
    validate(task, tiny(), Judge(shards, tiny(), task.trained, test, world=World()))
    assert modes == [part.training for part in task.modules()]
    assert torch.equal(random, torch.get_rng_state())
    for key, value in task.state_dict().items():
        assert torch.equal(before[key], value), key
