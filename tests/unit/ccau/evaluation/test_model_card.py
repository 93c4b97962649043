"""The model card follows the files of its run, at every checkpoint, and never costs one."""

import json

import pytest

from baselines.ccau.data.partition import TEST_SPLITS, having
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.evaluation.model_card import write_cards
from baselines.ccau.evaluation.result_rows import own_rows
from baselines.ccau.report.run_facts import run_facts
from baselines.ccau.runs import checkpoint as checkpoints
from baselines.ccau.runs.build_task import class_names
from baselines.ccau.runs.checkpoint import load
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.run_folder import load_result
from baselines.ccau.training import loop as train_loop
from baselines.ccau.training.train import train
from homage_sdk.shards import ShardSet
from tests.unit.ccau.training.dying import Killed, killed_at

AUDIO = {"task.kind": "single", "task.modalities": '["audio"]', "data.batch_size": 2}
ACTIVITY = {**AUDIO, "composition.targets": "activity"}


def test_each_checkpoint_has_the_card_of_its_own_weights(tiny, small_shards, tmp_path, monkeypatch):
    config = tiny(**ACTIVITY, **{"run.checkpoint_every": 1})
    with monkeypatch.context() as patch:
        killed_at(patch, 1)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path)
    early = (tmp_path / "checkpoint-last" / "README.md").read_text()
    assert load(tmp_path / "checkpoint-last").model_sha256[:12] in early
    train(config, small_shards, tmp_path)
    for name in ("checkpoint-last", "checkpoint-best"):
        found = load(tmp_path / name)
        card = (tmp_path / name / "README.md").read_text()
        assert found.model_sha256[:12] in card and f"step {found.state['training']['step']}" in card
    assert load_result(tmp_path).model_sha256[:12] in (tmp_path / "README.md").read_text()


def test_the_card_says_what_info_says_and_every_class(tiny, small_shards, tmp_path):
    train(tiny(**ACTIVITY, **{"optim.epochs": 1}), small_shards, tmp_path)
    card = (tmp_path / "README.md").read_text()
    facts = dict(run_facts(tmp_path))
    for name in ("run", "weights", "written by", "trained on", "validated on", "left out"):
        assert f"- {name}: {facts[name]}\n" in card, name
    for names in class_names(ShardSet.open(small_shards)).values():
        assert all(name in card for name in names)
    untried = card[card.index("## What it was not") :]
    assert "ego" in untried and "atomic head" in untried and "test" in untried


def test_results_stand_in_the_card_of_the_weights_they_are_of(tiny, small_shards, tmp_path):
    config = tiny(**AUDIO)
    train(config, small_shards, tmp_path)
    results = evaluate(tmp_path, small_shards, device="cpu", draws=20)
    rows = own_rows(results)
    judged = (tmp_path / "README.md").read_text()
    assert all(f"| {' | '.join(row.values())} |" in judged for row in rows)
    assert "[" in rows[0]["top-1 %"] and "not evaluated" not in judged
    samples = ShardSet.open(small_shards).samples
    said = {}
    for split in TEST_SPLITS:
        asked = [s.sequence for s in samples if s.split == split]
        said[split] = f"{split} {len(having(ShardSet.open(small_shards), asked, 'audio'))}"
    assert all(row["sequences"] == f"{said['test']}, {said['val']}" for row in rows)
    asked = ", ".join(f"{split} {n}" for split, n in results["splits"].items())
    assert f"Asked for: {asked} sequences" in judged
    other = {"checkpoint-last", "checkpoint-best"} - {results["checkpoint"]}
    assert rows[0]["top-1 %"] not in (tmp_path / other.pop() / "README.md").read_text()
    stale = read_json(tmp_path, "results.json")
    stale["identity"]["model_sha256"] = "0" * 64
    (tmp_path / "results.json").write_text(json.dumps(stale))
    write_cards(tmp_path)
    assert rows[0]["top-1 %"] not in (tmp_path / "README.md").read_text()


def test_few_shot_stands_in_the_card_of_the_weights_it_judged(tiny, small_shards, tmp_path):
    train(tiny(**AUDIO, **{"optim.epochs": 1}), small_shards, tmp_path)
    both = {key: {"mean": 0.5, "interval": [0.25, 0.75]} for key in ("accuracy", "map")}
    row = {"sequences_in_support": 9, "support_sets": 20, **both, "per_clip": both}
    table = {"audio": {"5": row}}
    counted = {kind: {"test": 7} for kind in ("sequences", "clips", "activities", "atomic")}
    of = {"sequences": [f"s{i}" for i in range(7)], "counted": counted, "without_support": ["sew"]}
    best = tmp_path / "checkpoint-best"
    for sha256, is_shown in ((load(best).model_sha256, True), ("0" * 64, False)):
        identity = {"model_sha256": sha256}
        judged = {
            "checkpoint": best.name, "identity": identity, "draws": 20, "modalities": table,
            "judged": {"audio": of}, "not_judged": {"ego": "no test sequence has it"},
            "estimands": ["sequence", "clip"],
        }  # fmt: skip
        (tmp_path / "fewshot.json").write_text(json.dumps(judged))
        write_cards(tmp_path)
        card = (best / "README.md").read_text()
        said = ("50.0 [25, 75]", "| test 7 |", "no support of sew", "ego: not judged: no test")
        assert [text in card for text in said] == [is_shown] * len(said)


def test_a_text_of_the_users_own_stays(tiny, small_shards, tmp_path):
    run = tmp_path / "run"
    train(tiny(**AUDIO, **{"optim.epochs": 1}), small_shards, run)
    places = [run / "README.md", run / "checkpoint-last" / "README.md"]
    for place in places:
        place.write_text("# Mine\n")
    train(tiny(**AUDIO, **{"optim.epochs": 2}), small_shards, run)
    train(tiny(**AUDIO, **{"optim.lr": 0.1}), small_shards, run, fresh=True)
    assert [place.read_text() for place in places] == ["# Mine\n"] * 2


def test_a_card_is_no_part_of_what_is_verified_and_goes_with_its_checkpoint(
    tiny, small_shards, tmp_path
):
    train(tiny(**AUDIO, **{"optim.epochs": 1}), small_shards, tmp_path)
    card = tmp_path / "checkpoint-last" / "README.md"
    card.write_text(card.read_text() + "more\n")
    load(tmp_path / "checkpoint-last")
    checkpoints.remove(tmp_path / "checkpoint-last")
    assert not (tmp_path / "checkpoint-last").exists()


def test_a_card_that_cannot_be_written_costs_no_training(tiny, small_shards, tmp_path, monkeypatch):
    def fail(_):
        raise KeyError("a fact that nobody recorded")

    monkeypatch.setattr(train_loop, "write_cards", fail)
    with pytest.warns(UserWarning, match="nobody recorded"):
        summary = train(tiny(**AUDIO, **{"optim.epochs": 1}), small_shards, tmp_path)
    assert summary.state.ended == "epochs" and (tmp_path / "run.json").is_file()
