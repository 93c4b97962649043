"""A folder of files anywhere that fsspec reads, each read from beginning to end.

A connection that is lost is made again where it stopped, a bounded number of times; what a server
sends is taken in small parts and never unpacked.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from homage_sdk.errors import HomageError, ShardError, UsageError
from homage_sdk.shards.format.address import Address
from homage_sdk.shards.format.manifest import MANIFEST, MAX_BYTES, Manifest, parse_manifest
from homage_sdk.storage.commit import current, settle
from homage_sdk.storage.system_errors import advice, require_enough

_PART_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a far file is waited for.

    Attributes:
        tries: how many lost connections are made again, for one file.
        pause_s: before the first new try; doubled each time, at most 8 s.
        stall_s: a connection that gives less than 1 kB/s for so long counts as lost.

    """

    tries: int = 8
    pause_s: float = 0.5
    stall_s: float = 60.0


class FarFolder:
    """The files of one folder, on this machine (a ``Path`` always is) or far away.

    ``storage`` are options of the file system, such as credentials, as fsspec takes them. Raises
    UsageError for an address that is not read.
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
        if self.address.scheme == "file":
            settle(Path(self.address.path), MANIFEST)

    def place(self, name: str) -> str:
        """The address of a file, for errors."""
        return f"{self.address.shown}/{name}"

    def parts(self, name: str, begin: int = 0, size: int | None = None) -> Generator[bytes]:
        """A file from byte ``begin`` on, in parts of at most a megabyte.

        An end before ``size`` bytes, where that is known, counts as a lost connection; a second one
        in the same place is the end. Raises ShardError when the file is not there or cannot be
        read, or more connections are lost than ``patience`` allows.
        """
        at, n_lost, ended_at = begin, 0, -1
        while True:
            file = None
            try:
                file = self.connect(name, at)
                for part in _flowing(file, self.patience.stall_s):
                    at += len(part)
                    yield part
                if size is None or at >= size or at == ended_at:
                    return
                ended_at = at
                raise EOFError("an early end")
            except HomageError:
                raise
            except ImportError as error:
                package = self.address.package
                raise UsageError(
                    "this kind of address needs another package",
                    place=self.place(name),
                    found=_line(error),
                    hint=f"pip install '{package}'" if package else None,
                ) from error
            except Exception as error:  # a store's errors have no class in common
                if getattr(error, "status", None) == 416 and at:
                    return  # nothing lies there: the reader knows what is missing
                if not _may_pass(error):
                    raise self._refusal(name, error) from error
                n_lost += 1
                if n_lost > self.patience.tries:
                    raise ShardError(
                        f"connection lost {n_lost} times, giving up",
                        place=self.place(name),
                        found=f"{self._said(error)} at byte {at:,}",
                        hint="check the network or the server, then run the same again",
                    ) from error
                if not isinstance(error, EOFError):  # a server that ends early is not overloaded
                    time.sleep(min(8.0, self.patience.pause_s * 2 ** (n_lost - 1)))
            finally:
                if file is not None:
                    with contextlib.suppress(OSError, RuntimeError):  # it may be lost already
                        file.close()

    def open(self, name: str, size: int | None = None) -> BinaryIO:
        """The same as a stream that cannot jump; close it."""
        return cast(BinaryIO, io.BufferedReader(_Stream(self.parts(name, 0, size)), _PART_BYTES))

    def read(self, name: str, limit: int) -> bytes:
        """A small file; at most one part more than ``limit`` of it."""
        parts, left = [], limit
        with contextlib.closing(self.parts(name)) as coming:
            for part in coming:
                parts.append(part)
                left -= len(part)
                if left < 0:
                    break
        return b"".join(parts)

    def manifest(self) -> Manifest:
        """The manifest of the shards in the folder; raises ShardError."""
        return parse_manifest(self.read(MANIFEST, MAX_BYTES), self.place(MANIFEST))

    def is_still(self, manifest: Manifest) -> bool:
        """Whether the folder still has this manifest, as far as one can tell."""
        try:
            return self.manifest() == manifest
        except ShardError:
            return True

    def connect(self, name: str, begin: int) -> Any:
        """The file, opened anew at byte ``begin``; raises what the store raises."""
        address = f"{self.address.path}/{name}"
        if self.address.scheme == "file":
            file: Any = _open_local(str(current(Path(self.address.path), name)))
        elif self.address.scheme in ("http", "https"):
            stall_s = self.patience.stall_s
            return _open_http(address, self.place(name), begin, self._storage, stall_s)
        else:
            import fsspec

            system, path = fsspec.core.url_to_fs(address, **self._storage)
            file = system.open(path, "rb")
        file.seek(begin)
        return file

    def _refusal(self, name: str, error: Exception) -> ShardError:
        if isinstance(error, FileNotFoundError):
            return ShardError("no such file", place=self.place(name))
        return ShardError("cannot be read", place=self.place(name), found=self._said(error))

    def _said(self, error: Exception) -> str:
        return self.address.hide(_line(error))


class _Stream(io.RawIOBase):
    """Parts, one after the other, as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(next(self._parts, b""))
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _flowing(file: Any, stall_s: float) -> Iterator[bytes]:
    """What a connection gives to its end; TimeoutError when that is less than 1 kB/s."""
    waited_s, came = 0.0, 0
    while True:
        start = time.monotonic()
        part: bytes = file.read(_PART_BYTES)
        if not part:
            return
        waited_s += time.monotonic() - start
        came += len(part)
        yield part
        if waited_s > stall_s:
            if came < 1000 * waited_s:
                raise TimeoutError("less than 1 kB/s")
            waited_s, came = 0.0, 0


def _open_local(path: str) -> BinaryIO:
    """A regular file, never a link, a device or a pipe (which would wait for ever)."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ShardError("no such file", place=path) from error
    except (OSError, ValueError) as error:
        require_enough(error, path)
        is_link = Path(path).is_symlink()
        raise ShardError(
            "a link in place of a file" if is_link else "cannot be read",
            place=path,
            found=getattr(error, "strerror", None) or str(error),
            hint=advice(error),
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
    coding = answer.headers.get("Content-Encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        file.close()
        raise ShardError(
            "the server compressed the response",
            place=place,
            found=f"Content-Encoding: {coding[:40]!r}",
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
    """An error of another library in one short line."""
    said = " ".join(str(error).split())
    name = type(error).__name__
    return (f"{name}: {said}" if said else name)[:200]
