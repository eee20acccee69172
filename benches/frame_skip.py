"""Recall of changed frames: does `skip-threshold` skip frames in which the detector's output would change?

Each clip goes through `cisencode` without skipping, and what `cisdetect` finds in every frame is the truth. Then it is coded with each threshold. A frame
*changed* if its output differs from that of the last frame that was coded before it: a box with confidence 0.5 or more in either of the two has no counterpart
in the other, that is none of its class with confidence 0.3 or more and an IoU of 0.7 or more. The gap between 0.5 and 0.3 is hysteresis around 0.4: a score
that flutters there is no change. Recall is the share of changed frames that were coded.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import tomllib

from rate_accuracy import clips

SURE, MAYBE, SAME = 0.5, 0.3, 0.7
PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs/frame-skip.md"
HEAD = """# Frame skip

Written by `benches/frame-skip` (benches/README.md); do not edit. Bundle {bundle}, about {fps:g} frames a second of at most {seconds:g} s of each clip, real elements.

`skip-threshold` sends a frame as a repeat, before the network has cost anything, when no block of 32x32 pixels of x differs from the last coded frame by more than that mean difference. *Changed*:
frames in which the detector's output is another than in the last coded frame: a box with confidence {sure} or more in one of the two has no counterpart in the other, which is one of its class with confidence {maybe} or more and an
IoU of {same} or more. *Recall*: the share of them that was coded. *Skipped*: repeats among all frames.
The default is 0, which skips nothing; 2 is the advice for cameras that look at a still scene.

"""


def launch(*line):
    subprocess.run(["gst-launch-1.0", "-q", *line], check=True, stdout=subprocess.DEVNULL)


def iou(a, b):
    """Of two boxes x, y, width, height."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / max(a[2] * a[3] + b[2] * b[3] - both, 1e-9)


def changed(before, now):
    """Whether one list of objects says something else than the other."""
    def missing(some, others):
        return any(thing["confidence"] >= SURE and not any(
            other["class_id"] == thing["class_id"] and other["confidence"] >= MAYBE and iou(thing["box"], other["box"]) >= SAME
            for other in others) for thing in some)
    return missing(before, now) or missing(now, before)


def recall(found, coded):
    """(changed frames, those of them that were coded, frames skipped) of a stream; `found` without skipping, `coded` with it."""
    total = kept = 0
    last = 0
    for n in range(1, len(found)):
        if changed(found[last], found[n]):
            total += 1
            kept += coded[n]
        if coded[n]:
            last = n
    return total, kept, len(coded) - sum(coded)


def encode(source, stream, *properties):
    launch("filesrc", f"location={source}", "!", "y4mdec", "!", "cisencode", *properties, "!", "filesink", f"location={stream}")


def lines(stream, folder, threshold):
    out = folder / "lines.jsonl"
    launch("filesrc", f"location={stream}", "!", "cisparse", "!", "cisdetect", f"threshold={threshold}", "!", "cisjson", "stream=bench", "!",
           "filesink", f"location={out}")
    return [json.loads(line) for line in out.read_text().splitlines()]


def repeats(coder, stream, bundle, prior):
    """Whether each unit of a stream is not a repeat."""
    out = subprocess.run([coder, "decode", "--bundle", bundle, "--prior", prior, stream], check=True, capture_output=True, text=True).stdout
    return [not json.loads(line)["repeat"] for line in out.splitlines()]


def cell(total, kept, skipped, frames):
    return f"{total}, {kept / total if total else 1:.3f}, {skipped / frames:.0%}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=pathlib.Path)
    parser.add_argument("--coder", required=True, help="the tool cis-latents")
    parser.add_argument("--bundle", required=True, type=pathlib.Path, help="folder of the bundle compiled in")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[1, 2, 3, 4, 6, 10])
    parser.add_argument("--fps", type=float, default=10, help="about so many frames a second")
    parser.add_argument("--seconds", type=float, default=40, help="of each clip at most")
    parser.add_argument("--page", action="store_true", help="write docs/frame-skip.md")
    args = parser.parse_args()
    bundle = tomllib.loads((args.bundle / "manifest.toml").read_text())["id"]
    page = HEAD.format(bundle=bundle, fps=args.fps, seconds=args.seconds, sure=SURE, maybe=MAYBE, same=SAME)

    def say(line):
        nonlocal page
        page += line + "\n"
        print(line, flush=True)

    say("| clip | frames | " + " | ".join(f"{t:g}: changed, recall, skipped" for t in args.thresholds) + " |\n" + "|---" * (len(args.thresholds) + 2) + "|")
    sums = [[0, 0, 0, 0] for _ in args.thresholds]
    for clip in args.clips:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            source, stream = folder / "clip.y4m", folder / "clip.cis"
            rate = clips.probe(clip)[2]
            thin = max(1, round(rate / args.fps))
            clips.raw(clip, source, thin, round(args.seconds * rate / thin))
            encode(source, stream)
            found = [line["objects"] for line in lines(stream, folder, MAYBE)]
            cells = []
            for threshold, over_all in zip(args.thresholds, sums):
                encode(source, stream, f"skip-threshold={threshold}")
                coded = repeats(args.coder, stream, bundle, args.bundle / "prior.bin")
                if len(coded) != len(found):
                    raise SystemExit(f"{clip}: {len(coded)} frames with threshold {threshold}, {len(found)} without")
                total, kept, skipped = recall(found, coded)
                cells.append(cell(total, kept, skipped, len(coded)))
                over_all[:] = [a + b for a, b in zip(over_all, (total, kept, skipped, len(coded)))]
            say(f"| {clip.name} | {len(found)} | " + " | ".join(cells) + " |")
    say(f"| all | {sums[0][3]} | " + " | ".join(cell(*of) for of in sums) + " |")
    if args.page:
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
