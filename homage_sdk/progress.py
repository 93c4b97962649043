"""How far long work is: one callback, ``progress(done, total)``, wherever work takes long."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""


class Meter:
    """Counts what is done and tells it, beginning with what was done before.

    >>> meter = Meter(lambda done, total: print(f"{done}/{total}"), total=3)
    0/3
    >>> meter.advance()
    1/3
    >>> meter.part()(1, 2)
    2/3
    """

    def __init__(self, progress: Progress | None, total: int, done: int = 0) -> None:
        self._progress, self._total, self._done = progress, total, done
        self.advance(0)

    def advance(self, count: int = 1) -> None:
        """So much more is done; less, where it has to be done again."""
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)

    def part(self, *, is_extra: bool = False) -> Progress:
        """The callback of a part of the work; ``is_extra``: its total comes on top of ours."""
        of_part, extra = 0, 0

        def tell(done: int, total: int) -> None:
            nonlocal of_part, extra
            if is_extra:
                self._total, extra = self._total + total - extra, total
            before, of_part = of_part, done
            self.advance(done - before)

        return tell
