"""How far long work is: one callback, ``progress(done, total)``, wherever work takes long."""

from __future__ import annotations

import warnings
from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""


class Harmless:
    """Calls that only inform: the first that raises is warned of, and no further one is made.

    >>> log = Harmless("the log")
    >>> log(print, "step", 1)
    step 1
    """

    def __init__(self, what: str) -> None:
        self._what, self._works = what, True

    def __call__(self, tell: Callable[..., object], *arguments: object) -> None:
        """Call ``tell``, unless one has failed before."""
        if self._works:
            try:
                tell(*arguments)
            except Exception as error:
                self._works = False
                failed = f"{type(error).__name__}: {error}"
                warnings.warn(f"{self._what} ends here, work goes on: {failed}", stacklevel=2)


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
