"""What a user would do instead: a standard video codec in the settings of a live stream, with the detector at the server.

Every rival is a real encoder run by ffmpeg on uncompressed frames with one thread. Its bytes are those of the elementary stream, parameter
sets included and x264's and x265's version strings left out."""

import dataclasses
import pathlib

from . import cpu


@dataclasses.dataclass(frozen=True)
class Rival:
    """An encoder and its settings; `{q}` is the quality, `{g}` the key-frame interval in frames."""

    name: str
    suffix: str
    options: str
    qualities: tuple

    def line(self, quality, interval):
        return self.options.format(q=quality, g=interval).split()


_X264 = "-c:v libx264 -preset {} -tune zerolatency -crf {{q}} -g {{g}} -bsf:v filter_units=remove_types=6"
RIVALS = [
    Rival("x264 veryfast", "h264", _X264.format("veryfast"), (24, 30, 36, 40, 44, 48, 51)),
    Rival("x264 medium", "h264", _X264.format("medium"), (24, 30, 36, 40, 44, 48, 51)),
    Rival("x265 medium", "hevc", "-c:v libx265 -preset medium -tune zerolatency -crf {q} -x265-params "
          "keyint={g}:pools=none:frame-threads=1:info=0:log-level=error", (24, 30, 36, 40, 44, 48, 51)),
    Rival("SVT-AV1 preset 9", "obu", "-c:v libsvtav1 -preset 9 -crf {q} -g {g} -svtav1-params pred-struct=1:lookahead=0:lp=1", (30, 42, 50, 54, 58, 61, 63)),
]


def some(values, count):
    """`count` of the values, spread evenly, first and last included; all of them when there are no more."""
    if not count or count >= len(values):
        return list(values)
    if count == 1:
        return [values[len(values) // 2]]
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


def command(rival, quality, raw, interval, out, frames=None):
    """The command line that codes the uncompressed clip `raw` (YUV4MPEG), or its first frames."""
    few = ["-frames:v", str(frames)] if frames else []
    return ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", raw, *few, "-threads", "1", *rival.line(quality, interval), out]


class Encoder:
    """Runs the rivals on one uncompressed clip; what does not depend on the quality is measured once."""

    def __init__(self, raw, frames, interval, folder):
        self.raw, self.frames, self.interval, self.folder = raw, frames, interval, pathlib.Path(folder)
        self._read = None
        self._start = {}

    def run(self, rival, quality):
        """(file of the elementary stream, its bytes, CPU milliseconds a frame)."""
        out = self.folder / f"rival.{rival.suffix}"
        if self._read is None:
            read = ["ffmpeg", "-v", "error", "-threads", "1", "-i", self.raw]
            self._read = [cpu.seconds([*read, *few, "-f", "null", "-"]) for few in ((), ("-frames:v", "1"))]
        if rival.name not in self._start:
            self._start[rival.name] = cpu.seconds(command(rival, quality, self.raw, self.interval, out, frames=1))
        work = cpu.seconds(command(rival, quality, self.raw, self.interval, out))
        ms = cpu.per_frame_ms(self.frames, work, self._start[rival.name], *self._read)
        return out, out.stat().st_size, ms
