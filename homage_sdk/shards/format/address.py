"""Where shards lie: a local folder, or an address of one of a few kinds, none of which runs things.

An address may hold a user's password. It is used to connect and never shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from homage_sdk.errors import UsageError

SCHEMES = ("file", "http", "https", "s3", "gs", "gcs", "az", "abfs", "memory")
_PACKAGES = {
    "http": "homage-sdk[remote]",
    "https": "homage-sdk[remote]",
    "s3": "homage-sdk[s3]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a folder. Get one from ``Address.of``.

    Attributes:
        scheme: one of ``SCHEMES``; ``"file"`` for a local folder.
        shown: as errors show it: without a user's name and password.
        path: as it is opened; of a local folder just its path.

    """

    scheme: str
    shown: str
    path: str = field(repr=False)
    _secret: str = field(repr=False)

    @classmethod
    def of(cls, url: str | Path) -> Self:
        """What was given: a ``Path``, or the name of an existing folder, is always a local folder.

        Raises UsageError for an address of another kind (``pipe:`` and the like are never run), or
        with a query, which could not be that of a folder.
        """
        path = str(url).rstrip("/") or "/"
        if isinstance(url, Path) or _is_folder(path):
            return cls("file", path, path, "")
        first = path.split("/", 1)[0]
        scheme = first.split(":", 1)[0] if ":" in first else "file"
        secret = _secret(path)
        shown = path.replace(secret, "***@") if secret else path
        if scheme not in SCHEMES or "::" in path:
            raise UsageError(
                "an address of a kind that is not read",
                found=shown[:80],
                expected=f"a folder, or one of {', '.join(SCHEMES)}",
                hint="`pipe:` and other commands are never run",
            )
        if scheme in _PACKAGES and "?" in path:
            raise UsageError(
                "an address with a query",
                place=shown.partition("?")[0],
                expected="the address of a folder",
                hint="give a key or a signature in `storage`, as fsspec takes it",
            )
        if scheme == "file":
            path = path.removeprefix("file:").removeprefix("//")
        return cls(scheme, shown, path, secret)

    @property
    def package(self) -> str | None:
        """What to install for this kind of address, where it needs more than fsspec."""
        return _PACKAGES.get(self.scheme)

    def hide(self, text: str) -> str:
        """What a store says, without the name and password that it may repeat."""
        return text.replace(self._secret, "***@") if self._secret else text


def _is_folder(path: str) -> bool:
    """Whether there is a local folder of that name, which may have a colon in it."""
    if "://" in path:
        return False
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # too long, or with a zero byte: no name of a folder
        return False


def _secret(path: str) -> str:
    """The user's name and password with the ``@`` behind them; "" without any.

    In other addresses than http's a name alone is no secret: it is the container of a store.
    """
    user, at, _ = path.partition("://")[2].partition("/")[0].rpartition("@")
    return user + at if ":" in user or path.startswith("http") else ""
