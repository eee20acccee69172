"""Command line: see `rate-accuracy --help` and benches/README.md."""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

import numpy as np

from . import clips, ours, report, rivals, score
from .teacher import Teacher

# Detections of the teacher at least this sure are the reference where no human labelled.
SURE = 0.4


def arguments():
    p = argparse.ArgumentParser(prog="rate-accuracy", description="Bits against average precision of cis and of standard video codecs on a clip; "
                                "every path coded and detected for real, in one run.")
    p.add_argument("--clip", required=True, help="any clip that ffmpeg reads")
    p.add_argument("--labels", help="COCO-format labels, image id = frame number from 1; without it the teacher on the source frames is the reference")
    p.add_argument("--teacher", type=pathlib.Path, help="ONNX file of the detector that judges source frames and rivals (not part of the project)")
    p.add_argument("--every", type=int, default=3, help="judge every n-th frame (default 3)")
    p.add_argument("--thin", action="store_true", help="code only the judged frames (a camera at 1/n of the frame rate)")
    p.add_argument("--qindex", default="24,30,36,42,48", help="of cis, comma separated (default 24,30,36,42,48)")
    p.add_argument("--input-size", type=int, default=416, help="long side of the squeezed image (default 416)")
    p.add_argument("--bundle", type=pathlib.Path, help="model bundle (default: the built-in one)")
    p.add_argument("--rivals", action="store_true", help="run the standard codecs too (needs --teacher)")
    p.add_argument("--json", type=pathlib.Path, help="write everything here too")
    p.add_argument("--plot", type=pathlib.Path, help="write a plot here (.svg or .png)")
    args = p.parse_args()
    if args.teacher is None and (args.rivals or args.labels is None):
        p.error("--rivals, and clips without --labels, need --teacher")
    return args


class Bench:
    """One clip with its reference: judges what each path found."""

    def __init__(self, args, folder):
        self.args, self.folder = args, pathlib.Path(folder)
        self.width, self.height, rate, self.count = clips.probe(args.clip)
        self.step = args.every if args.thin else 1
        self.fps = rate / self.step
        self.judged = list(range(1, self.count + 1, args.every))
        self.interval = max(1, round(10 * self.fps))  # a key frame every 10 s, for everyone
        self.teacher = Teacher(args.teacher) if args.teacher else None
        self.source = self.folder / "source.y4m"
        clips.raw(args.clip, self.source, every=self.step)
        self.truth = clips.labels(args.labels) if args.labels else None
        self.reference = "human labels" if self.truth else f"{args.teacher.stem} on the source frames, confidence {SURE} and above (favours pixel codecs at high rates)"
        self.rows = []

    def add(self, path, found, **more):
        ap50, ap = score.average_precision(self.truth, found, self.judged)
        self.rows.append({"path": path, "ap50": ap50, "ap": ap, **more})
        print(f"{path} {more.get('setting', '')}: AP50 {ap50:.3f}" + (f", {more['kbps']:.1f} kbit/s" if "kbps" in more else ""), file=sys.stderr)

    def rate(self, sizes):
        return {"bytes": float(np.mean(sizes)), "kbps": float(np.mean(sizes) * 8 * self.fps / 1000)}

    def judge(self, path):
        """The teacher on the frames of a clip, boxes in source pixels."""
        wanted, found = set(self.judged), []
        for n, frame in enumerate(clips.frames(path)):
            image = 1 + n * self.step
            if image in wanted:
                k = self.width / frame.shape[1]
                found += [dict(d, image_id=image, bbox=[v * k for v in d["bbox"]]) for d in self.teacher.detect(frame)]
        return found

    def run_teacher(self):
        if self.teacher is None:
            print("no --teacher: the reference row is missing", file=sys.stderr)
            return
        found = self.judge(self.source)
        if self.truth is None:
            sure = [dict(d, id=i, area=d["bbox"][2] * d["bbox"][3], iscrowd=0) for i, d in enumerate(found, 1) if d["score"] >= SURE]
            self.truth = {"images": [{"id": i} for i in self.judged], "annotations": sure,
                          "categories": [{"id": c} for c in sorted({d["category_id"] for d in sure})]}
        self.add(f"{self.args.teacher.stem}, uncompressed frames", found)

    def run_ours(self):
        more = {"model": self.args.bundle} if self.args.bundle else {}
        for qindex in map(int, self.args.qindex.split(",")):
            units, camera = ours.run(self.source, qindex=qindex, input_size=self.args.input_size, key_interval=self.interval, **more)
            found = ours.detections(units, lambda unit: 1 + self.step * round(unit["pts_ns"] * self.fps / 1e9))
            self.add("cis", found, setting=f"qindex {qindex}", frames=len(units), cpu_ms=camera["encode-ms-mean"],
                     gmac=camera["front-macs"] / 1e9, **self.rate([unit["bytes"] for unit in units]))

    def run_rivals(self):
        small = self.folder / "small.y4m"
        clips.raw(self.args.clip, small, every=self.step, width=self.args.input_size)
        for rival in rivals.RIVALS:
            for raw, size in ((self.source, self.width), (small, self.args.input_size)):
                for quality in rival.qualities:
                    coded = rivals.encode(rival, quality, raw, self.interval, self.folder)
                    self.add(f"{rival.name}, {size} wide", self.judge(coded.path), setting=f"crf {quality}", cpu_ms=coded.cpu_ms, **self.rate(coded.sizes))


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, folder)
        bench.run_teacher()
        bench.run_ours()
        if args.rivals:
            bench.run_rivals()
    found = {"clip": pathlib.Path(args.clip).name, "width": bench.width, "height": bench.height, "fps": bench.fps, "frames": bench.count,
             "every": args.every, "thin": args.thin, "reference": bench.reference, "machine": machine(), "commit": commit(), "rows": bench.rows}
    print(report.markdown(found))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.plot:
        report.plot(found, args.plot)


def machine():
    with open("/proc/cpuinfo") as info:
        name = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"


def commit():
    return subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
