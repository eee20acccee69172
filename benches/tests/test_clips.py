"""Uncompressed copies of clips: what ffmpeg writes of them, GStreamer reads."""

import subprocess

import pytest

from rate_accuracy import clips


@pytest.fixture
def tagged(tmp_path):
    """A clip whose stream says its range and aspect, so that ffmpeg's own header of it is longer than what y4mdec reads."""
    path = tmp_path / "tagged.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1282x720:rate=24000/1001:duration=0.5", "-pix_fmt", "yuv420p", "-aspect", "854:479",
                    "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", str(path)], check=True)
    plain = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "yuv4mpegpipe", "-"], check=True, capture_output=True).stdout
    assert plain.index(b"\n") >= 80
    return path


def test_gstreamer_reads_a_clip_with_a_long_header(tagged, tmp_path):
    out = tmp_path / "raw.y4m"
    width, height, rate, frames = clips.raw(tagged, out, thin=2)
    assert (width, height, frames) == (1282, 720, 6)
    assert rate == pytest.approx(12000 / 1001)
    assert out.read_bytes().split(b"\n", 1)[0].startswith(b"YUV4MPEG2 W1282 H720 F12000:1001 ")
    counted = subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={out}", "!", "y4mdec", "!", "filesink", f"location={tmp_path / 'raw.yuv'}"],
                             check=False, capture_output=True, text=True, timeout=60)
    assert counted.returncode == 0, counted.stderr
    assert sum(1 for _ in clips.frames(out, width, height)) == 6
    # y4mdec hands out rows of a multiple of four bytes.
    assert (tmp_path / "raw.yuv").stat().st_size == 6 * 720 * (1284 + 644)


def test_a_clip_that_cannot_be_read_is_an_error(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    with pytest.raises(subprocess.CalledProcessError):
        clips.raw(broken, tmp_path / "raw.y4m")
