"""Measures a bundle against labels that people made: detection quality at a rate.

    python evaluate.py clip --bundle bundles/default --clip opencv_vtest.avi --truth opencv_vtest.gt.json --weights WEIGHTS
    python evaluate.py coco --bundle bundles/default --data DATA --weights WEIGHTS

Networks run in ONNX Runtime. Bytes are an estimate (cistrain/entropy.py) unless --coder names the project's own tool.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from cistrain import entropy, quantise
from cistrain.boxes import NOTHING, average_precision, of_class
from cistrain.bundle import Bundle
from cistrain.clips import frames, picture, rate_of
from cistrain.latents import dump
from cistrain.reference import Reference


def labels(path: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Frame number from 0 -> (boxes, ignore flags) of a COCO file whose image ids are frame numbers from 1."""
    held: dict[int, list] = {}
    for a in json.loads(path.read_text())["annotations"]:
        x, y, w, h = a["bbox"]
        held.setdefault(a["image_id"] - 1, []).append((x, y, x + w, y + h, a["iscrowd"]))
    table = {k: np.array(v, float) for k, v in held.items()}
    return {k: (v[:, :4], v[:, 4] > 0) for k, v in table.items()}


# How far beyond its cell, in steps, a latent must move before the symbol of the estimate changes.
MARGIN = 0.125


def code(latents: np.ndarray, fps: float, qindex: int, args, prior: str = "prior.bin") -> tuple[np.ndarray, float, str]:
    """Symbols of a clip as the receiver gets them, mean bytes of a frame, and what kind of figure that is."""
    if args.coder is None:
        symbols = quantise.sequence(latents, qindex, MARGIN)
        return symbols, entropy.clip_bits(symbols) / 8 / len(symbols), "estimated bytes"
    with tempfile.TemporaryDirectory() as folder:
        source, stream, integers = (Path(folder) / name for name in ("clip.f32", "clip.cis", "clip.i16"))
        dump(latents, source, fps)
        known = ["--prior", str(args.bundle / prior)]
        settings = ["--qindex", str(qindex), *([] if args.sticky is None else ["--sticky", str(args.sticky)])]
        subprocess.run([args.coder, "encode", *known, *settings, "--output", stream, source], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([args.coder, "decode", *known, stream, integers], check=True, stdout=subprocess.DEVNULL)
        symbols = np.fromfile(integers, "<i2").reshape(latents.shape)
        return symbols, stream.stat().st_size / len(latents), "coded bytes, headers included"


def clip(args) -> None:
    """AP50 of one class on a clip: every frame is coded, every third is judged."""
    bundle, truth = Bundle(args.bundle), labels(args.truth)
    args.input_size = args.input_size or bundle.default_size
    person = bundle.classes.index("person")
    teachers = [Reference(f, args.weights) for f in args.teachers] if args.weights else []
    latents, found = [], {t.name: [] for t in teachers}
    for number, rgb in frames(args.clip, args.frames):
        y, geometry = bundle.front(rgb, args.input_size)
        latents.append(y)
        if number % args.every == 0:
            for t in teachers:
                found[t.name].append(t.objects(rgb, person))
    latents = np.stack(latents)
    judged = range(0, len(latents), args.every)
    truth = [truth.get(k, NOTHING) for k in judged]
    print(f"{bundle.id}: {args.clip.name}, {len(latents)} frames coded, {len(judged)} judged, latents {latents.shape[1:]}")
    for name, answers in found.items():
        print(f"{name} on source frames: AP50 {average_precision(answers, truth):.3f}", flush=True)
    for qindex in args.qindex:
        symbols, size, kind = code(latents, rate_of(args.clip), qindex, args)
        answers = [bundle.objects(symbols[k], qindex, geometry, person) for k in judged]
        print(f"qindex {qindex}: AP50 {average_precision(answers, truth):.3f} at {size:.0f} {kind} a frame", flush=True)


class Stills:
    """The labelled photographs that no training sees, and a bundle's answers to them."""

    def __init__(self, data: Path, coco_ids: list[int]):
        listing = json.loads((data / "images" / "annotations.json").read_text())
        chosen = [i for i in listing["images"] if i["source"] == "coco2017_sample"]
        column = {c: k for k, c in enumerate(coco_ids)}
        held: dict[int, list] = {i["id"]: [] for i in chosen}
        for a in listing["annotations"]:
            if a["image_id"] in held and a["category_id"] in column:
                x, y, w, h = a["bbox"]
                held[a["image_id"]].append((x, y, x + w, y + h, a["iscrowd"], column[a["category_id"]]))
        self.truth = [np.array(held[i["id"]], float).reshape(-1, 6) for i in chosen]
        self.pictures = [picture(data / "images" / i["file_name"]) for i in chosen]

    def measure(self, bundle: Bundle, input_size: int, qindexes: list[int]):
        """(qindex, estimated bytes a picture, AP 0.5:0.95, AP50) with every picture coded as a key frame."""
        coded = [bundle.front(p, input_size) for p in self.pictures]
        for qindex in qindexes:
            symbols = [np.rint(y / quantise.step(qindex)).astype(np.int16) for y, _ in coded]
            size = float(np.mean([entropy.clip_bits(s[None]) / 8 for s in symbols]))
            answers = [bundle.detect(s, qindex, g) for s, (_, g) in zip(symbols, coded, strict=True)]
            yield qindex, size, *self.score(answers)

    def score(self, answers: list) -> tuple[float, float]:
        """AP (0.5:0.95) and AP50, each the mean over the classes that occur."""
        table = []
        for index in range(answers[0][1].shape[1]):
            there = [(t[t[:, 5] == index][:, :4], t[t[:, 5] == index][:, 4] > 0) for t in self.truth]
            if not any((~ignored).any() for _, ignored in there):
                continue
            found = [of_class(b, s, index) for b, s in answers]
            table.append([average_precision(found, there, o) for o in np.arange(0.5, 0.96, 0.05)])
        table = np.array(table)
        return float(table.mean()), float(table[:, 0].mean())


def coco(args) -> None:
    """AP (0.5:0.95) and AP50 over all classes on labelled stills, each coded as a key frame."""
    bundle = Bundle(args.bundle)
    args.input_size = args.input_size or bundle.default_size
    stills = Stills(args.data, bundle.manifest["classes"]["coco-ids"])
    for family in args.teachers if args.weights else ():
        teacher = Reference(family, args.weights)
        ap, ap50 = stills.score([teacher.detect(p) for p in stills.pictures])
        print(f"{family} on source pictures: AP {ap:.3f}, AP50 {ap50:.3f}", flush=True)
    for qindex, size, ap, ap50 in stills.measure(bundle, args.input_size, args.qindex):
        print(f"{bundle.id} qindex {qindex}, about {size:.0f} bytes a picture without prior: AP {ap:.3f}, AP50 {ap50:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    for function in (clip, coco):
        sub = kinds.add_parser(function.__name__, help=function.__doc__)
        sub.set_defaults(run=function)
        sub.add_argument("--bundle", type=Path, required=True)
        sub.add_argument("--weights", type=Path, help="folder of the teachers; without it only the bundle is measured")
        sub.add_argument("--teachers", nargs="+", default=["yolox-nano", "nanodet-plus-m-1.5x"], help="with --weights: descriptions of the unsplit detectors to compare with")
        sub.add_argument("--input-size", type=int, help="the bundle's own if left out")
        sub.add_argument("--qindex", type=int, nargs="+", default=[24, 28, 32, 36, 40, 44])
        if function is coco:
            sub.add_argument("--data", type=Path, required=True)
            continue
        sub.add_argument("--clip", type=Path, required=True)
        sub.add_argument("--truth", type=Path, required=True)
        sub.add_argument("--every", type=int, default=3)
        sub.add_argument("--frames", type=int, help="stop after so many")
        sub.add_argument("--sticky", type=float, help="with --coder: what a bit must save, in steps squared (the coder's default if left out)")
        sub.add_argument("--coder", type=Path, help="the tool cis-latents; bytes are estimated without it")
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
