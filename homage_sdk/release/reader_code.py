"""One kind of fault that a reader reports."""

from __future__ import annotations

from dataclasses import dataclass

from homage_sdk.problems import Severity


@dataclass(frozen=True, slots=True)
class ReaderCode:
    """One kind of fault that a reader reports."""

    code: str
    severity: Severity
    title: str
    explanation: str
    hint: str
