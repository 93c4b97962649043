"""The instrument's own parts: worlds are as described, faults are noticed, claims can fail."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.instrument.checks import TwoRanks, WithoutFactor, exact_checks, gap_on_two_ranks
from baselines.ccau.instrument.claims import claims, mutants_caught, paired, without_effect
from baselines.ccau.instrument.protocol import PROTOCOL, Protocol, Seeds, read_protocol
from baselines.ccau.instrument.run_all import ARMS, path_of, read_all, run_all
from baselines.ccau.instrument.trials import Trial, batch_of, make_task, run_job
from baselines.ccau.instrument.worlds import make_world, partners
from baselines.ccau.runs.json_files import read_json
from homage_sdk.errors import ConfigError

COMMITTED = read_protocol()
SMALL = replace(
    COMMITTED,
    world=replace(COMMITTED.world, activities=4, train=64, test=40),
    training=replace(COMMITTED.training, batch=32, epochs=1),
    seeds=Seeds(tuning=(9,), confirmatory=(1, 2), mutants=(1,)),
)


def test_the_committed_protocol_keeps_its_seeds_apart_and_is_the_preset():
    seeds = COMMITTED.seeds
    assert len(seeds.confirmatory) >= 12 and len(set(seeds.confirmatory)) == len(seeds.confirmatory)
    assert not set(seeds.tuning) & set(seeds.confirmatory)
    assert set(seeds.mutants) <= set(seeds.confirmatory) and len(seeds.mutants) >= 5
    expected = AlignmentConfig(negatives="same_block", normalize=True, tau=0.1)
    assert COMMITTED.align == expected


def test_the_second_protocol_differs_from_the_first_in_temperature_and_seeds_alone():
    first = read_protocol(PROTOCOL.with_name("protocol_1.toml"))
    assert not set(first.seeds.confirmatory) & set(COMMITTED.seeds.confirmatory)
    assert not set(first.seeds.confirmatory) & set(COMMITTED.seeds.tuning)
    same = replace(first, align=replace(first.align, tau=0.1), seeds=COMMITTED.seeds)
    assert same == COMMITTED and first.align.tau == 0.2


def test_a_protocol_with_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "protocol.toml"
    path.write_text("[world]\nactivites = 3\n")
    with pytest.raises(ConfigError, match="activites"):
        read_protocol(path)
    path.write_text("[training]\nepochs = 'many'\n")
    with pytest.raises(ConfigError, match="epochs"):
        read_protocol(path)


def test_a_protocol_without_seeds_to_confirm_is_refused_in_one_line(tmp_path):
    path = tmp_path / "protocol.toml"
    path.write_text("[seeds]\ntuning = [1]\n")
    with pytest.raises(ConfigError, match=r"seeds\.confirmatory") as refused:
        read_protocol(path)
    assert str(path) in str(refused.value.place)


def correlation(a, b):
    return float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])


def test_worlds_share_what_they_say():
    """The least-squares estimates of z and q from each view, compared between the views."""
    config = replace(COMMITTED.world, noise=0.01, train=2000, test=10)
    found = {}
    for name in ("plus", "null", "nuisance"):
        rows = make_world(name, config, 3).train
        z, q = [], []
        for view in ("ego", "third"):
            bases = [
                draw(config, f"P {view}", config.content) / config.content**0.5,
                3 * draw(config, f"Q {view}", config.private) / config.private**0.5,
            ]
            estimate = rows.views[view] @ torch.linalg.pinv(torch.cat(bases))
            within = estimate - class_means(estimate, rows.activity)
            z.append(within[..., : config.content])
            q.append(within[..., config.content :])
        found[name] = correlation(*z), correlation(*q)
    assert found["plus"][0] > 0.95 and abs(found["plus"][1]) < 0.1
    assert abs(found["null"][0]) < 0.15 and abs(found["null"][1]) < 0.1
    assert abs(found["nuisance"][0]) < 0.15 and found["nuisance"][1] > 0.95


def draw(config, name, size):
    from baselines.ccau.random_streams import stream

    return torch.randn(size, config.inputs, generator=stream(3, "world", "both", name))


def class_means(x, activity):
    means = torch.zeros_like(x)
    for label in activity.unique():
        rows = activity == label
        means[rows] = x[rows].mean(dim=(0, 1))
    return means


def test_null_shows_each_view_what_plus_shows_it_with_partners_of_the_same_class():
    plus, null = (make_world(name, SMALL.world, 5).train for name in ("plus", "null"))
    assert torch.equal(plus.views["ego"], null.views["ego"])
    order = partners(plus.activity, 5, "null")
    assert sorted(order.tolist()) == list(range(len(plus)))
    assert torch.equal(plus.activity[order], plus.activity)
    assert (order != torch.arange(len(order))).all()
    assert torch.equal(null.views["third"], plus.views["third"][order])


def test_absence_lacks_rows_to_learn_from_and_none_to_be_judged_on():
    config = replace(SMALL.world, train=2000)
    world = make_world("absence", config, 5)
    for has in world.train.present.values():
        assert has.float().mean() == pytest.approx(0.85, abs=0.03)
    assert all(has.all() for has in world.test.present.values())


def test_each_fault_without_training_is_noticed_and_the_intact_alignment_passes():
    checks = exact_checks(COMMITTED, 9)
    assert {c.mutant for c in checks} == {
        "gather without its factor", "one side detached", "both sides detached",
        "shifted by a block", "partner shuffled", "masks ignored",
    }  # fmt: skip
    assert [c for c in checks if not (c.passes and c.caught)] == []


@pytest.mark.parametrize("negatives", ["world", "same_block"])
def test_gradients_of_two_ranks_need_the_factor(negatives):
    align = AlignmentConfig(negatives=negatives, normalize=True, tau=0.5, centre=True)
    assert gap_on_two_ranks(align, TwoRanks) < 1e-9
    assert gap_on_two_ranks(align, WithoutFactor) == pytest.approx(0.5)


def test_an_alignment_without_weight_is_the_arm_single_bit_for_bit():
    none = replace(SMALL, align=replace(SMALL.align, weight=0.0))
    alone, coop = (run_job(Trial("plus", arm, 1), none) for arm in ("single", "coop"))
    assert alone["accuracy"] == coop["accuracy"]
    assert alone["losses"] == coop["losses"]


def test_results_are_kept_and_those_of_another_protocol_are_not_taken(tmp_path):
    counts = []
    found = run_all(
        SMALL, tmp_path, (1,), progress=lambda done, total: counts.append((done, total))
    )
    assert counts[0] == (0, 14) and counts[-1] == (14, 14) and len(found) == 14
    path = path_of(tmp_path, Trial("plus", "coop", 1))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")}
    path.unlink()
    again = run_all(SMALL, tmp_path, (1,))
    assert {j: r["accuracy"] for j, r in again.items()} == {
        j: r["accuracy"] for j, r in found.items()
    }
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")}
    assert [p for p in before if before[p] != after[p]] == [path]
    other = replace(SMALL, training=replace(SMALL.training, lr=1e-3))
    assert read_all(other, tmp_path, (1,)) == {}
    assert read_json(path.parent, path.name)["protocol"] == SMALL.fingerprint


def made(effects, seeds=range(12)):
    """Results with gains of single training by (world, arm), and some noise of the seed."""
    noise = np.random.default_rng(0)
    found = {}
    for seed in seeds:
        for world, arm in ARMS:
            accuracy = {
                v: 15 + effects.get((world, arm), 0.0) + 0.2 * noise.normal() for v in VIEWS
            }
            aligned = {"alignment": {"accuracy": 0.8, "placebo": 0.01, "chance": 0.02}}
            found[Trial(world, arm, seed)] = {
                "accuracy": accuracy, **(aligned if arm in ("coop", "placebo") else {}),
            }  # fmt: skip
    return found


VIEWS = ("ego", "third")
GOOD = {("plus", "coop"): 4.0, ("absence", "coop"): 3.0, ("nuisance", "coop"): -5.0}


def verdicts(results):
    return {f.claim: f.holds(0.05) for f in claims(results, Protocol())}


def test_claims_hold_for_cooperation_that_works_and_each_can_fail():
    assert all(verdicts(made(GOOD)).values())
    for (world, arm), effect, failing in (
        (("plus", "placebo"), 3.5, "plus: coop - placebo"),
        (("plus", "coop"), 0.0, "plus: coop - single"),
        (("null", "coop"), 2.0, "null: coop - single"),
        (("nuisance", "coop"), 2.0, "nuisance: coop - single"),
        (("absence", "coop"), 0.0, "absence: coop - single"),
    ):
        found = verdicts(made({**GOOD, (world, arm): effect}))
        assert not any(held for claim, held in found.items() if claim.startswith(failing)), failing
    blind = made(GOOD)
    for result in blind.values():
        result.get("alignment", {})["placebo"] = 0.8
    assert not verdicts(blind)["plus: alignment accuracy - its placebo"]


def test_an_alignment_without_effect_fails_plus():
    found = verdicts(without_effect(made(GOOD)))
    assert not any(held for claim, held in found.items() if claim.startswith("plus"))


def test_a_mutant_that_loses_nothing_is_not_caught():
    results = made(GOOD)
    for seed in range(5):
        results[Trial("plus", "clock", seed)] = results[Trial("plus", "single", seed)]
        results[Trial("plus", "partner shuffled", seed)] = results[Trial("plus", "coop", seed)]
    found = {f.claim: f for f in mutants_caught(results, Protocol())}
    assert found["plus: coop - clock, ego"].holds(0.05) and found["plus: coop - clock, ego"].n == 5
    assert not found["plus: coop - partner shuffled, ego"].holds(0.05)


def test_bounds_and_corrections_are_those_of_the_books():
    """Differences 1 to 5: mean 3, sd 1.5811, error 0.7071, t 4.2426 on 4 degrees of freedom."""
    found = paired("x", [1.0, 2.0, 3.0, 4.0, 5.0], "above", 0.0, 0.05)
    assert found.bound == pytest.approx(3 - 2.13185 * 0.70711, abs=1e-4)
    assert found.p == pytest.approx(0.00662, abs=1e-4)
    below = paired("x", [-1.0, -2.0, -3.0, -4.0, -5.0], "below", 0.0, 0.05)
    assert below.bound == pytest.approx(-found.bound) and below.p == pytest.approx(found.p)
    assert not paired("x", [4.0], "above", 0.0, 0.05).holds(0.05)


def test_the_command_runs_resumes_and_writes_its_page(tmp_path):
    path = tmp_path / "protocol.toml"
    path.write_text(
        "[world]\nactivities = 4\ntrain = 64\ntest = 40\n"
        "[training]\nbatch = 32\nepochs = 1\n"
        '[align]\nnegatives = "same_block"\nnormalize = true\ntau = 0.2\n'
        "[seeds]\nconfirmatory = [1, 2]\nmutants = [1]\n"
    )
    command = ["instrument", "--out", str(tmp_path / "out"), "--protocol", str(path)]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 1, said.output  # two seeds of one epoch cannot hold these claims
    page = tmp_path / "out" / "ccau_instrument.md"
    first = page.read_text(), page.with_suffix(".svg").read_text()
    assert "**fails**" in first[0] and "gather without its factor" in first[0]
    assert first[1].startswith("<svg")
    assert CliRunner().invoke(app, command).exit_code == 1
    assert (page.read_text(), page.with_suffix(".svg").read_text()) == first


def test_a_batch_says_who_is_absent():
    rows = make_world("absence", SMALL.world, 5).train
    inputs, targets = batch_of(rows, torch.arange(8))
    task = make_task("coop", SMALL, 1).eval()
    outputs = task.outputs(inputs, targets, step=0)
    for view, output in outputs.items():
        assert not output.blocks[~rows.present[view][:8]].any()
