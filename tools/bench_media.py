"""How fast frames, clips and shards are: CPU time, interleaved, ratios beside each figure.

    python tools/bench_media.py [--seconds 20] [--rounds 15]

Makes one 1024x768 video with the synthetic world's renderer and its shards, then measures. Needs
an `ffmpeg` on the PATH for the decoding floor; without one, PyAV's bare decode loop stands for it.
Numbers above their limit are marked.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import cv2
import numpy as np
import torch

from homage_sdk import Dataset, Frame
from homage_sdk.catalog import ingest
from homage_sdk.media.audio import read_audio
from homage_sdk.media.logmel import LogMel
from homage_sdk.shards import ClipLoader, LoaderOptions, ShardSet, pack
from homage_sdk.shards.decode import Crop, decode_clip
from homage_sdk.synth import write_release


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def interleaved(rounds: int, **work: Callable[[], object]) -> dict[str, float]:
    """Median CPU milliseconds of each, children included, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for run in work.values():
        run()
    for _ in range(rounds):
        for name, run in work.items():
            before = cpu_s()
            run()
            taken[name].append(1e3 * (cpu_s() - before))
    return {name: statistics.median(values) for name, values in taken.items()}


def show(name: str, value: str, ratio: float | None = None, limit: str = "") -> None:
    verdict = ""
    if ratio is not None and limit:
        bound = float(limit.strip("<>= x"))
        good = ratio <= bound if limit.startswith("<") else ratio >= bound
        verdict = "ok" if good else "MISSED"
    said = "" if ratio is None else f"{ratio:7.2f}x"
    print(f"{name:46} {value:>16} {said} {limit:>8} {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        length = (options.seconds, options.seconds + 1)
        write_release(root / "release", sequences=8, size=(1024, 768), seconds=length, clean=True)
        ingest(root / "release", root / "catalog")
        dataset = Dataset(root / "catalog")
        pack(dataset, root / "shards", workers=2)
        measure(dataset, ShardSet.open(root / "shards"), root, options.rounds)


def measure(dataset: Dataset, shards: ShardSet, root: Path, rounds: int) -> None:
    sample = next(s for s in shards.samples if s.ego and len(s.third) >= 2)
    sequence = dataset[sample.sequence]
    source = sequence.view(0)
    data = shards.read(sample.key, "v000.mp4")
    clip = root / "clip.mp4"
    clip.write_bytes(data)
    view = sample.views[0]
    count = min(40, view.n_frames)
    positions = np.arange(count, dtype=np.int64)
    out = np.empty((count, 128, 128, 3), np.uint8)
    crop = Crop.centre(view.width, view.height, 128)

    def floor() -> None:
        with av.open(io.BytesIO(data)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for n, _ in enumerate(container.decode(video=0)):
                if n + 1 == count:
                    break

    ffmpeg = shutil.which("ffmpeg")
    command = [ffmpeg or "", "-v", "error", "-threads", "1", "-i", str(clip)]
    command += ["-frames:v", str(count), "-f", "null", "-"]

    def opencv() -> None:
        capture = cv2.VideoCapture(str(source.file()))
        for n in range(3 * count):
            if n % 3:
                capture.grab()
            else:
                cv2.resize(capture.read()[1], (192, 144), interpolation=cv2.INTER_AREA)

    times = interleaved(
        rounds,
        floor=floor,
        ours=lambda: decode_clip(data, positions, 10.0, crop, out),
        **({"ffmpeg": lambda: subprocess.run(command, check=True)} if ffmpeg else {}),
    )
    show(
        "packed clip, 40 frames",
        f"{times['ours']:.2f} ms",
        times["ours"] / times["floor"],
        "<= 1.3x",
    )
    if ffmpeg:
        show("  ffmpeg -f null, process start included", f"{times['ffmpeg']:.2f} ms")
    slow = interleaved(max(2, rounds // 5), opencv=opencv)["opencv"]
    show("  OpenCV from the 1024x768 source", f"{slow:.0f} ms", slow / times["ours"], ">= 60x")

    sound = sample.sound
    assert sound is not None
    flac = shards.read(sample.key, sound.field)
    model = LogMel()
    wave = torch.from_numpy(read_audio(io.BytesIO(flac), 0, 4, video_start_s=0.0))[None]

    def librosa_mel() -> None:
        import librosa

        power = librosa.feature.melspectrogram(
            y=wave[0].numpy(), sr=16000, n_fft=1024, hop_length=160, n_mels=128
        )
        librosa.power_to_db(power, ref=np.max)

    sounds = interleaved(
        rounds,
        ours=lambda: model(wave),
        librosa=librosa_mel,
        flac=lambda: read_audio(io.BytesIO(flac), 0, 4, video_start_s=0.0),
    )
    ratio = sounds["librosa"] / sounds["ours"]
    show("log-mel of 4 s, against librosa", f"{sounds['ours']:.2f} ms", ratio, ">= 8x")
    show("  FLAC of 4 s", f"{sounds['flac']:.2f} ms")

    def by_webdataset() -> None:
        import webdataset as wds

        for _ in wds.WebDataset([str(root / "shards" / sample.shard)], shardshuffle=False):
            pass

    inside = [s for s in shards.samples if s.shard == sample.shard]

    def by_index() -> None:
        for item in inside:
            for field in shards.members(item.key):
                shards.read(item.key, field)

    reading = interleaved(rounds, ours=by_index, webdataset=by_webdataset)
    ratio = reading["webdataset"] / max(reading["ours"], 1e-3)
    show("reading a sample by index", f"{reading['ours'] / len(inside):.3f} ms", ratio, ">= 10x")

    chosen = LoaderOptions(mode="train", batch_size=4, require="all")
    draw = np.random.default_rng(0)
    parts = 2 * times["ours"] + sounds["ours"] + sounds["flac"]
    for workers, limit in ((0, "<= 1.1x"), (2, "<= 1.3x")):
        loader = ClipLoader(shards, chosen.with_(workers=workers))
        passes = 1 if workers == 0 else 8
        before, clips = cpu_s(), 0
        for _ in range(max(passes, rounds // 2)):
            clips += sum(len(batch) for batch in loader)
        cpu_ms = 1e3 * (cpu_s() - before) / clips
        show(f"whole sample, {workers} workers", f"{cpu_ms:.2f} ms", cpu_ms / parts, limit)

    def moment() -> float:
        position = int(draw.integers(view.n_frames))
        start = time.perf_counter()
        for each in sample.views[:3]:
            frame = np.empty((1, each.height, each.width, 3), np.uint8)
            payload = shards.read(sample.key, each.field)
            at = np.array([min(position, each.n_frames - 1)])
            decode_clip(payload, at, 10.0, None, frame)
        return 1e3 * (time.perf_counter() - start)

    waits = sorted(moment() for _ in range(100))
    show("3 views of a random moment, packed, p95", f"{waits[94]:.1f} ms", waits[94] / 15, "<= 1x")
    waits = sorted(
        _timed(lambda: [v.frame(Frame(int(draw.integers(1, 200)))) for v in sequence.views[:3]])
        for _ in range(20)
    )
    show("3 views of a random moment, original, p95", f"{waits[18]:.1f} ms")

    loader = ClipLoader(shards, chosen)
    for _ in range(3):
        list(loader)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(rounds):
        list(loader)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    show("resident memory growth over the last passes", f"{grown / 1024:.1f} MB")


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
