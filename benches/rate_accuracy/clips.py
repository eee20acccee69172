"""Clips and their labels: decoded frames through ffmpeg, COCO-format ground truth."""

import json
import pathlib
import subprocess

import numpy as np


def probe(path):
    """(width, height, frames per second, frames) of a clip's first video stream."""
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-of", "json",
         "-show_entries", "stream=width,height,avg_frame_rate,nb_read_packets", str(path)],
        check=True, capture_output=True, text=True).stdout
    stream = json.loads(out)["streams"][0]
    num, den = map(int, stream["avg_frame_rate"].split("/"))
    return stream["width"], stream["height"], num / den, int(stream["nb_read_packets"])


def frames(path):
    """Yields the frames of a clip, uint8 [height, width, 3] RGB."""
    width, height, _, _ = probe(path)
    with subprocess.Popen(["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                          stdout=subprocess.PIPE) as ffmpeg:
        size = width * height * 3
        while len(data := ffmpeg.stdout.read(size)) == size:
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def labels(path):
    """Ground truth as COCO has it; image id = frame number from 1."""
    truth = json.loads(pathlib.Path(path).read_text())
    for key in ("images", "annotations", "categories"):
        if key not in truth:
            raise SystemExit(f"{path}: no '{key}': not COCO-format labels")
    return truth


def raw(path, out, every=1, width=None):
    """Writes frames 0, n, 2n, ... of a clip, uncompressed, to the YUV4MPEG file `out`; scaled to `width` if given. The frame rate is
    divided by n. Both sides are even."""
    _, _, rate, _ = probe(path)
    scale = f"scale={width}:-2:flags=area," if width else "crop=trunc(iw/2)*2:trunc(ih/2)*2,"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(path), "-an", "-vf", f"{scale}select=not(mod(n\\,{every})),setpts=N/({rate / every}*TB)",
                    "-r", str(rate / every), "-pix_fmt", "yuv420p", str(out)], check=True)
