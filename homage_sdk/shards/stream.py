"""Shards as a stream: read from beginning to end, from disk, http or an object store.

The same clips as ``ClipLoader`` gives for the same (seed, epoch), in another order: shards are
shuffled and mixed through a buffer, because a stream cannot jump. Nothing is unpickled, no command
is run: members are taken by name, through the strict reader of ``tar.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.shards.batch import Batch
from homage_sdk.shards.clips import Assembler
from homage_sdk.shards.manifest import MANIFEST, Manifest, SampleInfo, ShardInfo, parse_manifest
from homage_sdk.shards.options import LoaderOptions
from homage_sdk.shards.sampling import ClipChoice, Grid, eval_clips, stream, train_clip, usable
from homage_sdk.shards.tar import read_members

_SCHEMES = ("file", "http", "https", "s3", "gs", "gcs", "az", "abfs", "memory")


class StreamLoader:
    """Batches of clips from a folder of shards anywhere that fsspec reads.

    Args:
        url: a local folder or ``http(s)://``, ``s3://``, ``gs://``, ``az://`` address of one.
        options: as for ``ClipLoader``; ``workers`` must be 0.
        buffer: samples held to mix neighbours in training.
        storage: options of the file system, such as credentials, as fsspec takes them.

    Raises:
        UsageError: an address of another kind; ``pipe:`` and the like are never run.
        ShardError: no manifest there, or one that cannot be used.

    """

    def __init__(
        self,
        url: str | Path,
        options: LoaderOptions | None = None,
        *,
        buffer: int = 64,
        storage: dict[str, Any] | None = None,
    ) -> None:
        self.url = str(url).rstrip("/")
        self.options = options or LoaderOptions()
        if self.options.workers:
            raise UsageError(
                "a stream is read in this process", found=f"workers={self.options.workers}"
            )
        if buffer < 1:
            raise UsageError("a buffer holds at least one sample", found=str(buffer))
        self._buffer = buffer
        self._files = _Remote(self.url, storage or {})
        with self._files.open(MANIFEST) as file:
            data = file.read(256_000_001)
        self.manifest: Manifest = parse_manifest(data, f"{self.url}/{MANIFEST}")
        self.fingerprint = hashlib.sha256(self.manifest.to_bytes()).hexdigest()
        self.grid = Grid.of(self.options, int(self.manifest.options["stride"]))
        self.samples = usable(self.manifest.samples, self.options)
        self.epoch = 0
        self._length = min(self._batches_of(rank) for rank in range(self.options.world_size))
        if self.options.mode == "eval":
            self._length = max(self._batches_of(rank) for rank in range(self.options.world_size))
        if not self._length:
            raise UsageError(
                "fewer sequences than one batch for each rank",
                found=f"{len(self.samples)} sequences in {len(self._shards())} shards",
                hint="choose a smaller batch_size, or pack into more shards",
            )

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        return self._length

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        epoch, options = self.epoch, self.options
        held: dict[str, dict[str, bytes]] = {}
        assembler = Assembler(
            self.manifest, options, lambda sample, field: _member(held, sample, field)
        )
        rows: list[ClipChoice | None] = []
        given = 0
        for sample, members in self._mixed(epoch):
            held[sample.key] = members
            for row in self._rows(sample, epoch):
                rows.append(row)
                if len(rows) == options.batch_size:
                    yield assembler.batch(rows, epoch)
                    given += 1
                    rows = []
                    held = {sample.key: members} if given < self._length else {}
                if given == self._length:
                    break
            if given == self._length:
                break
        while options.mode == "eval" and given < self._length:
            yield assembler.batch(rows + [None] * (options.batch_size - len(rows)), epoch)
            rows, given = [], given + 1
        if options.mode == "train" and self.epoch == epoch:
            self.epoch = epoch + 1

    def _shards(self) -> list[ShardInfo]:
        wanted = {sample.shard for sample in self.samples}
        return [shard for shard in self.manifest.shards if shard.name in wanted]

    def _of_rank(self, rank: int) -> list[ShardInfo]:
        return self._shards()[rank :: self.options.world_size]

    def _batches_of(self, rank: int) -> int:
        names = {shard.name for shard in self._of_rank(rank)}
        mine = [sample for sample in self.samples if sample.shard in names]
        if self.options.mode == "eval":
            return -(-len(eval_clips(mine, self.grid, self.options)) // self.options.batch_size)
        return len(mine) // self.options.batch_size

    def _rows(self, sample: SampleInfo, epoch: int) -> Sequence[ClipChoice]:
        if self.options.mode == "train":
            return [train_clip(sample, self.grid, self.options, epoch)]
        whole = [s for s in self.samples if s.sequence == sample.sequence]
        clips = eval_clips(whole, self.grid, self.options)
        return [clip for clip in clips if clip.sample.key == sample.key]

    def _mixed(self, epoch: int) -> Iterator[tuple[SampleInfo, dict[str, bytes]]]:
        """The samples of this rank: shards in random order, mixed through a buffer."""
        options = self.options
        shards = self._of_rank(options.rank)
        if options.mode == "eval":
            for shard in shards:
                yield from self._read(shard)
            return
        draw = stream(options.seed, "stream", epoch, options.rank)
        waiting: list[tuple[SampleInfo, dict[str, bytes]]] = []
        for position in draw.permutation(len(shards)):
            for item in self._read(shards[position]):
                waiting.append(item)
                if len(waiting) > self._buffer:
                    yield waiting.pop(int(draw.integers(len(waiting))))
        while waiting:
            yield waiting.pop(int(draw.integers(len(waiting))))

    def _read(self, shard: ShardInfo) -> Iterator[tuple[SampleInfo, dict[str, bytes]]]:
        """The wanted samples of one shard; ShardError unless it is exactly the manifest's."""
        wanted = {s.key: s for s in self.samples if s.shard == shard.name}
        counted = {s.key for s in self.manifest.samples if s.shard == shard.name}
        place = f"{self.url}/{shard.name}"
        done: set[str] = set()
        key = ""
        members: dict[str, bytes] = {}
        with self._files.open(shard.name) as file:
            for member, content in read_members(file, place):
                if member.key != key:
                    if key in wanted:
                        yield wanted[key], members
                    done.add(key)
                    key, members = member.key, {}
                    if key in done or key not in counted:
                        raise ShardError("a sample out of place", place=place, found=key)
                if member.field in members:
                    raise ShardError("a member that is there twice", place=place, found=member.name)
                if key in wanted:
                    members[member.field] = content
            if key in wanted:
                yield wanted[key], members
            done.add(key)
        if missing := sorted(counted - done):
            raise ShardError("a sample is missing from its shard", place=place, found=missing[0])


def _member(held: dict[str, dict[str, bytes]], sample: SampleInfo, field: str) -> bytes:
    try:
        return held[sample.key][field]
    except KeyError:
        raise ShardError(f"sample {sample.key} has no member {field}", place=sample.shard) from None


class _Remote:
    """A folder that fsspec reads; plain paths are local, and few schemes are let through."""

    def __init__(self, url: str, storage: dict[str, Any]) -> None:
        scheme = url.split(":", 1)[0] if ":" in url.split("/", 1)[0] else "file"
        if scheme not in _SCHEMES or "::" in url:
            raise UsageError(
                "an address of a kind that is not read",
                found=url[:80],
                expected=f"a folder, or one of {', '.join(_SCHEMES)}",
                hint="`pipe:` and other commands are never run",
            )
        self._url, self._storage = url, storage

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        import fsspec

        place = f"{self._url}/{name}"
        try:
            with fsspec.open(place, "rb", **self._storage) as file:
                yield file
        except FileNotFoundError as error:
            raise ShardError("no such file", place=place) from error
        except ImportError as error:
            raise UsageError(
                "this kind of address needs another package", place=place, hint=str(error)
            ) from error
        except OSError as error:
            raise ShardError(
                "cannot be read", place=place, found=str(error).splitlines()[0]
            ) from error
