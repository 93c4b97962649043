"""A clean release is clean: over many worlds, sizes and both layouts validation finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.release import read_release
from homage_sdk.synth import record_take as take
from homage_sdk.synth import write_release
from homage_sdk.validation import validate


# Among them are takes in which the person walks in from outside the picture of the annotated view.
@pytest.mark.slow
@pytest.mark.parametrize("layout", ["hacgen", "videoshift"])
@pytest.mark.parametrize(
    ("size", "seeds"), [((64, 64), (0, 1, 4, 6)), ((96, 72), (3, 18)), ((160, 120), (5,))]
)
def test_a_clean_release_of_any_seed_gives_no_problem(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
    size: tuple[int, int],
    seeds: tuple[int, ...],
) -> None:
    monkeypatch.setattr(take, "write_video", lambda *_, **__: None)
    monkeypatch.setattr(take, "take_sound", lambda _: None)
    monkeypatch.setattr(take, "sensor_tables", lambda *_: {})
    for seed in seeds:
        out = tmp_path / str(seed)
        options = {"layout": layout, "sequences": 12, "seed": seed, "size": size}
        write_release(out, **options, seconds=(4, 9), clean=True, workers=1)
        problems = validate(read_release(out))
        assert not problems, problems[:3]
