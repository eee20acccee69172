"""What each part of the method brings: the same short training with one thing changed, measured on the same clip.

    python ablations.py --data DATA --weights WEIGHTS --start start.pt --sharper sharper.json --minutes 6 --clip opencv_vtest.avi --truth opencv_vtest.gt.json --out ablations

Every row trains from the same start with the same material, seed and time, is exported without a prior, and coded with the estimate of `cistrain/entropy.py`: compare rows
only. A row that is there already is kept, so that a stopped run goes on. Writes `ablations.json` and prints a table.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from cistrain import entropy, quantise
from cistrain.boxes import average_precision
from cistrain.bundle import Bundle
from cistrain.clips import frames
from cistrain.data import Material, Pairs
from cistrain.export import load, write_graphs, write_manifest
from cistrain.train import Schedule, Trainer, run
from evaluate import NOTHING, labels

ROWS = {
    "everything": {},
    "plain 2x down-scaling instead of learned squeezing": {"frozen": "squeeze"},
    "back-end frozen": {"frozen": "back"},
    "no rate term": {"rate_weight": 0.0},
    "no training (start values)": {"minutes": 0.0},
}


def train(args, changes: dict, folder: Path) -> Path:
    """A bundle trained with some settings changed."""
    schedule = Schedule(**{"minutes": args.minutes, "pairs": args.pairs, "size": args.size, "rate_weight": args.rate_weight, **changes})
    torch.manual_seed(0)
    trainer = Trainer(torch.load(args.start), args.weights, schedule)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(trainer.averaged(), folder / "model.pt")
    if schedule.minutes:
        run(trainer, Pairs(Material.load(args.data, args.sharper, trainer.family.squeeze), schedule.size, 0, schedule.clip_share), folder)
    front, detect, restore = load(folder / "model.pt", None, args.weights)
    write_graphs(front, detect, restore, folder / "bundle")
    (folder / "bundle" / "prior.bin").write_bytes(b"")
    write_manifest(folder / "bundle", detect.family, "ablation", "0", "ablation", "ablations.py")
    return folder / "bundle"


def measure(args, folder: Path) -> list[dict]:
    """AP50 of persons and estimated bytes a frame at each qindex."""
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
    return curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "weights", "start", "clip", "truth", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--sharper", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--rate-weight", type=float, default=0.014)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--qindex", type=int, nargs="+", default=[32, 38, 42, 45, 48])
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "ablations.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    for name, changes in ROWS.items():
        if name not in table:
            folder = args.out / name.split(" (")[0].replace(" ", "-")
            table[name] = measure(args, train(args, changes, folder))
            path.write_text(json.dumps(table, indent=1) + "\n")
        print(f"| {name} | " + " | ".join(f"{p['ap50']:.3f} @ {p['bytes']:.0f}" for p in table[name]) + " |", flush=True)


if __name__ == "__main__":
    main()
