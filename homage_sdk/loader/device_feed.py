"""Batches on an accelerator, ahead of use: pinned by a thread, copied on a stream of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass

import torch

from homage_sdk.loader.batch import Batch, map_tensors

AHEAD = 2
"""Batches that wait on the device: one in use, one being copied."""


@dataclass
class _Fed:
    """A batch on its way to the device, or what ended the feed."""

    batch: Batch | None = None
    copied: torch.cuda.Event | None = None
    error: BaseException | None = None


def feed(
    batches: Iterable[Batch], device: torch.device, *, threaded: bool | None = None
) -> Generator[Batch]:
    """The same batches on ``device``, in RGB and in order; an error comes where it happened.

    On a CUDA device a thread takes each batch from the loader, pins it and copies it on a stream of
    its own while the step before is being computed: the training thread neither pins nor waits for
    the copy. At most ``AHEAD`` batches are on the device before they are asked for. Elsewhere
    nothing is gained by that, and without ``threaded`` the batches are moved one by one.
    """
    if not (device.type == "cuda" if threaded is None else threaded):
        for batch in batches:
            yield batch.to(device).rgb()
        return
    ready: queue.Queue[_Fed] = queue.Queue(AHEAD)
    ended = threading.Event()
    thread = threading.Thread(target=_fill, args=(batches, device, ready, ended), daemon=True)
    thread.start()
    try:
        while True:
            fed = ready.get()
            if fed.error is not None:
                raise fed.error
            if fed.batch is None:
                return
            yield _taken_over(fed)
    finally:
        ended.set()
        while thread.is_alive():  # it may wait for a free place
            try:
                ready.get_nowait()
            except queue.Empty:
                thread.join(0.05)


def _fill(
    batches: Iterable[Batch],
    device: torch.device,
    ready: queue.Queue[_Fed],
    ended: threading.Event,
) -> None:
    stream: torch.cuda.Stream | None = None
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    try:
        for batch in batches:
            ready.put(_copied(batch, device, stream))
            if ended.is_set():
                return
        ready.put(_Fed())
    except BaseException as error:
        ready.put(_Fed(error=error))


def _copied(batch: Batch, device: torch.device, stream: torch.cuda.Stream | None) -> _Fed:
    if stream is None:
        return _Fed(batch.to(device))
    with torch.cuda.stream(stream):
        there = map_tensors(batch, lambda t: t.pin_memory().to(device, non_blocking=True))
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(stream)
    return _Fed(there, done)


def _taken_over(fed: _Fed) -> Batch:
    """The batch, once the stream that computes has been told to wait for its copy."""
    assert fed.batch is not None
    if fed.copied is not None:
        current = torch.cuda.current_stream()
        current.wait_event(fed.copied)

        def used(tensor: torch.Tensor) -> torch.Tensor:
            tensor.record_stream(current)
            return tensor

        map_tensors(fed.batch, used)
    return fed.batch.rgb()
