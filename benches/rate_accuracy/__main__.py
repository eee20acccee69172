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

from . import clips, ours, score
from .teacher import Teacher


def arguments():
    p = argparse.ArgumentParser(prog="rate-accuracy", description="Bytes against average precision of cis on a labelled clip, through the "
                                "real elements; the reference detector on the uncompressed frames beside it.")
    p.add_argument("--clip", required=True, help="any clip that ffmpeg reads")
    p.add_argument("--labels", required=True, help="COCO-format labels; image id = frame number from 1")
    p.add_argument("--every", type=int, default=3, help="judge every n-th frame (default 3)")
    p.add_argument("--qindex", default="24,32,40,48", help="comma separated (default 24,32,40,48)")
    p.add_argument("--input-size", type=int, default=416, help="long side of the squeezed image (default 416)")
    p.add_argument("--teacher", type=pathlib.Path, help="ONNX file of the reference detector; without it the row is left out, loudly")
    p.add_argument("--thin", action="store_true", help="code only the judged frames (a camera at 1/n of the frame rate)")
    p.add_argument("--json", type=pathlib.Path, help="write the rows here too")
    return p.parse_args()


def main():
    args = arguments()
    truth = clips.labels(args.labels)
    width, height, rate, count = clips.probe(args.clip)
    judged = list(range(1, count + 1, args.every))
    rows = []
    if args.teacher:
        teacher = Teacher(args.teacher)
        found = [dict(d, image_id=i) for i, f in enumerate(clips.frames(args.clip), 1) if i in set(judged) for d in teacher.detect(f)]
        ap50, ap = score.average_precision(truth, found, judged)
        rows.append({"path": f"{args.teacher.stem}, uncompressed frames", "ap50": ap50, "ap": ap})
    else:
        print("no --teacher given: the reference row is missing", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        clip, step, fps = args.clip, 1, rate
        if args.thin:
            clip, step, fps = pathlib.Path(folder) / "thin.y4m", args.every, rate / args.every
            clips.every_nth(args.clip, args.every, clip)
        for qindex in map(int, args.qindex.split(",")):
            units, camera = ours.run(clip, qindex=qindex, input_size=args.input_size)
            found = ours.detections(units, lambda unit: 1 + step * round(unit["pts_ns"] * fps / 1e9))
            ap50, ap = score.average_precision(truth, found, judged)
            size = np.array([unit["bytes"] for unit in units])
            rows.append({"path": f"cis, qindex {qindex}", "ap50": ap50, "ap": ap, "frames": len(units), "bytes": float(size.mean()),
                         "kbps": float(size.mean() * 8 * fps / 1000), "encode_ms": camera["encode-ms-mean"]})
    report = {"clip": pathlib.Path(args.clip).name, "size": [width, height], "fps": rate, "frames": count, "every": args.every, "thin": args.thin,
              "machine": machine(), "commit": commit(), "rows": rows}
    print(markdown(report))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


def machine():
    name = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"


def commit():
    return subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()


def markdown(report):
    coded = f"every {report['every']}. frame coded and judged" if report["thin"] else f"all frames coded, every {report['every']}. judged"
    lines = [f"{report['clip']}: {report['size'][0]}x{report['size'][1]}, {report['fps']:g} fps, {report['frames']} frames; {coded}; {report['machine']}; {report['commit']}",
             "", "| path | AP50 | AP50:95 | bytes a frame | kbit/s | camera ms a frame |", "|---|---|---|---|---|---|"]
    for r in report["rows"]:
        sent = f"{r['bytes']:.0f} | {r['kbps']:.1f} | {r['encode_ms']:.1f}" if "bytes" in r else "- | - | -"
        lines.append(f"| {r['path']} | {r['ap50']:.3f} | {r['ap']:.3f} | {sent} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
