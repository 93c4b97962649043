"""A folder of files anywhere that fsspec reads, and one file of it as a stream that mends itself.

Few kinds of address are let through, and none that would run something. A connection that is lost
is made again where it stopped, a bounded number of times; what a server sends is taken in small
parts, never unpacked, and never more of it than was asked for.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from homage_sdk.errors import HomageError, ShardError, UsageError
from homage_sdk.shards.address import Address

_PART_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a file far away is waited for.

    Attributes:
        tries: how often a lost connection is made again before it is an error; counted anew
            whenever another megabyte has come.
        pause_s: before the first new try; doubled each time, at most 8 s.
        stall_s: a connection that gives less than 1 kB/s for so long counts as lost.

    """

    tries: int = 5
    pause_s: float = 0.5
    stall_s: float = 60.0


class Remote:
    """The files of one folder.

    Args:
        url: a local folder (a ``Path`` always is one), or an address (``address.py``).
        storage: options of the file system, such as credentials, as fsspec takes them.
        patience: with connections that are lost.

    Raises:
        UsageError: an address that is not read.

    """

    def __init__(
        self,
        url: str | Path,
        storage: dict[str, Any] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.address = Address.of(url)
        self.patience = patience or Patience()
        self._storage = storage or {}

    @property
    def url(self) -> str:
        """The address of the folder, for errors."""
        return self.address.shown

    def place(self, name: str) -> str:
        """The address of a file, for errors."""
        return f"{self.url}/{name}"

    def open(self, name: str, begin: int = 0, size: int | None = None) -> BinaryIO:
        """A file as a stream from byte ``begin``; close it.

        An end before ``size`` bytes, where that is known, counts as a lost connection first.
        Raises ShardError, here or while it is read, when it is not there, cannot be read, or the
        connection is lost too often.
        """
        if self.address.scheme == "file":
            file = _open_local(f"{self.address.path}/{name}")
            file.seek(begin)
            return file
        return cast(BinaryIO, io.BufferedReader(_Mending(self, name, begin, size), _PART_BYTES))

    def read(self, name: str, limit: int) -> bytes:
        """A small file; at most one byte more than ``limit`` of it."""
        parts, left = [], limit + 1
        with self.open(name) as file:
            while left > 0 and (part := file.read(min(left, _PART_BYTES))):
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    def connect(self, name: str, begin: int) -> Any:
        """The file of a store, opened anew at byte ``begin``; raises what the store raises."""
        import fsspec

        address = f"{self.address.path}/{name}"
        if self.address.scheme in ("http", "https"):
            stall_s = self.patience.stall_s
            return _open_http(address, self.place(name), begin, self._storage, stall_s)
        system, path = fsspec.core.url_to_fs(address, **self._storage)
        file = system.open(path, "rb")
        file.seek(begin)
        return file


def _open_local(path: str) -> BinaryIO:
    """A regular file, never a link, a device or a pipe (which would wait for ever)."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ShardError("no such file", place=path) from error
    except (OSError, ValueError) as error:
        is_link = Path(path).is_symlink()
        raise ShardError(
            "a link in place of a file" if is_link else "cannot be read",
            place=path,
            found=getattr(error, "strerror", None) or str(error),
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ShardError("no regular file", place=path)
    return os.fdopen(handle, "rb", _PART_BYTES)


def _open_http(
    address: str, place: str, begin: int, storage: dict[str, Any], silence_s: float
) -> Any:
    """One GET as a stream: bytes as they were sent, from ``begin`` on."""
    import aiohttp
    import fsspec

    client = {
        "auto_decompress": False,
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=silence_s),
        **storage.get("client_kwargs", {}),
    }
    headers = {**storage.get("headers", {}), "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    system, path = fsspec.core.url_to_fs(address, **{**storage, "client_kwargs": client})
    file = system.open(path, "rb", block_size=0, size=1, headers=headers)
    answer = file.r
    packed = answer.headers.get("Content-Encoding", "identity")
    if packed.strip().lower() not in ("", "identity"):
        file.close()
        raise ShardError(
            "the server packs what it sends",
            place=place,
            found=f"Content-Encoding: {packed[:40]!r}",
            hint="shards are compressed already: serve them as they are",
        )
    if begin and answer.status == 206:
        told = answer.headers.get("Content-Range", "")
        if not told.replace(" ", "").startswith(f"bytes{begin}-"):
            file.close()
            raise ShardError(
                "the server sends another part than was asked for",
                place=place,
                found=f"Content-Range: {told[:60]!r}",
                expected=f"bytes {begin}-",
            )
        return file
    left = begin  # a server without ranges sends everything: what was had already is passed over
    while left > 0 and (part := file.read(min(left, _PART_BYTES))):
        left -= len(part)
    return file


class _Mending(io.RawIOBase):
    """A remote file that connects again, where it stopped, when the connection is lost."""

    def __init__(self, remote: Remote, name: str, begin: int, size: int | None) -> None:
        self._remote, self._name, self._at, self._size = remote, name, begin, size
        self._place = remote.place(name)
        self._file: Any = None
        self._tries = 0
        self._since = begin  # where the tries were last counted anew
        self._ended_at: int | None = None
        self._waited_s, self._came = 0.0, 0
        self._attempt(lambda: None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._attempt(lambda: self._part(len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError, RuntimeError):  # it is lost already
                file.close()

    def _part(self, size: int) -> bytes:
        start = time.monotonic()
        data: bytes = self._file.read(min(size, _PART_BYTES))
        if not data and self._at < (self._size or 0) and self._ended_at != self._at:
            # Somebody on the way may have given up: an end counts when it comes twice.
            self._ended_at = self._at
            raise EOFError("an end")
        self._waited_s += time.monotonic() - start
        self._came += len(data)
        if self._waited_s > self._remote.patience.stall_s:
            slow = self._came < 1000 * self._waited_s
            self._waited_s, self._came = 0.0, 0
            if slow:
                raise TimeoutError("less than 1 kB/s")
        return data

    def _attempt(self, work: Any) -> Any:
        patience = self._remote.patience
        while True:
            try:
                if self._file is None:
                    self._file = self._remote.connect(self._name, self._at)
                return work()
            except HomageError:
                raise
            except ImportError as error:
                package = self._remote.address.package
                raise UsageError(
                    "this kind of address needs another package",
                    place=self._place,
                    found=_line(error),
                    hint=f"pip install '{package}'" if package else None,
                ) from error
            except Exception as error:  # a store's errors have no class in common
                self._drop()
                self._waited_s, self._came = 0.0, 0
                status = getattr(error, "status", None)
                if status == 416 and self._at:
                    return b""  # nothing lies there: whoever reads says what is missing
                if not _may_pass(error):
                    raise self._refusal(error) from error
                if self._at - self._since >= _PART_BYTES:
                    self._tries, self._since = 0, self._at
                if self._tries >= patience.tries:
                    raise ShardError(
                        "the connection is lost again and again",
                        place=self._place,
                        found=f"{self._said(error)} at byte {self._at:,}, "
                        f"after {self._tries} new tries",
                        hint="look after the network or the server, then go on from the last state",
                    ) from error
                if not isinstance(error, EOFError):  # a server that ends early is not overloaded
                    time.sleep(min(8.0, patience.pause_s * 2**self._tries))
                self._tries += 1

    def _refusal(self, error: Exception) -> ShardError:
        if isinstance(error, FileNotFoundError):
            return ShardError("no such file", place=self._place)
        return ShardError("cannot be read", place=self._place, found=self._said(error))

    def _said(self, error: Exception) -> str:
        return self._remote.address.hide(_line(error))


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help."""
    if isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError)):
        return False
    status = getattr(error, "status", None)
    if isinstance(status, int) and status >= 300:
        return status >= 500 or status in (408, 425, 429)
    name = type(error).__name__  # of aiohttp and botocore, which need not be there
    return isinstance(error, (OSError, TimeoutError, EOFError)) or (
        not isinstance(error, (ValueError, TypeError, AttributeError, KeyError))
        and not any(word in name for word in ("Credential", "Redirect", "NonHttp"))
    )


def _line(error: Exception) -> str:
    """An error of somebody else in one short line."""
    said = " ".join(str(error).split())
    name = type(error).__name__
    return (f"{name}: {said}" if said else name)[:200]
