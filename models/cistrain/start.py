"""Makes the untrained model: sensitivity-weighted PCA of the teacher's features, written as a checkpoint.

    python -m cistrain.start --data DATA --weights WEIGHTS --out start.pt
"""

import argparse
import random
from pathlib import Path

import torch
import torch.nn.functional as F

from . import pca
from .clips import picture, to_x
from .data import STILLS
from .families import Family
from .losses import sensitivity_probe
from .networks import Detect, Front, Teacher
from .ratemodel import RateModel

LATENT_DEVIATION = 0.62  # of the whole latent tensor at qindex 32, where the step is 1


def moments(teacher: Teacher, paths: list[Path], input_size: int = 320, probes: int = 2, seed: int = 0) -> pca.Moments:
    """Statistics of 2x2 feature blocks and of the teacher's sensitivity to them, over whole pictures."""
    family = teacher.family
    made = pca.Moments(4 * teacher.trunk.graph.channels_of(family.cut))
    generator = torch.Generator().manual_seed(seed)
    for path in paths:
        x = torch.from_numpy(to_x(picture(path), family.squeeze * input_size, family.multiple)[0]).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            features = teacher.trunk(teacher.normalise(F.avg_pool2d(x, family.squeeze)))
        features.requires_grad_()
        levels = teacher.back(features)
        for _ in range(probes):
            scalar = sensitivity_probe(family, levels, generator)
            (gradient,) = torch.autograd.grad(scalar, features, retain_graph=True)
            made.add(pca.blocks(features.detach()), pca.blocks(gradient))
    return made


def untrained(family: Family, weights: Path, stats: pca.Moments, floor: float = 0.05) -> dict:
    """A checkpoint whose networks have PCA bottlenecks and silent residuals."""
    mean, covariance = stats.covariance()
    metric = stats.sensitivity(floor)
    analysis, synthesis, _ = pca.components(mean, covariance, family.latents, metric)
    spread = (analysis @ covariance @ analysis.T).diagonal().mean().sqrt()
    scale = LATENT_DEVIATION / float(spread)
    front, detect = Front(family, weights), Detect(family, weights)
    pca.start(front.squeeze, detect.expand, mean, analysis, synthesis, scale)
    # One unit of this metric is the error that a unit of latent noise makes: feature losses then read as squared steps.
    unit = float(torch.trace((synthesis / scale).T @ metric @ (synthesis / scale))) / family.latents
    return {
        "family": family.table(),
        "front": front.state_dict(),
        "detect": detect.state_dict(),
        "rate": RateModel(family.latents).state_dict(),
        "metric": (metric / unit * len(metric) / family.latents).float(),
        "note": f"untrained; PCA of {stats.count} blocks, floor {floor}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--detector", type=Family.of, default="nanodet-plus-m-1.5x", help="name of a file in models/detectors, or a TOML file")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--floor", type=float, default=0.05)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    paths = [p for s in STILLS for p in sorted((args.data / "images" / s).iterdir())]
    paths = random.Random(0).sample(paths, min(args.pictures, len(paths)))
    stats = moments(Teacher(args.detector, args.weights), paths)
    torch.save(untrained(args.detector, args.weights, stats, args.floor), args.out)


if __name__ == "__main__":
    main()
