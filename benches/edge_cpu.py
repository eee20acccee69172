"""Processor time that one frame costs the camera: `cisencode` against x264 in live settings, on the same raw frames.

Each path runs as a process of its own over frames that were decoded beforehand; what counts is the processor time that the
kernel charges to the process (user and system, all its threads), so neither waiting nor other work on the machine is in it.
Start-up is taken off by running each path over few and over many frames, and the cost of reading the frames by a path without
an encoder. The paths take turns, round after round; the least and the median of the rounds are reported.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
from pathlib import Path

FEW = 10
SOURCE = "source"
CIS = "cisencode"
STAGES = ("prepare", "front", "code")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", required=True, help="any file that GStreamer plays")
    parser.add_argument("--size", default="1280x720", help="frames are scaled to this beforehand")
    parser.add_argument("--format", default="I420", help="raw format that the encoders get; x264 takes I420 and NV12")
    parser.add_argument("--frames", type=int, default=100, help="frames of the long run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cis", action="append", help="properties of cisencode; may be given several times (default: none)")
    parser.add_argument("--x264", action="append", help="further properties of x264enc; may be given several times "
                        "(default: quantisers 26 and 36)")
    parser.add_argument("--core", type=int, help="run everything on this core")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def decode(clip, size, form, frames, folder):
    """Raw frames of the clip in a file; returns (file, bytes of a frame, frames)."""
    width, height = map(int, size.split("x"))
    raw = Path(folder) / "frames.raw"
    line = (f"filesrc location={clip} ! decodebin ! videoconvert ! videoscale ! "
            f"video/x-raw,format={form},width={width},height={height},pixel-aspect-ratio=1/1 ! "
            f"identity eos-after={frames + 1} ! filesink location={raw}")
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True)
    # Sides that are multiples of 4 leave no padding in these formats.
    size = width * height * 3 // 2 if form in ("I420", "NV12") else width * height * {"YUY2": 2, "RGB": 3, "BGR": 3}.get(form, 4)
    found = raw.stat().st_size // size
    if found < 2 * FEW:
        raise SystemExit(f"{clip} has {found} frames: {2 * FEW} or more are needed")
    return raw, size, min(found, frames)


def run(raw, size, count, args, encoder):
    """Runs a path; returns (processor time in ms, the log)."""
    width, height = args.size.split("x")
    line = (f"filesrc location={raw} blocksize={size} num-buffers={count} ! "
            f"rawvideoparse format={args.format.lower()} width={width} height={height} framerate=25/1 ! "
            f"{encoder + ' ! ' if encoder else ''}fakesink")
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(["gst-launch-1.0", "-m", *line.split()], stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        text = log.read()
    if process.returncode != 0:
        raise SystemExit(f"{line} failed:\n{text[-2000:]}")
    return (used.ru_utime + used.ru_stime) * 1e3, text


def stages(log):
    """Mean processor time of a frame in each stage of cisencode, from its message at the end of the stream."""
    found = re.search(r"cisencode-stats, (.*?);", log)
    return {stage: float(re.search(rf"\b{stage}-cpu-ms-mean=\(double\)([0-9.e+-]+)", found[1])[1]) for stage in STAGES}


def main():
    args = arguments()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    paths = {SOURCE: ""}
    for properties in args.cis or [""]:
        paths[f"{CIS} {properties}".strip()] = f"cisencode {properties}"
    for properties in args.x264 or ["pass=quant quantizer=26", "pass=quant quantizer=36"]:
        name = f"x264 veryfast zerolatency, 1 thread, {properties}"
        paths[name] = f"x264enc speed-preset=veryfast tune=zerolatency threads=1 {properties}"
    costs, inner = {name: [] for name in paths}, {name: [] for name in paths}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        raw, size, frames = decode(args.clip, args.size, args.format, args.frames, folder)
        for _ in range(args.rounds):
            for name, encoder in paths.items():
                few, _ = run(raw, size, FEW, args, encoder)
                many, log = run(raw, size, frames, args, encoder)
                costs[name].append((many - few) / (frames - FEW))
                if name.startswith(CIS):
                    inner[name].append(stages(log))
    report = {"clip": Path(args.clip).name, "size": args.size, "format": args.format, "frames": frames, "rounds": args.rounds, "paths": []}
    source = min(costs[SOURCE]), statistics.median(costs[SOURCE])
    print(f"{report['clip']}, {args.size} {args.format}, {frames} frames, {args.rounds} rounds; ms of processor time a frame; "
          f"reading a frame ({source[0]:.2f}) is taken off\n")
    print("| path | least | median | of it: prepare / front / code (its thread, least) |\n|---|---|---|---|")
    for name, values in costs.items():
        if name == SOURCE:
            continue
        least, median = min(values) - source[0], statistics.median(values) - source[1]
        row = {"path": name, "least_ms": round(least, 3), "median_ms": round(median, 3)}
        split = ""
        if inner[name]:
            row["stages_ms"] = {stage: round(min(mean[stage] for mean in inner[name]), 3) for stage in STAGES}
            split = " / ".join(f"{value:.2f}" for value in row["stages_ms"].values())
        report["paths"].append(row)
        print(f"| {name} | {least:.2f} | {median:.2f} | {split} |")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
