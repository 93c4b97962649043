"""Few-shot: one set of supports for every model, nested in k, of classes no backbone has seen."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from baselines.ccau.config.config import from_dict
from baselines.ccau.data.loaders import open_loader
from baselines.ccau.data.novel_split import NovelSplit, novel_split, split_ranked
from baselines.ccau.data.partition import paper_selection, selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.evaluation import fewshot as fewshot_module
from baselines.ccau.evaluation.fewshot import draw_support, probe_modality
from baselines.ccau.evaluation.fewshot_predictions import load_fewshot
from baselines.ccau.evaluation.linear_probe import Standard, activity_scores
from baselines.ccau.evaluation.predictions import Predictions
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.run_folder import load_result
from baselines.ccau.training.train import train
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.taxonomy import Taxonomy

NAMES = tuple(f"activity_{i:02d}" for i in range(10))


@pytest.fixture(scope="module")
def shards():
    """What the splits read of a set of shards: 10 activities, 4 participants, three splits."""
    samples = []
    for activity in range(10):
        for number in range(8 + activity):  # classes of unlike frequency
            split = "val" if number == 0 else "test" if number == 1 else "train"
            key = f"p{number % 4:04d}_r001_a{activity:03d}_{number:02d}"
            samples.append(
                SampleInfo(
                    key=key, sequence=key, shard="all-00000.tar", split=split,
                    participant=number % 4, activity_id=activity, n_frames=100,
                )
            )  # fmt: skip
    taxonomy = Taxonomy.build("activity", dict(enumerate(NAMES)))
    return SimpleNamespace(samples=tuple(samples), sequences=samples, taxonomy=lambda _: taxonomy)


def config_of(selection="validation", share=0.25):
    return from_dict(
        {
            "data": {"novel_share": 0.3, "validation_share": share},
            "run": {"selection": selection},
        }
    )


def activity_of(shards):
    return {s.sequence: NAMES[s.activity_id] for s in shards.samples}


def test_the_backbone_is_neither_trained_nor_selected_on_a_novel_class(shards):
    activity = activity_of(shards)
    split = novel_split(shards, share=0.3, seed=0)
    assert len(split.novel) == 3 and set(split.base) | set(split.novel) == set(NAMES)
    parts = selection_parts(config_of(), shards)
    assert {activity[s] for s in parts.train} == set(split.base)
    assert parts.validation and {activity[s] for s in parts.validation} <= set(split.base)
    on_val = paper_selection(config_of("paper"), shards)
    assert {activity[s] for s in on_val} == set(split.base)


def test_batches_of_training_hold_no_clip_of_an_activity_set_aside(tiny, small_shards):
    shards = ShardSet.open(small_shards)
    names = shards.taxonomy("activity")
    used = [s.activity_id for s in shards.samples if s.split == "train" and s.activity_id]
    aside = max(set(used), key=used.count)
    held = {s.sequence for s in shards.samples if s.activity_id == aside}

    def seen(**changes):
        config = tiny(**{"run.selection": "last", **changes})
        train = selection_parts(config, shards).train
        loader = open_loader(shards, config, ("audio",), train, World(), training=True)
        return {sequence for batch in loader for sequence in batch.sequence}

    assert seen() & held
    without = seen(**{"data.exclude_activities": [names[aside].name]})
    assert without and not without & held


def test_the_split_and_its_hash_are_a_function_of_the_seed_alone(shards):
    split = novel_split(shards, share=0.3, seed=5)
    shuffled = SimpleNamespace(samples=shards.samples[::-1], taxonomy=shards.taxonomy)
    assert novel_split(shuffled, share=0.3, seed=5) == split
    assert len({novel_split(shards, share=0.3, seed=s).sha256 for s in range(5)}) > 1
    # Published: another hash is another split, and results stop being comparable.
    small = NovelSplit(base=("a", "b"), novel=("c",), seed=0)
    assert small.sha256 == hashlib.sha256(b"a\nb\n\nc").hexdigest()
    paper = split_ranked([f"class {i:02d}" for i in range(75)], 15, seed=0)
    assert paper.sha256.startswith("d24ec73410720358")


def seen_by(shards, split, keep=lambda _: True, reverse=False):
    """A model's rows: the novel sequences that it has, in its own order."""
    activity = activity_of(shards)
    rows = [s for s in shards.samples if activity[s.sequence] in split.novel and keep(s)]
    rows = rows[::-1] if reverse else rows
    found = SimpleNamespace(sequences=tuple(s.sequence for s in rows))
    return found, [(s.split, activity[s.sequence]) for s in rows]


def support(shards, split, *, k, draw=0, seed=0, **view):
    found, where = seen_by(shards, split, **view)
    rows = draw_support(found, where, split, k=k, draw=draw, seed=seed)
    return [found.sequences[row] for row in rows]


def test_every_model_gets_the_same_supports(shards):
    split = novel_split(shards, share=0.3, seed=0)
    for draw in range(20):
        one = support(shards, split, k=5, draw=draw)
        torch.manual_seed(draw)  # no support may hang on what a model has drawn
        np.random.seed(draw)
        other = support(shards, split, k=5, draw=draw, reverse=True)
        assert sorted(one) == sorted(other)
    # A model that lacks a sequence skips it; the rest of its support stays.
    gone = one[0]
    partial = support(shards, split, k=5, draw=19, keep=lambda s: s.sequence != gone)
    assert set(one) - {gone} < set(partial) and len(set(partial) - set(one)) == 1


def test_supports_are_nested_in_k_balanced_and_of_the_training_split(shards):
    split = novel_split(shards, share=0.3, seed=0)
    info = {s.sequence: s for s in shards.samples}
    activity = activity_of(shards)
    for draw in range(20):
        smaller = set()
        for k in (1, 2, 5, 20):
            found = support(shards, split, k=k, draw=draw)
            assert smaller <= set(found)
            smaller = set(found)
            assert {info[s].split for s in found} == {"train"}
            for name in split.novel:
                own = [s for s in info if activity[s] == name and info[s].split == "train"]
                assert sum(activity[s] == name for s in found) == min(k, len(own))
    draws = {tuple(support(shards, split, k=2, draw=draw)) for draw in range(20)}
    assert len(draws) > 10  # draws are not one and the same
    assert support(shards, split, k=2, seed=1) != support(shards, split, k=2, seed=0)


def predictions(sequences, clips, embedding, atomic, clip_atomic):
    """What a backbone says of ``clips`` (the row of each one's sequence); its heads say nothing."""
    n = len(clips)
    return Predictions(
        sequences=sequences,
        activity_label=np.full(len(sequences), -1),
        atomic_label=atomic,
        atomic_known=np.ones(len(sequences), dtype=bool),
        clip_sequence=clips,
        clip_view=np.zeros(n, np.int64),
        clip_number=np.arange(n),
        clip_activity=np.zeros((n, 1)),
        clip_atomic=np.zeros((n, 1)),
        clip_atomic_label=clip_atomic,
        clip_embedding=embedding,
    )


def test_features_that_tell_classes_apart_are_found_with_one_example(shards):
    split = novel_split(shards, share=0.3, seed=0)
    found, where = seen_by(shards, split)
    column = {name: i for i, name in enumerate(split.novel)}
    classes = np.array([column[name] for _, name in where])
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(len(classes)), 2)
    atomic = np.eye(3, dtype=np.uint8)[classes]
    for scale, low, high in ((20.0, 0.95, 1.0), (0.0, 0.1, 0.6)):
        noise = rng.normal(size=(len(clips), 6))
        embedding = noise + scale * np.eye(6)[classes[clips]]
        answers = predictions(found.sequences, clips, embedding, atomic, atomic[clips])
        labels = dict(zip(found.sequences, where, strict=True))
        standard = Standard.of(rng.normal(size=(100, 6)))
        probed = probe_modality(answers, labels, split, standard, ks=(1,), draws=20, seed=0)
        assert all(labels[name][0] != "train" for name in probed.shown.sequences)
        table = probed.table(draws=20)
        assert table["1"]["support_sets"] > 10
        assert len(table["1"]["accuracy"]["draws"]) == 20
        assert table["1"]["sequences_in_support"] == 3
        assert low <= table["1"]["accuracy"]["mean"] <= high


def test_ranks_share_the_probes_and_each_has_the_whole(shards, monkeypatch):
    split = novel_split(shards, share=0.3, seed=0)
    found, where = seen_by(shards, split)
    rng = np.random.default_rng(0)
    clips = np.arange(len(where))
    atomic = rng.integers(0, 2, (len(clips), 3))
    answers = predictions(found.sequences, clips, rng.normal(size=(len(clips), 4)), atomic, atomic)
    labels = dict(zip(found.sequences, where, strict=True))
    standard = Standard.of(answers.clip_embedding)

    def probed(world):
        return probe_modality(
            answers, labels, split, standard, ks=(1, 2), draws=20, seed=0, world=world
        ).table(draws=20)

    alone = probed(None)
    plain, fitted, shares = fewshot_module.activity_scores, [], []
    monkeypatch.setattr(
        fewshot_module, "activity_scores", lambda *a: (fitted.append(1), plain(*a))[1]
    )
    # One process in the place of three ranks, one after the other.
    monkeypatch.setattr(fewshot_module, "gather", lambda _, own: (shares.append(own), shares)[1])
    counts = []
    for rank in range(3):
        fitted.clear()
        try:
            whole = probed(World(rank, 3))
        except KeyError:  # the others have not been there yet
            assert rank < 2
        counts.append(len(fitted))
    assert sum(counts) == 40 and max(counts) - min(counts) <= 1
    assert whole == alone


def test_a_feature_that_happens_to_be_equal_in_the_support_does_not_decide():
    # Three clips say nothing about how far a feature varies: here the last one lies within 0.0001
    # in the support and within 1 elsewhere. Standardised by the support, it drowns the others.
    rng = np.random.default_rng(0)

    def clips(n_each, spread):
        y = np.repeat(np.arange(3), n_each)
        telling = 3 * np.eye(3)[y] + 0.3 * rng.normal(size=(len(y), 3))
        return np.concatenate([telling, spread * rng.normal(size=(len(y), 1))], axis=1), y

    base, _ = clips(100, 1.0)
    support, labels = clips(1, 1e-4)
    query, truth = clips(50, 1.0)

    def judged(standard):
        scores = activity_scores(support, labels, query, 3, standard)
        return (scores.argmax(axis=1) == truth).mean()

    assert judged(Standard.of(base)) > 0.95
    assert judged(Standard.of(support)) < 0.7


@pytest.mark.slow
def test_features_are_measured_by_the_base_sequences_that_trained(
    tiny, small_shards, tmp_path, monkeypatch
):
    config = tiny(
        **{
            "task.kind": "single",
            "task.modalities": '["audio"]',
            "data.novel_share": 0.3,
            "run.selection": "last",
            "data.batch_size": 2,
            "optim.epochs": 1,
        }
    )
    train(config, small_shards, tmp_path / "run")
    asked, measured = [], []
    plain = fewshot_module.Judge

    def judge(shards, config, modalities, sequences, **options):
        asked.append(set(sequences))
        return plain(shards, config, modalities, sequences, **options)

    plain_probe = fewshot_module.probe_modality

    def probe_modality(found, labels, split, standard, **options):
        measured.append(standard)
        return plain_probe(found, labels, split, standard, **options)

    monkeypatch.setattr(fewshot_module, "Judge", judge)
    monkeypatch.setattr(fewshot_module, "probe_modality", probe_modality)
    judged = fewshot_module.fewshot(tmp_path / "run", small_shards, device="cpu")
    weights = load_result(tmp_path / "run").model_sha256
    assert judged["identity"] == {"model_sha256": weights}  # by which the model card knows it
    parts = read_json(tmp_path / "run", "config.json")["parts"]
    base, novel = asked
    assert base == set(parts["train"]) and not base & novel
    assert len(measured) == 1 and np.isfinite(measured[0].scale).all()
    # Every number comes again from the file beside it.
    saved = load_fewshot(tmp_path / "run" / "fewshot.npz")["audio"]
    again = json.loads(json.dumps(saved.table(draws=config.run.bootstrap_draws)))
    written = read_json(tmp_path / "run", "fewshot.json")["modalities"]["audio"]
    np.testing.assert_equal(again, written)
    assert fewshot_module.is_judged(tmp_path / "run")
    (tmp_path / "run" / "fewshot.npz").unlink()
    assert not fewshot_module.is_judged(tmp_path / "run")


def test_a_modality_that_cannot_be_judged_is_named_with_the_reason():
    labels = {"a": ("train", "sew"), "b": ("test", "sew"), "c": ("train", "mop")}
    seen = {name: SimpleNamespace(sequences=tuple(name)) for name in ("ab", "a", "b")}
    why = fewshot_module._why_not
    assert why(seen["ab"], seen["ab"], labels) == ""
    assert "standardise" in why(None, seen["ab"], labels)
    assert "no test sequence" in why(seen["ab"], seen["a"], labels)
    assert "no training sequence" in why(seen["ab"], seen["b"], labels)
    assert "no training sequence" in why(seen["ab"], None, labels)
