"""Changes of a file that are blind to what it holds: the ways in which disks and copies fail."""

from __future__ import annotations

import random

BYTES = ("bit flip", "overwritten run", "4 KiB of zeros", "truncation")


def changed(data: bytes, kind: str, draw: random.Random) -> bytes:
    """``data`` with one fault at a random place; of an empty file, itself."""
    if not data:
        return data
    at = draw.randrange(len(data))
    if kind == "truncation":
        return data[:at]
    out = bytearray(data)
    if kind == "bit flip":
        out[at] ^= 1 << draw.randrange(8)
        return bytes(out)
    run = bytes(4096) if kind == "4 KiB of zeros" else draw.randbytes(draw.randint(8, 400))
    stop = min(len(out), at + len(run))
    out[at:stop] = run[: stop - at]
    return bytes(out)
