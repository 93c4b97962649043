"""What H.264 packets state of themselves: whether one needs nothing before it, or lacks something.

Pictures that others refer to are counted (``frame_num``, ITU-T H.264, 7.4.3): a step of more than
one says that some are missing, of which a decoder says nothing and goes on with older ones.
"""

from __future__ import annotations

from collections.abc import Iterator

_SLICE, _IDR, _SPS = 1, 5, 7
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameters state a colour format."""
_HEAD = 48
"""Bytes of a slice, enough for the part of its header that is read."""


class FrameNumbers:
    """Follows the numbers of one stream from packet to packet, from wherever it begins."""

    def __init__(self, setup: bytes | None) -> None:
        """``setup``: the stream's extradata."""
        setup = setup or b""
        self._width = (setup[4] & 3) + 1 if setup[:1] == b"\1" and len(setup) > 4 else 0
        self._format: tuple[int, bool, bool] | None = None
        self._last: int | None = None  # number of the last picture that others refer to
        for unit in _stored(setup) if self._width else _units(setup, 0):
            self._learn(unit)

    def is_idr(self, data: bytes) -> bool:
        """Whether a packet has a slice that nothing before it is needed for."""
        return any(unit[0] & 31 == _IDR for unit in _units(data, self._width))

    def lacks(self, data: bytes) -> bool:
        """Whether pictures are missing between the packet before and this one."""
        for unit in _units(data, self._width):
            kind = unit[0] & 31
            if kind == _SPS:
                self._learn(unit)
            if kind in (_SLICE, _IDR):
                return self._follows(unit, kind)
        return False

    def _follows(self, unit: bytes, kind: int) -> bool:
        if self._format is None:
            return False
        n_bits, may_skip, has_planes = self._format
        try:
            bits = _Bits(unit[1:_HEAD])
            for _ in range(3):  # first macroblock, kind of slice, parameters
                bits.number()
            number = bits.take(n_bits + 2 * has_planes) & ((1 << n_bits) - 1)
        except IndexError:
            return False
        last = self._last
        if unit[0] >> 5 & 3 or kind == _IDR:
            self._last = number
        is_next = last is None or number in (last, (last + 1) % (1 << n_bits))
        return kind != _IDR and not is_next and not may_skip

    def _learn(self, unit: bytes) -> None:
        if unit[0] & 31 == _SPS:
            try:
                self._format = _sequence(unit)
            except IndexError:
                self._format = None


def _units(data: bytes, width: int) -> Iterator[bytes]:
    """The units of a packet: each behind its length of ``width`` bytes, or a start code (0)."""
    if not width:
        yield from (unit for unit in data.split(b"\0\0\1")[1:] if unit)
        return
    at = 0
    while at + width < len(data):
        size = int.from_bytes(data[at : at + width], "big")
        if size:
            yield data[at + width : at + width + size]
        at += width + size


def _stored(setup: bytes) -> Iterator[bytes]:
    """The sequence parameters in an MP4 or Matroska header (ISO/IEC 14496-15, 5.3.3)."""
    at = 6
    for _ in range(setup[5] & 31 if len(setup) > 5 else 0):
        size = int.from_bytes(setup[at : at + 2], "big")
        if unit := setup[at + 2 : at + 2 + size]:
            yield unit
        at += 2 + size


def _sequence(unit: bytes) -> tuple[int, bool, bool]:
    """Bits of a frame number, whether numbers may be skipped, whether colours are apart."""
    bits = _Bits(unit[1:])
    profile = bits.take(24) >> 16
    bits.number()
    has_planes = False
    if profile in _HIGH:
        chroma = bits.number()
        has_planes = chroma == 3 and bool(bits.take(1))
        bits.number()
        bits.number()
        bits.take(1)
        if bits.take(1):
            for n in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    bits.skip_list(16 if n < 6 else 64)
    n_bits = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.number()
        for _ in range(bits.number()):
            bits.number()
    bits.number()
    return n_bits, bool(bits.take(1)), has_planes


class _Bits:
    """Bits of a unit, most significant first; IndexError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data.replace(b"\0\0\3", b"\0\0"), 0

    def take(self, n: int) -> int:
        """An unsigned number of ``n`` bits."""
        value = 0
        for _ in range(n):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def number(self) -> int:
        """An Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def skip_list(self, size: int) -> None:
        """A scaling list (7.3.2.1.1.1)."""
        last = following = 8
        for _ in range(size):
            if following:
                code = self.number()
                step = (code + 1) // 2 if code % 2 else -(code // 2)
                following = (last + step) % 256
            last = following or last
