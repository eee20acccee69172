"""Command line: see `rate-accuracy --help` and benches/README.md."""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from . import bench, cache, inputs, ours, report, stills

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COARSE = {"fps": 5.0, "seconds": 10.0, "every": 4, "points": 4}


def arguments():
    p = argparse.ArgumentParser(prog="rate-accuracy", description="Bits against average precision of cis and of what it is compared with: every path "
                                "coded and detected for real, all judged the same way.")
    p.add_argument("inputs", nargs="+", help="clips that ffmpeg reads, folders of pictures, or .txt files that list some, one a line")
    p.add_argument("--labels", type=pathlib.Path, help="COCO-format labels; image id = frame number from 1 (default: CLIP.gt.json beside a clip, "
                   "annotations.json in or beside a folder; without any, the teacher on the source frames is the reference)")
    p.add_argument("--teacher", type=pathlib.Path, help="ONNX file of the detector that judges source frames and rivals (not part of the project)")
    p.add_argument("--rivals", action="store_true", help="run the standard codecs and the detector on the camera too (needs --teacher)")
    p.add_argument("--coarse", action="store_true", help=f"the same as {' '.join(f'--{k} {v:g}' for k, v in COARSE.items())}, for what is not given")
    p.add_argument("--thin", type=int, help="code every n-th frame only: a camera at 1/n of the frame rate")
    p.add_argument("--fps", type=float, help="code about so many frames a second (instead of --thin)")
    p.add_argument("--seconds", type=float, help="only the first seconds of a clip")
    p.add_argument("--every", type=int, help="judge every n-th coded frame (default 3)")
    p.add_argument("--points", type=int, help="so many qualities of each rival (default: all)")
    p.add_argument("--qindex", default="24,30,36,40,44,48", help="of cis, comma separated (default %(default)s)")
    p.add_argument("--input-size", type=int, help="long side of the squeezed image, and of the rivals' smaller frames (default: the bundle's own)")
    p.add_argument("--bundle", type=pathlib.Path, help="model bundle (default: the built-in one)")
    p.add_argument("--reference-tiles", type=int, default=1, help="without labels: the teacher looks at n x n parts of the source frame too, for small objects")
    p.add_argument("--no-ours", action="store_true", help="only fill the cache with rivals")
    p.add_argument("--cache", default=cache.DEFAULT, help="where results of rivals and teacher are kept (default %(default)s)")
    p.add_argument("--no-cache", action="store_true", help="keep nothing and use nothing kept")
    p.add_argument("--fresh-cpu", action="store_true", help="encode the rivals again for their CPU time, though their results are kept")
    p.add_argument("--out", type=pathlib.Path, help="folder for NAME.json, NAME.md, NAME.svg and NAME.png of every input")
    args = p.parse_args()
    for name, value in COARSE.items():
        if args.coarse and getattr(args, name) is None and not (name == "fps" and args.thin):
            setattr(args, name, value)
    args.every = args.every or 3
    args.qindex = [int(q) for q in args.qindex.split(",")]
    args.own_bundle = args.bundle is not None
    args.bundle = ours.Bundle(args.bundle or ROOT / "models/bundles/default")
    args.input_size = args.input_size or args.bundle.input_size
    args.found = inputs.resolve(args.inputs, args.labels)
    if args.teacher is None and (args.rivals or any(item.truth is None for item in args.found)):
        p.error("--rivals, and inputs without labels, need --teacher")
    return args


def main():
    args = arguments()
    args.ffmpeg = first_line(["ffmpeg", "-version"])
    teacher = None
    if args.teacher:
        from .teacher import Teacher
        teacher = Teacher(args.teacher)
    kept = cache.Cache(None if args.no_cache else args.cache)
    for item in args.found:
        print(item.name, file=sys.stderr, flush=True)
        kind = stills.Stills if item.pictures else bench.Bench
        with tempfile.TemporaryDirectory() as folder:
            run = kind(item, args, teacher, kept, folder)
            run.run()
        found = {**run.facts(), "bundle": args.bundle.id, "input_size": args.input_size, "machine": machine(), "build": os.environ.get("CIS_PROFILE", "unknown"), "encoders": args.ffmpeg,
                 "commit": first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]), "rows": [rounded(row) for row in run.rows]}
        text = report.markdown(found)
        print(text, flush=True)
        if args.out:
            write(found, text, args.out)


def write(found, text, folder):
    from . import plot
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / pathlib.Path(found["clip"]).stem
    stem.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    stem.with_suffix(".md").write_text(text + "\n")
    for suffix in (".svg", ".png"):
        plot.curves(found, stem.with_suffix(suffix))


def rounded(row):
    """Figures to the digits that mean something."""
    return {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()}


def machine():
    with open("/proc/cpuinfo") as info:
        name = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"


def first_line(command):
    return (subprocess.run(command, capture_output=True, text=True).stdout.splitlines() or ["unknown"])[0]


if __name__ == "__main__":
    main()
