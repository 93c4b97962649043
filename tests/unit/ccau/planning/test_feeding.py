"""How many loading processes and threads: from what is measured, as far as it was measured."""

import pytest
import torch

from baselines.ccau.data.partition import selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.planning import feeding
from baselines.ccau.planning.feeding import best_split, has_amx
from baselines.ccau.planning.measure import loading_rate
from homage_sdk.shards import ShardSet


def test_a_fast_card_gets_as_many_processes_as_feed_it_and_no_more():
    assert best_split(16, loading=50.0, steps={1: 190.0}).workers == 4
    assert best_split(64, loading=1000.0, steps={1: 190.0}).workers == 1
    starved = best_split(4, loading=10.0, steps={1: 190.0})
    assert (starved.workers, starved.clips_per_s) == (3, 30.0)


def test_no_core_is_given_twice():
    for cores in (1, 2, 3, 8):
        for loading in (1.0, 10.0, 1000.0):
            for slower in (0.2, 1.0, 7.0):
                split = best_split(cores, loading, {1: 2.0, cores: 2.0 * slower})
                assert split.workers < cores and split.threads <= cores
                assert split.workers + split.threads <= max(cores, 1)


def test_a_single_core_loads_in_the_process_that_trains():
    assert best_split(1, loading=5.0, steps={1: 5.0}) == feeding.Split(0, 1, 2.5)


def test_threads_that_slow_a_step_down_are_not_advised():
    assert best_split(2, loading=1e6, steps={1: 5.0, 2: 1.0}).threads == 1


def test_amx_is_read_from_the_processors_flags(tmp_path):
    facts = tmp_path / "cpuinfo"
    for flags, found in (("avx512f amx_bf16 amx_tile", True), ("avx512f avx512_bf16", False)):
        facts.write_text(f"flags\t\t: {flags}\n")
        assert has_amx(facts) is found
    assert has_amx(tmp_path / "none") is None


@pytest.fixture
def measured(tiny, small_shards):
    def of(**changes):
        config, shards = tiny(**changes), ShardSet.open(small_shards)
        world = World(device=torch.device("cpu"))
        return config, shards, selection_parts(config, shards), world

    return of


@pytest.mark.slow
def test_advice_names_fp32_only_where_bf16_has_no_hardware(measured, monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(feeding, "STEPS_S", 0.1)
    for amx, precision, advised in (
        (False, "bf16", True),
        (True, "bf16", False),
        (None, "bf16", False),
        (False, "fp32", False),
    ):
        monkeypatch.setattr(feeding, "has_amx", lambda amx=amx: amx)
        said = feeding.advice(*measured(**{"optim.precision": precision}))
        assert ("fp32" in said) is advised, (amx, precision)
        assert "data.workers = " in said and "OMP_NUM_THREADS=" in said
    assert torch.get_num_threads() == threads


def test_the_rate_of_loading_is_that_of_one_process(measured):
    assert 0 < loading_rate(*measured(**{"data.workers": 9}), budget_s=0.1) < 1e5
