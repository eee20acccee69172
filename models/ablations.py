"""What each part of the method brings: the same short training with one thing changed, measured on the same clip and stills.

    python ablations.py --data DATA --weights WEIGHTS --start start.pt --sharper sharper.json --clip opencv_vtest.avi --truth opencv_vtest.gt.json --out ablations

Every row trains from the same start with the same material, seed and number of steps, is exported without a prior, and coded with the estimate of
`cistrain/entropy.py`: compare rows only. A row that is there already is kept, so that a stopped run goes on. Writes `ablations.json` and prints a table.
"""

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from cistrain import entropy, quantise
from cistrain.boxes import average_precision
from cistrain.bundle import Bundle
from cistrain.clips import frames
from cistrain.data import Material, Pairs
from cistrain.export import load, write_graphs, write_manifest
from cistrain.families import Family
from cistrain.networks import Detect, Front
from cistrain.ratemodel import RateModel
from cistrain.train import Schedule, Trainer, run
from evaluate import NOTHING, Stills, labels


@dataclass
class Row:
    """One thing changed: in the schedule, or in the networks. `trained` is off for the start values."""

    schedule: dict = field(default_factory=dict)
    family: dict = field(default_factory=dict)
    trained: bool = True


ROWS = {
    "everything": Row(),
    "plain 2x down-scaling instead of learned squeezing": Row({"frozen": "squeeze"}),
    "back-end frozen": Row({"frozen": "back"}),
    "no rate term": Row({"rate_weight": 0.0}),
    "48 latents": Row(family={"latents": 48}),
    "squeezing by 4": Row(family={"squeeze": 4}),
    "no training (start values)": Row(trained=False),
}


def changed(state: dict, weights: Path, changes: dict) -> dict:
    """The start for another number of latents (the leading components stay) or another squeezing factor (plain down-scaling again)."""
    family = replace(Family.of(state["family"]), **changes)
    fresh = {"front": Front(family, weights).state_dict(), "detect": Detect(family, weights).state_dict()}
    for part, table in fresh.items():
        for key, into in table.items():
            if not key.startswith("squeeze_picture."):
                into.copy_(state[part][key][tuple(slice(0, n) for n in into.shape)])
    return {**state, **fresh, "family": family.table(), "rate": RateModel(family.latents).state_dict()}


def train(args, row: Row, folder: Path) -> Path:
    """A bundle trained with one thing changed."""
    schedule = Schedule(**{"steps": args.steps, "pairs": args.pairs, "size": args.size, "rate_weight": args.rate_weight, **row.schedule})
    torch.manual_seed(0)
    state = torch.load(args.start)
    if row.family:
        state = changed(state, args.weights, row.family)
    trainer = Trainer(state, args.weights, schedule)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(trainer.averaged(), folder / "model.pt")
    if row.trained:
        squeeze = trainer.family.squeeze
        material = Material.load(args.data, args.sharper if squeeze == 2 else None, squeeze)
        run(trainer, Pairs(material, schedule.size * squeeze // 2, 0, schedule.clip_share), folder)
    networks = load(folder / "model.pt", None, args.weights)
    write_graphs(*networks, folder / "bundle")
    (folder / "bundle" / "prior.bin").write_bytes(b"")
    write_manifest(folder / "bundle", networks[1].family, "ablation", "0", "ablation", "ablations.py")
    return folder / "bundle"


def measure(args, folder: Path) -> dict:
    """AP50 of persons and estimated bytes a frame at each qindex, and AP and bytes of stills."""
    bundle, truth = Bundle(folder), labels(args.truth)
    person, latents = bundle.classes.index("person"), []
    for _, rgb in frames(args.clip, args.frames):
        y, geometry = bundle.front(rgb, 416)
        latents.append(y)
    latents, curve = np.stack(latents), []
    judged = range(0, len(latents), 3)
    for qindex in args.qindex:
        symbols = quantise.sequence(latents, qindex, 0.125)
        answers = [bundle.objects(symbols[k], qindex, geometry, person) for k in judged]
        score = average_precision(answers, [truth.get(k, NOTHING) for k in judged])
        curve.append({"qindex": qindex, "ap50": round(score, 4), "bytes": round(entropy.clip_bits(symbols) / 8 / len(symbols), 1)})
    stills = Stills(args.data, bundle.manifest["classes"]["coco-ids"]).measure(bundle, 416, args.still_qindex)
    return {"clip": curve, "stills": [{"qindex": q, "ap": round(ap, 4), "bytes": round(size, 1)} for q, size, ap, _ in stills]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "weights", "start", "clip", "truth", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--sharper", type=Path)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=320, help="of a crop at squeezing factor 2")
    parser.add_argument("--rate-weight", type=float, default=0.014)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--qindex", type=int, nargs="+", default=[32, 38, 42, 45, 48])
    parser.add_argument("--still-qindex", type=int, nargs="+", default=[16, 36])
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "ablations.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    for name, row in ROWS.items():
        if name not in table:
            folder = args.out / name.split(" (")[0].replace(" ", "-")
            table[name] = measure(args, train(args, row, folder))
            path.write_text(json.dumps(table, indent=1) + "\n")
        points = [f"{p['ap50']:.3f} @ {p['bytes']:.0f}" for p in table[name]["clip"]] + [f"{p['ap']:.3f} @ {p['bytes']:.0f}" for p in table[name]["stills"]]
        print(f"| {name} | " + " | ".join(points) + " |", flush=True)


if __name__ == "__main__":
    main()
