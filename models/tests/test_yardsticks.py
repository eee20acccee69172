"""Parts of yardsticks.py: boxes in between, and latents as pictures."""

import shutil

import numpy as np
import pytest

from yardsticks import CODECS, between, constant, limited, spread, strongest, through, tiles, untiled

A = (np.array([[0.0, 0, 10, 20], [50, 50, 60, 70]]), np.array([0.9, 0.5]))
B = (np.array([[4.0, 0, 14, 20]]), np.array([0.7]))


def test_boxes_move_between_their_partners():
    boxes, scores = between(A, B, 0.25)
    np.testing.assert_allclose(boxes, [[1, 0, 11, 20], [50, 50, 60, 70]])
    np.testing.assert_allclose(scores, [0.85, 0.5])
    boxes, _ = between(A, B, 0.75)
    np.testing.assert_allclose(boxes, [[3, 0, 13, 20]])  # the one without a partner is gone in the second half
    nothing = (np.zeros((0, 4)), np.zeros(0))
    assert between(A, nothing, 0.4) is A and between(A, nothing, 0.6) is nothing


def test_every_frame_gets_an_answer():
    held = spread([A, B], 4, 2, interpolated=False)
    assert [h is A for h in held] == [True, True, False, False]
    smooth = spread([A, B], 4, 2, interpolated=True)
    assert smooth[0] is A and smooth[1][0][0, 0] == 2 and smooth[3][0] is not None


@pytest.mark.parametrize("shape", [(3, 80, 16, 26), (2, 7, 5, 3)])
def test_tiles_come_back(shape):
    latents = np.random.default_rng(0).uniform(-9, 9, shape).astype(np.float32)
    grey = tiles(latents)
    assert grey.shape[1] % 2 == 0 and grey.shape[2] % 2 == 0
    np.testing.assert_allclose(untiled(grey, shape), latents, atol=0.5 / 12 + 1e-6)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("colours", [(), (3,)])
def test_video_codecs_give_pictures_back(codec, colours):
    ramp = np.linspace(40, 200, 128).astype(np.uint8)
    pictures = np.broadcast_to(ramp[None, None, :, *[None] * len(colours)], (3, 64, 128, *colours)).copy()
    back, size = through(codec, constant(30), pictures, 10.0)
    assert np.abs(back.astype(int) - pictures).mean() < 6 and 0 < size < pictures[0].nbytes / 4


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_a_link_limits_every_second_of_a_codec():
    noise = np.random.default_rng(1).integers(0, 256, (40, 64, 128, 3), np.uint8)
    _, free = through("x265 medium", constant(30), noise, 10.0)
    _, size = through("x265 medium", limited(100), noise, 10.0)
    assert free * 80 > 1000 and 50 < size * 80 / 1000 < 115, "kbit/s"


def test_only_the_strongest_channels_are_left():
    latents = np.ones((2, 3, 4, 4), np.float32) * np.array([1, -3, 2], np.float32)[:, None, None]
    cut = strongest(latents, 2)
    assert [bool(cut[:, c].any()) for c in range(3)] == [False, True, True]
    assert np.array_equal(cut[:, 1:], latents[:, 1:]) and latents[:, 0].all()
