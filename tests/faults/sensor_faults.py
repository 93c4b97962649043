"""Faults in sensor files."""

from __future__ import annotations

from tests.faults.kit import At, Copy, fault


def _sensor(copy: Copy, kind: str = "light") -> str:
    return next(path for path in copy.sensors if f"__{kind}__" in path)


@fault("HOM500")
def header_only(copy: Copy) -> At:
    path = _sensor(copy)
    return At(copy.write_lines(path, copy.lines(path)[:1]))


@fault("HOM501")
def clock_that_stands(copy: Copy) -> At:
    path = _sensor(copy)
    head, *rows = copy.lines(path)
    still = [f"0.0,{row.split(',', 1)[1]}" for row in rows]
    return At(copy.write_lines(path, [head, *still]))


@fault("HOM502")
def seconds_since_1970(copy: Copy) -> At:
    path = _sensor(copy)
    head, *rows = copy.lines(path)
    shifted = [
        f"{float(time) + 1.6e9},{rest}" for time, rest in (row.split(",", 1) for row in rows)
    ]
    return At(copy.write_lines(path, [head, *shifted]))


@fault("HOM503")
def stray_sensor(copy: Copy) -> At:
    path = _sensor(copy)
    head, tail = path.rsplit("__", 2)[0], path[len(path.rsplit("__", 2)[0]) :]
    return At(copy.write(f"{head[:-4]}a099{tail}", copy.read(path)))


@fault("HOM504")
def at_no_camera(copy: Copy) -> At:
    path = _sensor(copy)
    return At(copy.rename(path, f"{path.rsplit('__', 1)[0]}__v077.csv"))


@fault("HOM505")
def cut_after_a_second(copy: Copy) -> At:
    path = _sensor(copy, "acceleration")
    head, *rows = copy.lines(path)
    return At(copy.write_lines(path, [head, *(r for r in rows if float(r.split(",")[0]) < 1)]))


@fault("HOM506")
def milliseconds(copy: Copy) -> At:
    path = _sensor(copy)
    head, *rows = copy.lines(path)
    fields = [row.split(",", 1) for row in rows]
    return At(
        copy.write_lines(path, [head, *(f"{float(t) * 1000:g},{rest}" for t, rest in fields)])
    )


FAULTS = (
    header_only,
    clock_that_stands,
    seconds_since_1970,
    stray_sensor,
    at_no_camera,
    cut_after_a_second,
    milliseconds,
)
