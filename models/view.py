"""What an operator sees at a rate: pictures that the real elements restore against those of video codecs at the same bits.

    source ../env.sh    # gst-launch-1.0 then knows cisencode and cisdecode
    python view.py --weights WEIGHTS --vgg WHEEL --clip opencv_vtest.avi --truth opencv_vtest.gt.json --out view

Everything is compared at the size of x's content (832 pixels long by default): the source scaled down, what `cisdecode` and the codecs show at full size scaled down, the codecs' frames at half
that size scaled up. For each path a table row per quality: kbit/s of all that is sent, PSNR and SSIM of luma; two distances of the LPIPS kind, of VGG16 features (blocks 1 to 3, at half resolution:
the GAN variant of the restoration was trained with it, which flatters it) and of AlexNet features (all blocks, full resolution; no part of any training here); flicker (mean absolute error of the change from
frame to frame, grey levels); and with `--weights` AP50 of two unsplit detectors on the pictures: the teacher, whose answers the restoration was trained with as well, and YOLOX-nano, which had no part in it.
What they should find are the persons of `--truth`, or else persons, cars, buses and trucks as each of them finds them in the source. Judged from `--settle` seconds on, for an operator who looks for longer
than that; rates are of the whole. `--out` gets `NAME.json` and a contact sheet of source, each codec at the nearest rate not below, and the restored picture. ffmpeg does the codecs, in the live settings
of `benches/rate-accuracy`.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

import yardsticks
from cistrain.boxes import NOTHING
from cistrain.clips import Geometry, frames, thinned
from cistrain.elements import camera
from cistrain.judges import Finder, Judge
from cistrain.reference import Reference
from evaluate import labels
from view_tables import LIMITED, held, link

CODECS = {"x264 veryfast": ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"], **yardsticks.CODECS}
CRF = {"x264 veryfast": (28, 34, 40, 46, 51), "x265 medium": (28, 34, 40, 46, 51), "SVT-AV1 preset 9": (40, 50, 57, 63)}


def resized(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pictures of another size, (width, height)."""
    if (pictures.shape[2], pictures.shape[1]) == size:
        return pictures
    method = cv2.INTER_AREA if size[0] < pictures.shape[2] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(p, size, interpolation=method) for p in pictures])


def elements(pictures: np.ndarray, fps: float, rates: str, args) -> tuple[np.ndarray, float]:
    """Pictures [n, h, w, 3] through cisencode and cisdecode at `BASE+ENHANCEMENT` kbit/s (0: without the layer), and bytes a frame."""
    model = [f"model={args.bundle}"] if args.bundle else []
    with tempfile.TemporaryDirectory() as folder:
        source, stream, shown = (Path(folder) / name for name in ("source.rgb", "stream.cis", "shown.rgb"))
        queue = ["queue", "max-size-buffers=0", "max-size-bytes=0", "max-size-time=0"]
        pipeline = f"{camera(pictures, fps, rates, source, [f'input-size={args.input_size}', *model])} ! tee name=t"
        pipeline += f" t. ! {' '.join(queue)} ! filesink location={stream}"
        pipeline += f" t. ! {' '.join(queue)} ! {' '.join(['cisdecode', *model])} ! video/x-raw,format=RGB ! videoconvert ! video/x-raw,format=RGB ! filesink location={shown}"
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)
        row = -(-pictures.shape[2] * 3 // 4) * 4  # GStreamer's rows end on multiples of four bytes
        back = np.fromfile(shown, np.uint8).reshape(-1, pictures.shape[1], row)[..., : pictures.shape[2] * 3]
        return back.reshape(-1, *pictures.shape[1:]), stream.stat().st_size / len(pictures)


def measure(args) -> tuple[list[dict], dict[str, np.ndarray], np.ndarray]:
    """Rows, a picture of every row by its name, and the source."""
    every, fps = thinned(args.clip, args.fps)
    numbered = list(frames(args.clip, args.frames * every, every))
    pictures = np.stack([rgb for _, rgb in numbered])
    geometry = Geometry.of(pictures.shape[2], pictures.shape[1], 2 * args.input_size, 64)
    content = geometry.content
    source = resized(pictures, content)
    known = labels(args.truth) if args.truth else None
    persons = [known.get(k, NOTHING) for k, _ in numbered] if known is not None else None
    chosen = range(round(args.settle * fps), len(source), args.every)
    detectors = {"teacher": "nanodet-plus-m-1.5x", "yolox": "yolox-nano"} if args.weights else {}
    finders = {name: Finder(Reference(family, args.weights), source, chosen, persons, geometry.scale) for name, family in detectors.items()}
    judge = Judge(source, chosen, args.vgg, finders)
    rows, seen, shown = [], {}, chosen[len(chosen) * 3 // 4]

    def add(path: str, setting: str, size: float, back: np.ndarray) -> None:
        back = resized(back, content)
        row = {"path": path, "setting": setting, "kbit/s": round(size * fps * 8 / 1000, 2)} | judge(back)
        print("| " + " | ".join(str(v) for v in row.values()) + " |", flush=True)
        rows.append(row)
        seen[f"{path} {setting}"] = back[shown]

    for rates in args.rates:
        back, size = elements(pictures, fps, rates, args)
        add("cis", f"{rates} kbit/s", size, back)
    even = pictures[:, : pictures.shape[1] // 2 * 2, : pictures.shape[2] // 2 * 2]
    small = (content[0] // 4 * 2, content[1] // 4 * 2)
    for codec in args.codecs:
        command = CODECS[codec]
        yardsticks.CODECS[codec], yardsticks.SUFFIX[codec] = command, yardsticks.SUFFIX.get(codec, "h264")
        for name, given in (("full size", even), (f"{small[0]} wide", resized(even, small))):
            settings = [(f"crf {crf}", yardsticks.constant(crf)) for crf in CRF[codec]]
            settings += [(link(rate), yardsticks.limited(rate)) for rate in args.links if codec in LIMITED]
            for setting, control in settings:
                back, size = yardsticks.through(codec, control, given, fps)
                add(f"{codec}, {name}", setting, size, back)
    return rows, seen, source[shown]


def sheet(rows: list[dict], seen: dict[str, np.ndarray], source: np.ndarray) -> np.ndarray:
    """For every row of ours: source, what each codec shows at the nearest rate not below, and ours."""
    lines = []
    codecs = list(dict.fromkeys(r["path"] for r in rows[1:] if r["path"] != rows[0]["path"]))
    for ours in [r for r in rows if r["path"] == rows[0]["path"]]:
        line = [(source, "source")]
        for codec in codecs:
            points = sorted((r for r in rows if r["path"] == codec and not held(r)), key=lambda r: r["kbit/s"])
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


def told(rows: list[dict]) -> str:
    """The rows as JSON. What could not be judged, as AP where nothing is to be found, is null: JSON knows no NaN."""
    known = [{key: None if value != value else value for key, value in row.items()} for row in rows]
    return json.dumps(known, indent=1, allow_nan=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clip", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, help="the elements' own when not given")
    parser.add_argument("--truth", type=Path, help="labels of persons; needs --weights")
    parser.add_argument("--weights", type=Path, help="folder of the detectors")
    parser.add_argument("--vgg", type=Path, help="wheel of stlpips-pytorch; without it no distance of features")
    parser.add_argument("--input-size", type=int, default=416)
    parser.add_argument("--fps", type=float, default=10.0, help="frames a second that are coded, about")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--settle", type=float, default=5.0, help="seconds before anything is judged")
    parser.add_argument("--codecs", nargs="*", choices=CODECS, default=list(CODECS), help="what it is compared with")
    parser.add_argument("--links", nargs="*", type=int, default=[24, 40], help="kbit/s of links that codecs are limited to besides, by their own rate control with a buffer of one second")
    parser.add_argument("--rates", nargs="+", default=["12+0", "12+12", "12+28", "12+60"], help="kbit/s of detection + enhancement")
    args = parser.parse_args()
    if args.truth and not args.weights:
        parser.error("--truth needs --weights")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    rows, seen, source = measure(args)
    (args.out / f"{args.clip.stem}.json").write_text(told(rows))
    cv2.imwrite(str(args.out / f"{args.clip.stem}.jpg"), cv2.cvtColor(sheet(rows, seen, source), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
