"""Clips: their facts, uncompressed copies and decoded frames, all through ffmpeg."""

import json
import shutil
import subprocess

import numpy as np


def probe(path):
    """(width, height, frames per second, frames) of a clip's first video stream."""
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-of", "json",
         "-show_entries", "stream=width,height,avg_frame_rate,r_frame_rate,nb_read_packets", str(path)],
        check=True, capture_output=True, text=True).stdout
    stream = json.loads(out)["streams"][0]
    rates = (stream["avg_frame_rate"], stream["r_frame_rate"])
    num, den = next(map(int, r.split("/")) for r in rates if not r.startswith("0/") and not r.endswith("/0"))
    return stream["width"], stream["height"], num / den, int(stream["nb_read_packets"])


def frames(path, width, height, every=1):
    """Yields frames 0, n, 2n, ... of a stream of known size, uint8 [height, width, 3] RGB."""
    pick = ["-vf", f"select=not(mod(n\\,{every}))"] if every > 1 else []
    with subprocess.Popen(["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path), *pick, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                          stdout=subprocess.PIPE) as ffmpeg:
        size = width * height * 3
        while len(data := ffmpeg.stdout.read(size)) == size:
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def raw(path, out, thin=1, count=None, width=None):
    """Writes frames 0, n, 2n, ... of a clip, at most `count`, uncompressed, to the YUV4MPEG file `out`; scaled to `width` if given.
    The frame rate is divided by n. Both sides are even. Returns (width, height, frames per second, frames) of what was written."""
    _, _, rate, _ = probe(path)
    scale = f"scale={width}:-2:flags=area" if width else "crop=trunc(iw/2)*2:trunc(ih/2)*2"
    rate = rate / thin
    some = ["-frames:v", str(count)] if count else []
    line = ["ffmpeg", "-v", "error", "-i", str(path), "-an", "-vf", f"select=not(mod(n\\,{thin})),{scale},setpts=N/({rate}*TB)",
            "-r", str(rate), *some, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as ffmpeg, open(out, "wb") as file:
        file.write(without_remarks(ffmpeg.stdout.readline()))
        shutil.copyfileobj(ffmpeg.stdout, file, 1 << 20)
    if ffmpeg.returncode:
        raise subprocess.CalledProcessError(ffmpeg.returncode, line)
    return probe(out)


def without_remarks(header):
    """The first line of a YUV4MPEG file without its X fields, which ffmpeg adds for siting and range: GStreamer's y4mdec fails or hangs on a line of 80 bytes or more."""
    return b" ".join(word for word in header.rstrip(b"\n").split(b" ") if not word.startswith(b"X")) + b"\n"
