"""How fast frames, clips and samples are: CPU time, interleaved, ratios beside each figure.

    python tools/bench_media.py [--seconds 20] [--rounds 15]
    python tools/bench_media.py --endurance 2000 [--workers 0 2]

Makes 1024x768 videos with the synthetic world's renderer and their shards, then measures. CPU time
includes that of other processes, running or ended. An `ffmpeg` on the PATH is shown beside the
decoding floor, which is PyAV's bare decode loop. Of each work its least time counts: what other
programs do can only add to it. Numbers beyond their limit are marked. With
`--endurance` it loads so many batches instead and prints resident memory as it goes.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import cv2
import librosa
import made
import numpy as np
import torch
from bench_samples import CLIP_S, COUNT, endure, measure_samples
from timing import interleaved, show

from homage_sdk import Dataset, Frame
from homage_sdk.dataset.sequence import Sequence
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.loader.pictures.shown import Crop
from homage_sdk.media.audio import read_flac
from homage_sdk.media.spectrograms.logmel import LogMel, n_columns
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.manifest import SampleInfo


def measure_decoding(sequence: Sequence, data: bytes, rounds: int, folder: Path) -> None:
    """One clip of a packed view against the bare decode loop, and against OpenCV on the source."""
    source = sequence.view(0).file()
    positions = np.arange(COUNT, dtype=np.int64)
    out = np.empty((COUNT, 128, 128, 3), np.uint8)
    crop = Crop.centre(192, 144, 128)

    def floor() -> None:
        with av.open(io.BytesIO(data)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for n, _ in enumerate(container.decode(video=0)):
                if n + 1 == COUNT:
                    break

    def opencv() -> None:
        capture = cv2.VideoCapture(str(source))
        for n in range(3 * COUNT):
            if n % 3:
                capture.grab()
            else:
                cv2.resize(capture.read()[1], (192, 144), interpolation=cv2.INTER_AREA)

    work: dict[str, Callable[[], object]] = {
        "floor": floor,
        "plain": lambda: decode_clip(data, positions, 10.0, crop, out),
        "flipped": lambda: decode_clip(data, positions, 10.0, crop, out, flip=True),
    }
    if ffmpeg := shutil.which("ffmpeg"):
        clip = folder / "clip.mp4"
        clip.write_bytes(data)
        command = [ffmpeg, "-v", "error", "-threads", "1", "-i", str(clip)]
        command += ["-frames:v", str(COUNT), "-f", "null", "-"]
        work["ffmpeg"] = lambda: subprocess.run(command, check=True)
    times = interleaved(3 * rounds, **work)
    ours, bare = times["plain"], times["floor"]
    show(f"packed clip, {COUNT} frames", f"{ours:.2f} ms", ours / bare, "<= 1.3x")
    show("  mirrored", f"{times['flipped']:.2f} ms", times["flipped"] / bare, "<= 1.3x")
    if ffmpeg:
        show("  ffmpeg -f null, process start included", f"{times['ffmpeg']:.2f} ms")
    slow = interleaved(
        max(5, rounds // 2), opencv=opencv, ours=lambda: [work["plain"]() for _ in range(10)]
    )
    ratio = 10 * slow["opencv"] / slow["ours"]
    show("  OpenCV from the 1024x768 source", f"{slow['opencv']:.0f} ms", ratio, ">= 60x")


def measure_sound(flac: bytes, rounds: int) -> None:
    """Log-mel against librosa and against the bare FFT of the same frames, eight clips a turn."""
    model = LogMel()
    begins = np.arange(8) * 1.5
    waves = torch.from_numpy(np.stack([read_flac(io.BytesIO(flac), b, b + CLIP_S) for b in begins]))
    out = torch.empty(len(waves), 128, n_columns(waves.shape[1]))
    frames = torch.randn(out.shape[2], 1024)

    def by_librosa() -> None:
        for wave in waves.numpy():
            power = librosa.feature.melspectrogram(
                y=wave, sr=16000, n_fft=1024, hop_length=160, n_mels=128
            )
            librosa.power_to_db(power, ref=np.max)

    times = interleaved(
        2 * rounds,
        librosa=by_librosa,
        together=lambda: model(waves, out),
        alone=lambda: [model(wave[None]) for wave in waves],
        mkl=lambda: [torch.fft.rfft(frames) for _ in waves],
        opencv=lambda: [
            cv2.dft(frames.numpy(), dst=frames.numpy(), flags=cv2.DFT_ROWS) for _ in waves
        ],
    )
    each = {name: ms / len(waves) for name, ms in times.items()}
    for name, what in (("alone", "one clip a call"), ("together", "8 clips a call")):
        ratio = each["librosa"] / each[name]
        show(f"log-mel of 4 s, {what}, against librosa", f"{each[name]:.3f} ms", ratio, ">= 8x")
    show("  librosa", f"{each['librosa']:.3f} ms")
    for name, what in (("opencv", "OpenCV"), ("mkl", "torch")):
        said = f"  floor: only the FFT of its frames by {what}"
        show(said, f"{each[name]:.3f} ms", each["librosa"] / each[name])


def measure_moments(sequence: Sequence, shards: ShardSet, sample: SampleInfo) -> None:
    """Three views of a random moment: p95 of the wait."""
    draw = np.random.default_rng(0)

    def packed() -> None:
        position = int(draw.integers(sample.n_frames))
        for each in sample.views[:3]:
            frame = np.empty((1, each.height, each.width, 3), np.uint8)
            at = np.array([min(position, each.n_frames - 1)])
            decode_clip(shards.read(sample.key, each.field), at, 10.0, None, frame)

    def original() -> None:
        for view in sequence.views[:3]:
            view.image(Frame(int(draw.integers(1, 200))))

    def p95_ms(work: Callable[[], None], times: int) -> float:
        waits = []
        for _ in range(times):
            start = time.perf_counter()
            work()
            waits.append(1e3 * (time.perf_counter() - start))
        return sorted(waits)[int(0.95 * times) - 1]

    wait = p95_ms(packed, 100)
    show("3 views of a random moment, packed, p95", f"{wait:.1f} ms", wait / 15, "<= 1x")
    show("3 views of a random moment, original, p95", f"{p95_ms(original, 20):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--endurance", type=int, metavar="BATCHES")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2], help="with --endurance")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        length = (options.seconds, options.seconds + 1)
        catalog = made.catalog(root, size=(1024, 768), seconds=length, clean=True)
        dataset = Dataset(catalog)
        shards = ShardSet.open(made.shards(root, catalog))
        if options.endurance:
            for workers in options.workers:
                endure(shards, options.endurance, workers)
            return
        sample = next(s for s in shards.samples if s.ego and len(s.third) >= 2 and s.sound)
        sequence = dataset[sample.sequence]
        measure_decoding(sequence, shards.read(sample.key, "v000.mp4"), options.rounds, root)
        measure_sound(shards.read(sample.key, "ego.flac"), options.rounds)
        measure_samples(shards, options.rounds)
        measure_moments(sequence, shards, sample)


if __name__ == "__main__":
    main()
