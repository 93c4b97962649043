"""One count over work that several steps do."""

from __future__ import annotations

from homage_sdk.progress import Meter


def test_parts_add_up_to_one_count() -> None:
    told: list[tuple[int, int]] = []
    meter = Meter(lambda done, total: told.append((done, total)), total=3, done=1)
    labels, videos = meter.part(is_extra=True), meter.part()
    for done in range(1, 5):
        labels(done, 4)
    videos(1, 2)
    videos(2, 2)
    assert told[0] == (1, 3) and told[-1] == (7, 7)
    assert [done for done, _ in told] == list(range(1, 8))


def test_what_is_done_again_is_taken_back() -> None:
    told: list[int] = []
    meter = Meter(lambda done, total: told.append(done), total=10)
    meter.advance(6)
    meter.advance(-6)
    meter.advance(10)
    assert told == [0, 6, 0, 10]


def test_nobody_need_listen() -> None:
    Meter(None, total=1).advance()
