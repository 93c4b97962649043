"""Packing on a real local Ray cluster of two nodes, one of which is killed midway."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
import ray

from homage_sdk import Dataset
from homage_sdk.errors import UsageError
from homage_sdk.shards import pack, verify
from homage_sdk.shards.packing.engines import processes
from tests.unit.shards.test_pack import SMALL, tree

pytestmark = pytest.mark.slow


def test_a_cluster_that_is_not_there_is_one_line(dataset: Dataset, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=f"no Ray cluster answers; found {address}"):
        pack(dataset, tmp_path / "none", SMALL, engine="ray", address=address)
    assert not list((tmp_path / "none").glob("*.tar"))


def test_two_nodes_and_the_loss_of_one_give_the_same_bytes(
    dataset: Dataset, barcode_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("Ray was asked, and the processes of this machine did the work")

    monkeypatch.setattr(processes, "run", refuse)

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
