"""Colour changes: right, consistent within a clip, and a function of names alone."""

import colorsys

import numpy as np
import pytest
import torch

from baselines.ccau.models.augment import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    AugmentConfig,
    colour_draws,
    prepare_video,
)
from baselines.ccau.random_streams import numpy_stream

OFF = AugmentConfig(brightness=0, contrast=0, saturation=0, hue=0, grey=0)


def _video(clips=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (clips, 2, 3, 6, 5, 3), generator=generator, dtype=torch.uint8)


def _streams(clips, epoch=0):
    return [numpy_stream(0, "augment", "ego", epoch, f"s{i}", 0) for i in range(clips)]


def _pixels(prepared):
    """Undo the normalisation: [B, N, K, H, W, 3] in [0, 1]."""
    shown = prepared.permute(0, 1, 3, 4, 5, 2)
    return shown * torch.tensor(IMAGENET_STD) + torch.tensor(IMAGENET_MEAN)


def test_without_augmentation_pixels_are_imagenet_normalised():
    video = _video()
    out = prepare_video(video)
    assert out.shape == (2, 2, 3, 3, 6, 5)
    for b, n, k, y, x, c in [(0, 0, 0, 0, 0, 0), (1, 1, 2, 5, 4, 2), (0, 1, 1, 3, 2, 1)]:
        want = (float(video[b, n, k, y, x, c]) / 255 - IMAGENET_MEAN[c]) / IMAGENET_STD[c]
        assert float(out[b, n, c, k, y, x]) == pytest.approx(want, abs=1e-5)


def test_zero_strength_changes_nothing():
    video = _video()
    out = prepare_video(video, config=OFF, streams=_streams(2))
    torch.testing.assert_close(out, prepare_video(video), atol=1e-5, rtol=1e-5)


def test_a_clip_gets_one_change_for_all_its_frames_and_clips_differ():
    frame = torch.randint(0, 256, (6, 5, 3), dtype=torch.uint8)
    video = frame.expand(3, 4, 5, 6, 5, 3).contiguous()
    out = _pixels(prepare_video(video, config=AugmentConfig(grey=0), streams=_streams(3)))
    for clip in out:
        flat = clip.flatten(0, 1)
        assert torch.equal(flat, flat[:1].expand_as(flat))
    assert not torch.allclose(out[0], out[1], atol=1e-3)
    flicker = AugmentConfig(grey=0, per="frame")
    out = _pixels(prepare_video(video, config=flicker, streams=_streams(3)))
    assert not torch.allclose(out[0, 0, 0], out[0, 0, 1], atol=1e-3)


def test_the_change_depends_on_the_name_and_not_on_the_batch():
    video, config = _video(3), AugmentConfig()
    whole = prepare_video(video, config=config, streams=_streams(3))
    alone = prepare_video(video[2:], config=config, streams=_streams(3)[2:])
    torch.testing.assert_close(whole[2:], alone, rtol=0, atol=1e-6)
    other = prepare_video(video, config=config, streams=_streams(3, epoch=1))
    assert not torch.allclose(whole, other, atol=1e-3)


def test_drawing_takes_nothing_from_torchs_global_stream():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    prepare_video(_video(), config=AugmentConfig(), streams=_streams(2))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", ["luma", "channel"])
def test_grey_has_three_equal_channels(kind):
    config = AugmentConfig(grey=1.0, grey_kind=kind)
    out = _pixels(prepare_video(_video(), config=config, streams=_streams(2)))
    torch.testing.assert_close(out[..., 0], out[..., 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(out[..., 1], out[..., 2], atol=1e-5, rtol=0)


def test_brightness_contrast_and_saturation_equal_their_definitions():
    rng = np.random.default_rng(5)
    image = rng.random((4, 5, 3)) * 0.4 + 0.3
    luma = image @ [0.299, 0.587, 0.114]
    for name in ("brightness", "contrast", "saturation"):
        config = AugmentConfig(**{**vars(OFF), name: 0.3})
        matrix, offset = colour_draws(config, numpy_stream(0, "x"), 1)
        ours = image @ matrix[0].T + offset[0] * luma.mean()
        column = ("brightness", "contrast", "saturation").index(name)
        factor = 1 + 0.3 * (2 * numpy_stream(0, "x").random((1, 6))[0, column] - 1)
        base = {"brightness": 0.0, "contrast": luma.mean(), "saturation": luma[..., None]}[name]
        np.testing.assert_allclose(ours, factor * image + (1 - factor) * base, atol=1e-12)


def test_hue_turns_colours_and_leaves_grey_alone():
    config = AugmentConfig(**{**vars(OFF), "hue": 0.25})
    matrix, _ = colour_draws(config, numpy_stream(0, "hue"), 8)
    np.testing.assert_allclose(matrix @ np.ones(3), 1.0, atol=1e-9)
    turn = (2 * numpy_stream(0, "hue").random((8, 6))[:, 3] - 1) * 0.25
    for m, wanted in zip(matrix, turn, strict=True):
        red = np.clip(m @ np.array([0.6, 0.4, 0.4]), 0, 1)
        hue = colorsys.rgb_to_hsv(*red)[0]
        signed = (hue + 0.5) % 1 - 0.5
        assert min(abs(signed - wanted), abs(signed + wanted)) < 0.06
    assert np.ptp(turn) > 0.1
