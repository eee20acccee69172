"""Other ways to save bits, measured beside the codec on a clip with labels: fewer frames with boxes in between, and video codecs around the same networks.

    python yardsticks.py --model MODEL.pt --weights WEIGHTS --bundle BUNDLE --coder .../cis-latents --clip opencv_vtest.avi --truth opencv_vtest.gt.json

    every frame / 2nd / 3rd   only those frames are coded; the boxes in between are those of the last coded frame (`held`: no delay), or lie between the matched boxes
                              of its neighbours (`interpolated`: as late as the next coded frame)
    N channels                only the N channels of y with most energy in this clip, the others are zero: what a cut-off could save at best
    x_s in CODEC              the squeezed picture through a video codec, then the rest of the front, unquantised, and the back-end
    latents in CODEC          latents as tiles of a grey picture through a video codec

Person AP50 on every `--every`-th frame, bytes a source frame. ffmpeg does the coding, in the live settings of `benches/rate-accuracy`.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from cistrain.boxes import average_precision, iou
from cistrain.bundle import Bundle
from cistrain.clips import frames, rate_of, to_x
from cistrain.export import load
from evaluate import NOTHING, code, labels

CODECS = {
    "x265 medium": ["-c:v", "libx265", "-preset", "medium", "-tune", "zerolatency", "-x265-params", "log-level=error:pools=none:frame-threads=1:info=0"],
    "SVT-AV1 preset 9": ["-c:v", "libsvtav1", "-preset", "9", "-svtav1-params", "pred-struct=1:lookahead=0:lp=1"],
}
SUFFIX = {"x265 medium": "hevc", "SVT-AV1 preset 9": "obu"}
CRF = {"x265 medium": (20, 28, 34, 40, 46), "SVT-AV1 preset 9": (30, 40, 50, 57, 63)}
GREY = 12.0  # grey levels of a unit of latent: about ten units either way fit


def between(first: tuple, second: tuple, share: float, least: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and scores at `share` (0 to 1) of the way from one frame's to another's. Boxes without a partner stay for their half of the way."""
    (a, p), (b, q) = first, second
    if not len(a) or not len(b):
        return first if share < 0.5 else second
    overlap = iou(a, b)
    rows, columns = linear_sum_assignment(-overlap)
    good = overlap[rows, columns] >= least
    rows, columns = rows[good], columns[good]
    boxes = [(1 - share) * a[rows] + share * b[columns]]
    scores = [(1 - share) * p[rows] + share * q[columns]]
    boxes_left, scores_left, taken = (a, p, rows) if share < 0.5 else (b, q, columns)
    alone = np.setdiff1d(np.arange(len(boxes_left)), taken)
    return np.concatenate([*boxes, boxes_left[alone]]), np.concatenate([*scores, scores_left[alone]])


def strongest(latents: np.ndarray, kept: int) -> np.ndarray:
    """Latents [frames, c, h, w] with all but the `kept` channels of most energy at zero."""
    energy = (latents.astype(np.float64) ** 2).sum((0, 2, 3))
    cut = latents.copy()
    cut[:, np.argsort(-energy, kind="stable")[kept:]] = 0
    return cut


def spread(coded: list, count: int, apart: int, interpolated: bool) -> list:
    """Answers of `count` frames from those of every `apart`-th one."""
    made = []
    for k in range(count):
        i, rest = divmod(k, apart)
        last = coded[i]
        following = coded[i + 1] if i + 1 < len(coded) else last
        made.append(between(last, following, rest / apart) if interpolated and rest else last)
    return made


def tiles(latents: np.ndarray) -> np.ndarray:
    """[frames, c, h, w] -> grey pictures [frames, rows * h, columns * w] with even sides."""
    n, c, h, w = latents.shape
    rows, columns = _grid(c, h, w)
    full = np.zeros((n, rows * columns, h, w), np.float32)
    full[:, :c] = latents
    grey = np.clip(np.rint(128 + GREY * full), 0, 255).astype(np.uint8)
    grey = grey.reshape(n, rows, columns, h, w).transpose(0, 1, 3, 2, 4).reshape(n, rows * h, columns * w)
    return np.pad(grey, ((0, 0), (0, -rows * h % 2), (0, -columns * w % 2)), mode="edge")


def untiled(grey: np.ndarray, shape: tuple) -> np.ndarray:
    """The inverse of `tiles` for latents of that shape."""
    n, c, h, w = shape
    rows, columns = _grid(c, h, w)
    parts = grey[:, : rows * h, : columns * w].reshape(n, rows, h, columns, w).transpose(0, 1, 3, 2, 4)
    return (parts.reshape(n, rows * columns, h, w)[:, :c].astype(np.float32) - 128) / GREY


def _grid(c: int, h: int, w: int) -> tuple[int, int]:
    """Rows and columns of a picture of c tiles that is about square."""
    columns = int(np.ceil(np.sqrt(c * h / w)))
    return -(-c // columns), columns


def constant(crf: int) -> list[str]:
    """ffmpeg's options for constant quality."""
    return ["-crf", str(crf)]


def limited(rate: int) -> list[str]:
    """ffmpeg's options for a link of `rate` kbit/s, of which no second has more."""
    return ["-b:v", f"{rate}k", "-maxrate", f"{rate}k", "-bufsize", f"{rate}k"]


def through(codec: str, control: list[str], pictures: np.ndarray, fps: float) -> tuple[np.ndarray, float]:
    """Pictures (grey [n, h, w] or RGB [n, h, w, 3]) as a video codec gives them back under that rate control, and bytes a frame."""
    grey = pictures.ndim == 3
    raw = ["-f", "rawvideo", "-pix_fmt", "gray" if grey else "rgb24"]
    size = ["-s", f"{pictures.shape[2]}x{pictures.shape[1]}", "-r", str(fps)]
    run = lambda arguments, data=None: subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], input=data, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/stream.{SUFFIX[codec]}"
        gop = ["-g", str(round(10 * fps)), "-pix_fmt", "yuv420p", "-threads", "1", *control]
        run([*raw, *size, "-i", "-", *CODECS[codec], *gop, path], pictures.tobytes())
        back = run(["-i", path, *raw, "-"])
        return np.frombuffer(back, np.uint8).reshape(pictures.shape), Path(path).stat().st_size / len(pictures)


class Yardstick:
    """A clip, its labels, and the networks."""

    def __init__(self, args):
        self.args, self.bundle, self.fps = args, Bundle(args.bundle), rate_of(args.clip)
        self.front, *_ = load(args.model, None, args.weights)
        manifest, latents, squeezed = self.bundle.manifest["input"], [], []
        for _, rgb in frames(args.clip, args.frames):
            y, self.geometry = self.bundle.front(rgb, args.input_size)
            latents.append(y)
            x = torch.from_numpy(to_x(rgb, manifest["squeeze"] * args.input_size, manifest["multiple"])[0])
            with torch.no_grad():
                seen = self.front.squeeze_picture(x.permute(2, 0, 1)[None].float())
            squeezed.append(seen[0].round().clamp(0, 255).permute(1, 2, 0).byte().numpy())
        self.latents, self.squeezed = np.stack(latents), np.stack(squeezed)
        known = labels(args.truth)
        self.judged = range(0, len(latents), args.every)
        self.truth = [known.get(k, NOTHING) for k in self.judged]
        self.person = self.bundle.classes.index("person")

    def answers(self, latents: np.ndarray) -> list:
        """Persons found in dequantised latents of judged frames."""
        zero = 32  # the index whose step is 1
        return [self.bundle.objects(latents[k], zero, self.geometry, self.person) for k in self.judged]

    def report(self, name: str, points: list[tuple[float, float]]) -> None:
        print(f"| {name} | " + " | ".join(f"{ap:.3f} @ {size:.0f}" for ap, size in points) + " |", flush=True)

    def fewer(self, apart: int) -> None:
        held, interpolated = [], []
        for qindex in self.args.qindex:
            symbols, size, _ = code(self.latents[::apart], self.fps / apart, qindex, self.args)
            coded = [self.bundle.objects(s, qindex, self.geometry, self.person) for s in symbols]
            for points, smooth in ((held, False), (interpolated, True)):
                every = spread(coded, len(self.latents), apart, smooth)
                points.append((average_precision([every[k] for k in self.judged], self.truth), size * len(symbols) / len(self.latents)))
        if apart == 1:
            self.report("every frame", held)
        else:
            self.report(f"1 frame of {apart}, held", held)
            self.report(f"1 frame of {apart}, interpolated", interpolated)

    def cut(self, kept: int) -> None:
        points, latents = [], strongest(self.latents, kept)
        for qindex in self.args.qindex:
            symbols, size, _ = code(latents, self.fps, qindex, self.args)
            found = {k: self.bundle.objects(symbols[k], qindex, self.geometry, self.person) for k in self.judged}
            points.append((average_precision([found[k] for k in self.judged], self.truth), size))
        self.report(f"{kept} of {latents.shape[1]} channels", points)

    @torch.no_grad()
    def picture(self, codec: str) -> None:
        points = []
        for crf in CRF[codec]:
            back, size = through(codec, constant(crf), self.squeezed, self.fps)
            latents = {}
            for k in self.judged:
                x_s = torch.from_numpy(back[k].copy()).permute(2, 0, 1)[None].float()
                latents[k] = self.front.squeeze(self.front.trunk(self.front.normalise(x_s)))[0].numpy()
            points.append((average_precision(self.answers(latents), self.truth), size))
        self.report(f"x_s in {codec}", points)

    def tiled(self, codec: str) -> None:
        points = []
        for crf in CRF[codec]:
            back, size = through(codec, constant(crf), tiles(self.latents), self.fps)
            points.append((average_precision(self.answers(untiled(back, self.latents.shape)), self.truth), size))
        self.report(f"latents in {codec}", points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "weights", "bundle", "coder", "clip", "truth"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--input-size", type=int, default=416)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--every", type=int, default=5, help="not a multiple of 2 or 3, or frames in between are not judged")
    parser.add_argument("--qindex", type=int, nargs="+", default=[36, 40, 44, 46, 48])
    parser.add_argument("--part", nargs="+", choices=("fewer", "cut", "codecs"), default=["fewer", "cut", "codecs"], help="what to measure (all of it)")
    args = parser.parse_args()
    args.sticky = None
    torch.set_num_threads(1)
    yardstick = Yardstick(args)
    for apart in (1, 2, 3) if "fewer" in args.part else ():
        yardstick.fewer(apart)
    for share in (1.0, 0.8, 0.6, 0.4) if "cut" in args.part else ():
        yardstick.cut(round(share * yardstick.latents.shape[1]))
    for codec in CODECS if "codecs" in args.part else ():
        yardstick.picture(codec)
        yardstick.tiled(codec)


if __name__ == "__main__":
    main()
