"""What a user would do instead: a standard video codec in the settings of a live stream, with the detector at the server.

Every rival is a real encoder run by ffmpeg on uncompressed frames with one thread; its bytes are the packets that it wrote, its CPU time
is that of the encoding process, less what reading the frames costs."""

import dataclasses
import pathlib
import resource
import subprocess


@dataclasses.dataclass(frozen=True)
class Rival:
    """An encoder and its settings; `{q}` is the quality, `{g}` the key-frame interval in frames."""

    name: str
    options: str
    qualities: tuple

    def line(self, quality, interval):
        return self.options.format(q=quality, g=interval).split()


RIVALS = [
    Rival("x264 veryfast zerolatency", "-c:v libx264 -preset veryfast -tune zerolatency -crf {q} -g {g}", (22, 27, 32, 36, 40, 44, 48)),
    Rival("x264 medium zerolatency", "-c:v libx264 -preset medium -tune zerolatency -crf {q} -g {g}", (22, 27, 32, 36, 40, 44, 48)),
    Rival("x265 medium zerolatency", "-c:v libx265 -preset medium -tune zerolatency -crf {q} -x265-params keyint={g}:pools=none:frame-threads=1:log-level=error",
          (24, 28, 32, 36, 40, 44, 48)),
    Rival("SVT-AV1 preset 9 low delay", "-c:v libsvtav1 -preset 9 -crf {q} -g {g} -svtav1-params pred-struct=1:lookahead=0:lp=1", (30, 36, 42, 48, 54, 59, 63)),
]


@dataclasses.dataclass
class Coded:
    """One run: the coded stream, bytes of each frame, CPU milliseconds of the encoder per frame."""

    path: pathlib.Path
    sizes: list
    cpu_ms: float


def encode(rival, quality, raw, interval, folder):
    """Codes the uncompressed clip `raw` (YUV4MPEG)."""
    out = pathlib.Path(folder) / "rival.mkv"
    cpu = _cpu(["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", str(raw), "-threads", "1", *rival.line(quality, interval), str(out)])
    text = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=size", "-of", "csv=p=0", str(out)],
                          check=True, capture_output=True, text=True).stdout
    sizes = [int(row.strip(",")) for row in text.split()]
    return Coded(out, sizes, 1000 * (cpu - reading(raw)) / max(1, len(sizes)))


def reading(raw):
    """CPU seconds that reading the uncompressed clip costs."""
    return _cpu(["ffmpeg", "-v", "error", "-threads", "1", "-i", str(raw), "-f", "null", "-"])


def _cpu(line):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if "libsvtav1" in line else None)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
