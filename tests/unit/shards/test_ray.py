"""Packing on a real local Ray cluster of two nodes, one of which is killed midway."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.shards import pack, verify
from tests.unit.shards.test_pack import SMALL, tree

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")


def test_two_nodes_and_the_loss_of_one_give_the_same_bytes(
    dataset: Dataset, barcode_shards: Path, tmp_path: Path
) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        second = cluster.add_node(num_cpus=1)
        pack(dataset, tmp_path / "whole", SMALL, engine="ray", address=cluster.address)
        assert tree(tmp_path / "whole") == tree(barcode_shards)

        lost = threading.Event()

        def lose(done: int, total: int) -> None:
            if done and not lost.is_set():
                lost.set()
                cluster.remove_node(second, allow_graceful=False)

        pack(
            dataset, tmp_path / "lost", SMALL, engine="ray", address=cluster.address, progress=lose
        )
        assert lost.is_set()
        assert tree(tmp_path / "lost") == tree(barcode_shards)
        assert verify(tmp_path / "lost", deep=True) == []
    finally:
        ray.shutdown()
        cluster.shutdown()
