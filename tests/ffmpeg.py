"""The ffmpeg program, an oracle that shares no code with PyAV's build: from a wheel (BSD, GPL)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

PROGRAM = imageio_ffmpeg.get_ffmpeg_exe()
TEST_PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=160x96:rate=30:duration=2")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-pix_fmt", "yuv420p", "-g", "15")


def ffmpeg(*words: object) -> bytes:
    """Run it; what it writes to its standard output."""
    command = [PROGRAM, "-nostdin", "-y", "-v", "error", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def pictures(path: Path, size: tuple[int, int], *words: str) -> np.ndarray:
    """Every picture as it shows it: uint8 [n, H, W, 3]; ``size`` is width and height."""
    raw = ("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    data = ffmpeg("-i", path, *words, *raw)
    return np.frombuffer(data, np.uint8).reshape(-1, size[1], size[0], 3)


def sound(path: Path, rate: int, *words: str) -> np.ndarray:
    """The sound that it takes where nothing is said, in mono: float32 [S]."""
    data = ffmpeg("-i", path, *words, "-vn", "-ac", "1", "-ar", str(rate), "-f", "f32le", "-")
    return np.frombuffer(data, "<f4")
