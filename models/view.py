"""What an operator sees at a rate: restored pictures against those of video codecs at the same bits.

    python view.py --weights WEIGHTS --bundle BUNDLE --coder .../cis-latents --vgg WHEEL --clip opencv_vtest.avi --truth opencv_vtest.gt.json --out view

Everything is compared at the size of x's content (832 pixels long by default): the source scaled down, the codecs' frames at full size and at the squeezed image's scaled to it. For
each path a table row per quality (`--enhancement` adds the enhancement layer at these qindex, on top of the coarsest base): kbit/s, PSNR and SSIM of luma, distance of VGG16 features (LPIPS weights, blocks 1 to 3, at half resolution: the restoration was trained with it, which flatters it),
flicker (mean absolute error of the change from frame to frame, grey levels), and with `--truth` person AP50 of the unsplit teacher on the pictures. `--out` gets `view.json` and a contact sheet of source, the codec
nearest in rate, and the restored picture. ffmpeg does the coding, in the live settings of `benches/rate-accuracy`.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch

from cistrain.boxes import average_precision
from cistrain.bundle import Bundle
from cistrain.clips import frames, rate_of
from cistrain.perception import Perceptual
from cistrain.reference import Reference
from evaluate import NOTHING, code, labels
from yardsticks import CODECS, through

CRF = {"x265 medium": (28, 34, 40, 46, 51), "SVT-AV1 preset 9": (40, 50, 57, 63)}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise ratio in dB of two pictures of bytes, at most 99."""
    error = np.square(a.astype(np.float64) - b).mean()
    return 99.0 if error == 0 else min(99.0, 10 * np.log10(255**2 / error))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two grey pictures of bytes (Wang et al. 2004: Gaussian window of 11 pixels, sigma 1.5)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    blur = lambda v: cv2.GaussianBlur(v, (11, 11), 1.5)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def luma(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


class Judge:
    """Compares pictures with the source's."""

    def __init__(self, source: np.ndarray, perceptual: Perceptual | None, truth: list | None, scale: float, teacher: Reference | None, every: int):
        self.source, self.perceptual, self.truth, self.scale, self.teacher, self.every = source, perceptual, truth, scale, teacher, every
        self.grey = [luma(s) for s in source]

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> dict:
        chosen = range(0, len(pictures), self.every)
        grey = [luma(p) for p in pictures]
        scores = {"psnr": np.mean([psnr(grey[k], self.grey[k]) for k in chosen]), "ssim": np.mean([ssim(grey[k], self.grey[k]) for k in chosen])}
        change = lambda g, k: g[k + 1].astype(int) - g[k]
        scores["flicker"] = np.mean([np.abs(change(grey, k) - change(self.grey, k)).mean() for k in chosen if k + 1 < len(grey)])
        if self.perceptual is not None:
            tensor = lambda rgb: torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float()
            scores["vgg"] = np.mean([float(self.perceptual(tensor(pictures[k]), tensor(self.source[k]))) for k in chosen])
        if self.truth is not None:
            found = [self.teacher.objects(pictures[k], 0) for k in chosen]
            scores["ap50"] = average_precision([(b / self.scale, s) for b, s in found], [self.truth[k] for k in chosen])
        return {k: round(float(v), 4) for k, v in scores.items()}


def resized(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pictures of another size, (width, height)."""
    if (pictures.shape[2], pictures.shape[1]) == size:
        return pictures
    method = cv2.INTER_AREA if size[0] < pictures.shape[2] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(p, size, interpolation=method) for p in pictures])


def measure(args) -> tuple[list[dict], dict[str, np.ndarray], np.ndarray]:
    """Rows, some pictures of every row by its name, and the source."""
    bundle, fps, latents, source = Bundle(args.bundle), rate_of(args.clip), [], []
    pictures = [rgb for _, rgb in frames(args.clip, args.frames)]
    for rgb in pictures:
        y, geometry = bundle.front(rgb, args.input_size)
        latents.append(y)
        source.append(cv2.resize(rgb, geometry.content, interpolation=cv2.INTER_AREA if geometry.scale < 1 else cv2.INTER_LINEAR))
    latents, source = np.stack(latents), np.stack(source)
    even = source[:, : source.shape[1] // 2 * 2, : source.shape[2] // 2 * 2]
    known = labels(args.truth) if args.truth else None
    truth = [known.get(k, NOTHING) for k in range(len(source))] if known is not None else None
    teacher = Reference("nanodet-plus-m-1.5x", args.weights) if known is not None else None
    judge = Judge(source, Perceptual(args.vgg) if args.vgg else None, truth, geometry.scale, teacher, args.every)
    rows, seen, middle = [], {}, len(source) // 2

    def add(path: str, setting: str, size: float, pictures: np.ndarray) -> None:
        row = {"path": path, "setting": setting, "kbit/s": round(size * fps * 8 / 1000, 2)} | judge(pictures)
        print("| " + " | ".join(str(v) for v in row.values()) + " |", flush=True)
        rows.append(row)
        seen[f"{path} {setting}"] = pictures[middle]

    for qindex in args.qindex:
        symbols, size, _ = code(latents, fps, qindex, args)
        bundle.forget()
        add(bundle.id, f"qindex {qindex}", size, np.stack([bundle.restore(s, qindex, geometry) for s in symbols]))
    layer = np.stack([bundle.enhance(rgb, args.input_size, s, qindex) for rgb, s in zip(pictures, symbols, strict=True)]) if args.enhancement else None
    for finer in args.enhancement:
        more, extra, _ = code(layer, fps, finer, args, "enhance-prior.bin")
        bundle.forget()
        add(bundle.id, f"qindex {qindex} + {finer}", size + extra, np.stack([bundle.restore(s, qindex, geometry, (z, finer)) for s, z in zip(symbols, more, strict=True)]))
    small = (even.shape[2] // 4 * 2, even.shape[1] // 4 * 2)
    for codec in CODECS:
        for name, pictures in ((f"{even.shape[2]} wide", even), (f"{small[0]} wide", resized(even, small))):
            for crf in CRF[codec]:
                back, size = through(codec, crf, pictures, fps)
                add(f"{codec}, {name}", f"crf {crf}", size, resized(back, (source.shape[2], source.shape[1])))
    return rows, seen, source[middle]


def sheet(rows: list[dict], seen: dict[str, np.ndarray], source: np.ndarray) -> np.ndarray:
    """For every row of ours: source, what each codec shows at the nearest rate not below, and ours."""
    lines = []
    codecs = list(dict.fromkeys(r["path"] for r in rows[1:] if r["path"] != rows[0]["path"]))
    for ours in [r for r in rows if r["path"] == rows[0]["path"]]:
        line = [(source, "source")]
        for codec in codecs:
            points = sorted((r for r in rows if r["path"] == codec), key=lambda r: r["kbit/s"])
            enough = [r for r in points if r["kbit/s"] >= ours["kbit/s"]]
            line.append((enough or points[-1:])[0])
        line = [line[0]] + [(seen[f"{r['path']} {r['setting']}"], f"{r['path']}: {r['kbit/s']:.0f} kbit/s") for r in [*line[1:], ours]]
        lines.append(np.concatenate([_named(p, text) for p, text in line], 1))
    return np.concatenate(lines)


def _named(picture: np.ndarray, text: str) -> np.ndarray:
    made = picture.copy()
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(made, text, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, width, cv2.LINE_AA)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("bundle", "coder", "clip", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--truth", type=Path, help="labels of persons; needs --weights")
    parser.add_argument("--weights", type=Path, help="folder of the teacher")
    parser.add_argument("--vgg", type=Path, help="wheel of stlpips-pytorch; without it no distance of features")
    parser.add_argument("--input-size", type=int, default=416)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--qindex", type=int, nargs="+", default=[24, 32, 40])
    parser.add_argument("--enhancement", type=int, nargs="*", default=[])
    args = parser.parse_args()
    if args.truth and not args.weights:
        parser.error("--truth needs --weights")
    args.sticky = None
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    rows, seen, source = measure(args)
    (args.out / "view.json").write_text(json.dumps(rows, indent=1) + "\n")
    cv2.imwrite(str(args.out / "sheet.jpg"), cv2.cvtColor(sheet(rows, seen, source), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
