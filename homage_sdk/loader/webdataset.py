"""Shards as a pure stream on the webdataset package, for programs that can only read forward.

Shards are shuffled, shared out and batched by webdataset's own stages. Two things are done here,
because webdataset's ``gopen`` runs commands and its ``.decode()`` unpickles: shards are opened and
walked by the strict readers of this package, and members are decoded by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from homage_sdk.errors import HomageError, ShardError, UsageError
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.sampling import ClipChoice, EpochRows
from homage_sdk.problems import Place
from homage_sdk.processes import end
from homage_sdk.shards.format.address import Address
from homage_sdk.shards.format.far import FarFolder, Patience
from homage_sdk.shards.format.index import Index, index_of
from homage_sdk.shards.format.manifest import INDEX, Manifest, of_one_state
from homage_sdk.shards.format.sample_meta import META
from homage_sdk.shards.format.tar import MEND, read_members

Row = tuple[ClipChoice, dict[str, bytes]]
"""A clip, and the members of its sample that it is made of."""


def webdataset_stream(
    urls: str | Path | Sequence[str | Path],
    options: LoaderOptions | None = None,
    *,
    epoch: int = 0,
    buffer: int = 64,
    storage: dict[str, Any] | None = None,
    patience: Patience | None = None,
) -> Iterator[Batch]:
    """The batches of one epoch, from shards that are read from beginning to end.

    A batch is the same ``Batch`` that ``ClipLoader`` makes, of the same clip of each sample for the
    same (seed, epoch); members are checked against the index as they pass by. Nothing is kept on
    this machine, and nothing more is promised. ``ClipLoader``, on shards in a cache, also promises
    what this does not:

    - an order that depends on (seed, epoch) alone: here also on ranks, workers and ``buffer``;
    - a state to resume from in the middle of an epoch;
    - the same number of batches on every rank: here it follows from the shards that each one gets
      (with ``DistributedDataParallel``, stop all ranks after the fewest, or they wait for ever);
    - every full batch of an epoch: in training each worker drops the rows that fill none;
    - batches of workers in shared memory, made without a copy.

    Args:
        urls: the folder of the shards, or its address; or some of the shards of one folder.
        options: as for ``ClipLoader``. In evaluation every clip is given once over all ranks.
        epoch: which epoch: it decides order, clips and crops.
        buffer: samples that wait to be mixed in training, in each worker.
        storage: options of the file system, such as credentials, as fsspec takes them.
        patience: with connections that are lost.

    Raises:
        UsageError: an address of another kind (``pipe:`` and the like are never run), no sequence
            fits, training on a clip of each action (those of a sequence would leave one after
            another, into a buffer that holds few sequences), or fewer shards than workers of all
            ranks.
        ShardError: shards that cannot be read, or are not those of their manifest.

    """
    import webdataset as wds

    options = options or LoaderOptions()
    if options.mode == "train" and options.train_unit == "action":
        raise UsageError(
            "a stream does not mix the clips of a sequence's actions among others",
            found="train_unit action",
            expected="train_unit sequence",
            hint="use ClipLoader, whose order is of all clips",
        )
    source = _Source.of(urls, options, epoch, storage, patience)
    n_shares = options.world_size * max(1, options.workers)
    if len(source.names) < n_shares:
        raise UsageError(
            "fewer shards than readers",
            place=source.folder.address.shown,
            found=f"{len(source.names)} shards that hold what is asked for",
            expected=f"at least {n_shares} (ranks times workers)",
            hint="use fewer workers, or pack smaller shards (--shard-mb)",
        )
    training = options.mode == "train"
    mixing = {"seed": options.seed, "epoch": epoch - 1}  # the stage counts one up when it begins
    pipeline = wds.DataPipeline(
        wds.SimpleShardList(source.names),
        wds.detshuffle(len(source.names), len(source.names), **mixing) if training else None,
        partial(_of_rank, rank=options.rank, world_size=options.world_size),
        wds.split_by_worker,
        source.rows,
        wds.detshuffle(buffer, buffer, **mixing) if training else None,
        wds.batched(options.batch_size, collation_fn=None, partial=not training),
        partial(_assembled, manifest=source.manifest, options=options, epoch=epoch),
        _with_errors,
    )
    batches: Iterable[Batch | HomageError] = pipeline
    if options.workers:
        batches = DataLoader(
            pipeline,
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=options.prefetch,
        )
    return _given(batches, source.folder.address.shown)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the rows of an epoch come from."""

    options: LoaderOptions
    folder: FarFolder
    manifest: Manifest
    index: Index
    wanted: dict[str, list[ClipChoice]]
    """The clips of each sample, by its key."""
    names: list[str]
    """The shards that hold any of them."""

    @classmethod
    def of(
        cls,
        urls: str | Path | Sequence[str | Path],
        options: LoaderOptions,
        epoch: int,
        storage: dict[str, Any] | None,
        patience: Patience | None,
    ) -> _Source:
        """The shards that these addresses name, and what an epoch takes from them."""
        url, chosen = _folder_of(urls)
        folder = FarFolder(url, storage, patience)
        manifest = folder.manifest()
        with of_one_state(partial(folder.is_still, manifest), folder.address.shown):
            data = folder.read(INDEX, manifest.index.bytes)
            index = index_of(manifest, data, folder.place(INDEX))
        known = [shard.name for shard in manifest.shards]
        if chosen is not None and (strangers := sorted(set(chosen) - set(known))):
            raise UsageError("no shard of this folder", place=folder.place(strangers[0]))
        clips = EpochRows(manifest, options).clips(epoch)
        wanted: dict[str, list[ClipChoice]] = {}
        for clip in clips:
            wanted.setdefault(clip.sample.key, []).append(clip)
        needed = {clip.sample.shard for clip in clips}
        names = [n for n in known if n in needed and (chosen is None or n in chosen)]
        return cls(options, folder, manifest, index, wanted, names)

    def rows(self, shards: Iterable[dict[str, str]]) -> Iterator[Row]:
        """The rows of these shards, in the order in which they lie there."""
        sizes = {shard.name: shard.bytes for shard in self.manifest.shards}
        with of_one_state(partial(self.folder.is_still, self.manifest), self.folder.address.shown):
            for shard in shards:
                yield from self._rows_of(shard["url"], sizes[shard["url"]])

    def _rows_of(self, name: str, size: int) -> Iterator[Row]:
        place = self.folder.place(name)
        clips = {k: found for k, found in self.wanted.items() if found[0].sample.shard == name}
        fields = {
            key: {field for clip in found for field in _fields_of(clip, self.options)}
            for key, found in clips.items()
        }
        with self.folder.open(name, size) as file:
            members = read_members(
                file,
                place,
                wanted=lambda key, field: field in fields.get(key, ()),
                shard_bytes=size,
            )
            for key, group in groupby(members, lambda found: found[0].key):
                content: dict[str, bytes] = {}
                for member, data in group:
                    if member.field not in fields.get(key, ()):
                        continue
                    located = (name, member.offset, member.size, member.crc32)
                    if self.index.get(key, {}).get(member.field) != located:
                        raise ShardError(
                            "not the member that the index names",
                            place=Place(place, pointer=f"/{member.name}"),
                            hint=MEND,
                        )
                    content[member.field] = data
                if key not in clips:
                    continue
                if missing := sorted(fields[key] - content.keys()):
                    raise ShardError(f"sample {key} has no member {missing[0]}", place=place)
                yield from ((clip, content) for clip in clips.pop(key))
        if clips:
            raise ShardError("a sample is missing from its shard", place=place, found=min(clips))


def _fields_of(clip: ClipChoice, options: LoaderOptions) -> set[str]:
    """The members that a clip is made of."""
    sample = clip.sample
    fields = {"ann.json"}
    if clip.main and "ego" in options.modalities and sample.ego is not None:
        fields.add(sample.ego.field)
    if clip.third is not None and "third" in options.modalities:
        fields.add(clip.third.field)
    if clip.main and "audio" in options.modalities and sample.sound is not None:
        fields.add(sample.sound.field)
    if clip.main and "sensors" in options.modalities and sample.sensors is not None:
        fields |= {META, sample.sensors.field}
    return fields


def _folder_of(urls: str | Path | Sequence[str | Path]) -> tuple[str | Path, list[str] | None]:
    """The folder that these addresses name, and which of its shards; None for all of them."""
    given = [urls] if isinstance(urls, (str, Path)) else list(urls)
    if len(given) == 1 and not str(given[0]).endswith(".tar"):
        return given[0], None
    parts = [str(url).rpartition("/") for url in given]
    for home, _, name in parts:
        Address.of(home or name)
    homes = sorted({home or "." for home, _, _ in parts})
    if len(homes) != 1 or not all(name.endswith(".tar") for _, _, name in parts):
        raise UsageError(
            "not the shards of one folder",
            found=f"{len(given)} addresses in {len(homes)} folders",
            expected="a folder, or .tar files of one folder",
        )
    return homes[0], [name for _, _, name in parts]


def _of_rank(
    shards: Iterable[dict[str, str]], rank: int, world_size: int
) -> Iterator[dict[str, str]]:
    return islice(shards, rank, None, world_size)


def _assembled(
    batches: Iterable[list[Row]], manifest: Manifest, options: LoaderOptions, epoch: int
) -> Iterator[Batch]:
    """The batches of these rows; one that is not full is padded, as ``ClipLoader`` pads it."""
    held: dict[str, dict[str, bytes]] = {}
    assembler = Assembler(manifest, options, lambda key, field: held[key][field])
    for rows in batches:
        held = {clip.sample.key: content for clip, content in rows}
        clips: list[ClipChoice | None] = [clip for clip, _ in rows]
        clips += [None] * (options.batch_size - len(rows))
        yield assembler.batch(clips, epoch, lambda shape, dtype: torch.empty(shape, dtype=dtype))


def _with_errors(batches: Iterable[Batch]) -> Iterator[Batch | HomageError]:
    """An error in its place: raised in a worker, torch would turn it into a page of text."""
    try:
        yield from batches
    except HomageError as error:
        yield error


def _given(batches: Iterable[Batch | HomageError], place: str) -> Iterator[Batch]:
    count, coming = 0, iter(batches)
    stop = Finalize(None, _end_workers, args=(coming,), exitpriority=1)  # at exit before all others
    try:
        for batch in coming:
            if isinstance(batch, HomageError):
                raise batch
            count += 1
            yield batch
    finally:
        stop()
    if not count:
        raise UsageError(
            "fewer samples than one batch for each worker",
            place=place,
            hint="choose a smaller batch_size or fewer workers",
        )


def _end_workers(coming: Iterator[Batch | HomageError]) -> None:
    """End the processes behind batches: torch waits for one that is stopped, at exit for ever."""
    if isinstance(coming, _MultiProcessingDataLoaderIter):
        coming._shutdown_workers()  # first, or it takes their end for a fault
        end(coming._workers)
