"""One Dataset in threads, forks and workers: the pictures asked for, and few open files."""

from __future__ import annotations

import multiprocessing
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from homage_sdk import Dataset, Frame, Seconds
from homage_sdk.ingest import ingest
from homage_sdk.media.decoder import DECODERS
from tests.unit.media.videos import number_of, write_video
from tests.unit.release.tiny import Tiny, action

FRAMES = 60
SEQUENCES = 40


@pytest.fixture(scope="module")
def ds(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Forty sequences of two views; in view v of any, frame n carries the barcode n - 1 + 100 v."""
    root = tmp_path_factory.mktemp("sharing")
    tiny = Tiny(root / "r")
    made = [
        write_video(root / f"{v}.mkv", frames=FRAMES, b_frames=2, first_number=100 * v, audio=True)
        for v in (0, 1)
    ]
    for take in range(SEQUENCES):
        tiny.actions(f"p0001_r001_a{take:03d}", action("take cup", 1, 30))
        for v, video in enumerate(made):
            target = tiny.videos / "p0001" / f"p0001_r001_v{v:03d}_a{take:03d}.mkv"
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(video, target)
    ingest(tiny.root, root / "c")
    return Dataset(root / "c")


def _wrong(ds: Dataset, seed: int, n: int = 40) -> list[str]:
    """What random questions got wrong."""
    rng = random.Random(seed)
    wrong = []
    for _ in range(n):
        sequence = ds[rng.randrange(len(ds))]
        view, number = sequence.views[rng.randrange(2)], rng.randint(1, FRAMES)
        seen = number_of(view.image(Frame(number)))
        if seen != number - 1 + 100 * view.number:
            wrong.append(f"{view.id} frame {number}: {seen}")
        if [a.name for a in sequence.atomic_actions] != ["take cup"]:
            wrong.append(f"{sequence.id}: labels")
    return wrong


@pytest.mark.slow
def test_threads_share_one_dataset(ds: Dataset) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda seed: _wrong(ds, seed), range(8))) == [[]] * 8


@pytest.mark.slow
def test_forks_share_one_dataset_that_is_in_use(ds: Dataset) -> None:
    assert _wrong(ds, 0) == []  # open files and caches are there when the children are made
    context = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(1) as pool, context.Pool(2) as children:
        here = pool.submit(_wrong, ds, 1)
        there = children.starmap(_wrong, [(ds, seed) for seed in range(2, 6)])
        assert [*there, here.result()] == [[]] * 5


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_loader_workers_share_one_dataset(ds: Dataset, method: str) -> None:
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(
        Pictures(ds), batch_size=8, num_workers=2, multiprocessing_context=method
    )
    assert np.concatenate([batch.numpy() for batch in loader]).tolist() == [
        i % FRAMES for i in range(SEQUENCES)
    ]


class Pictures:
    """A map-style torch dataset that is a Dataset and nothing else."""

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds

    def __len__(self) -> int:
        return len(self.ds)

    def __getitem__(self, i: int) -> int:
        return number_of(self.ds[i].view(0).image(Frame(1 + i % FRAMES)))


def test_going_through_many_sequences_holds_few_files(ds: Dataset) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    DECODERS.clear()
    before, most = held(), 0
    for sequence in ds:
        sequence.at(Seconds(0.5)).images[0]
        sequence.view(1).images(Frame(1), Frame(5))
        sequence.audio(Seconds(0.0), Seconds(0.1))
        len(sequence.scene_graphs)
        most = max(most, held())
    assert most - before <= DECODERS.limit + 12, "one file a table and the pool's decoders"
    DECODERS.clear()
    assert held() <= before + 12


def test_ends_and_nonsense_are_answered_in_a_line(ds: Dataset) -> None:
    from homage_sdk.errors import HomageError

    sequence = ds[0]
    view = sequence.view(1)
    for ask in (
        lambda: view.image(0),  # type: ignore[arg-type]
        lambda: view.image("12"),  # type: ignore[arg-type]
        lambda: view.image(None),  # type: ignore[arg-type]
        lambda: view.image(float("nan")),  # type: ignore[arg-type]
        lambda: view.image(Frame(3), "nearset"),  # type: ignore[arg-type]
        lambda: view.images(Frame(3), Frame(5), pick="nearset"),  # type: ignore[arg-type]
        lambda: view.images(Frame(1), Frame(10**9)),
        lambda: view.images(Frame(FRAMES - 5), Frame(FRAMES + 5)),
        lambda: Frame(1.5),  # type: ignore[arg-type]
        lambda: Seconds("3"),  # type: ignore[arg-type]
        lambda: sequence.audio(Seconds(0.0), Seconds(1.0), sample_rate=-5),
        lambda: sequence.audio(Seconds(0.0), Seconds(1.0), sample_rate=16000.5),  # type: ignore[arg-type]
        lambda: sequence.audio(Seconds(2.0), Seconds(1.0)),
        lambda: sequence.at(Frame(3)).audio(sample_rate=0),
        lambda: sequence.view("v009"),
        lambda: ds.find("pour*"),  # no class has such a name here
        lambda: ds.find(3),  # type: ignore[call-overload]
    ):
        with pytest.raises(HomageError) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_more_pictures_than_memory_holds_are_refused_before_they_are_decoded(
    ds: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homage_sdk.errors import MediaError

    view = ds[0].view(0)
    need = FRAMES * view.image(Frame(1)).nbytes
    real = os.sysconf
    monkeypatch.setattr(
        os, "sysconf", lambda n: 1 if n == "SC_PAGE_SIZE" else need if "PHYS" in n else real(n)
    )
    assert len(view.images(Frame(1), Frame(FRAMES // 2))) == FRAMES // 2
    with pytest.raises(MediaError, match=r"more pictures than fit.*a part at a time"):
        view.images(Frame(1), Frame(FRAMES))


def test_a_home_folder_is_understood(
    ds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(ds.path.parent))
    assert Dataset("~/c") == ds
    assert Dataset("~/c", root="~/r")[0].view(0).is_available
