"""Reading a synthetic release without the product's readers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file below ``root``."""
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def documents(root: Path, pattern: str) -> dict[str, Any]:
    """Every JSON file that matches, by its name."""
    found = {p.name: json.loads(p.read_bytes()) for p in sorted(root.rglob(pattern))}
    assert found, pattern
    return found
