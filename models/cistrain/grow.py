"""More latents for a trained model: the new ones carry what the old ones leave out, and the old ones stay as they are.

    python -m cistrain.grow --data DATA --weights WEIGHTS --model model.pt --latents 80 --out start.pt

The new latents are the best linear summary of the front's features for predicting the error of the expansion (reduced-rank regression in the metric of
the teacher's sensitivity). At coarse steps they quantise to zero and the grown model answers like the old one.
"""

import argparse
import random
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from . import pca
from .clips import picture, to_x
from .data import STILLS
from .families import Family
from .networks import Detect, Front, Teacher
from .ratemodel import RateModel


class Regression:
    """Second moments of what is known (the front's feature blocks) and what is wanted (the expansion's error)."""

    def __init__(self, size: int):
        self.count, self.mean_known, self.mean_wanted = 0, torch.zeros(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
        self.known, self.cross = (torch.zeros(size, size, dtype=torch.float64) for _ in range(2))

    def add(self, known: Tensor, wanted: Tensor) -> None:
        known, wanted = known.double(), wanted.double()
        self.count += len(known)
        self.mean_known += known.sum(0)
        self.mean_wanted += wanted.sum(0)
        self.known += known.T @ known
        self.cross += wanted.T @ known

    def reduced(self, channels: int, metric: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(analysis [channels, n], its bias, synthesis [n, channels], its bias); the summaries have no mean."""
        a, b = self.mean_known / self.count, self.mean_wanted / self.count
        known = self.known / self.count - a[:, None] * a[None]
        cross = self.cross / self.count - b[:, None] * a[None]
        known += 1e-4 * known.diagonal().mean() * torch.eye(len(a), dtype=known.dtype)
        values, vectors = torch.linalg.eigh(metric.double())
        values = values.clamp(min=values.max() * 1e-6)
        root, back = (vectors * values.sqrt()) @ vectors.T, (vectors / values.sqrt()) @ vectors.T
        full = root @ cross @ torch.linalg.inv(known)
        values, top = torch.linalg.eigh(full @ known @ full.T)
        top = top[:, -channels:].flip(1)
        analysis = top.T @ full
        return analysis, -analysis @ a, back @ top, b


@torch.no_grad()
def grow(state: dict, weights: Path, latents: int, pictures: list[Tensor]) -> dict:
    """A checkpoint of more latents that starts where `state` is; `pictures` are x [1, 3, h, w]."""
    family = Family.of(state["family"])
    if latents <= family.latents:
        raise ValueError(f"latents is {latents}; the model has {family.latents} already")
    front, detect, teacher = Front(family, weights), Detect(family, weights), Teacher(family, weights)
    front.load_state_dict(state["front"])
    detect.load_state_dict(state["detect"])
    squares = Regression(len(state["metric"]))
    for x in pictures:
        features = front.trunk(front.normalise(front.squeeze_picture(x)))
        error = teacher(x)[0] - detect.expand(front.squeeze(features))
        squares.add(pca.blocks(features), pca.blocks(error))
    more = latents - family.latents
    analysis, bias, synthesis, _ = squares.reduced(more, state["metric"])
    # As loud as a unit of the old latents: a step of the quantiser makes the same error in the metric.
    unit = torch.einsum("nc,nm,mc->c", synthesis, state["metric"].double(), synthesis).sqrt()
    old = detect.expand.linear.weight[:, :, 0, 0].double()
    target = torch.einsum("nc,nm,mc->c", old, state["metric"].double(), old).sqrt().mean()
    scale = (unit / target)[:, None]
    wide = replace(family, latents=latents)
    grown = {"front": Front(wide, weights).state_dict(), "detect": Detect(wide, weights).state_dict()}
    for part in grown:
        for key, value in state[part].items():
            into = grown[part][key]
            if into.shape == value.shape:
                into.copy_(value)
            else:  # of the layers that touch latents; new rows and columns are filled below
                into.zero_()
                into[tuple(slice(0, n) for n in value.shape)] = value
    new = slice(family.latents, latents)
    shape = grown["front"]["squeeze.linear.weight"].shape
    grown["front"]["squeeze.linear.weight"][new] = (scale * analysis).view(more, *shape[1:]).float()
    grown["front"]["squeeze.linear.bias"][new] = (scale[:, 0] * bias).float()
    grown["detect"]["expand.linear.weight"][:, new] = (synthesis / scale.T).float()[:, :, None, None]
    note = f"{state['note']}; grown from {family.latents} to {latents} latents"
    return {"family": wide.table(), **grown, "rate": RateModel(latents).state_dict(), "metric": state["metric"], "note": note}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "weights", "model", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--latents", type=int, required=True)
    parser.add_argument("--pictures", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    state = torch.load(args.model)
    family = Family.of(state["family"])
    paths = [p for s in STILLS for p in sorted((args.data / "images" / s).iterdir())]
    paths = random.Random(0).sample(paths, min(args.pictures, len(paths)))
    pictures = (to_x(picture(p), family.squeeze * 320, family.multiple)[0] for p in paths)
    torch.save(grow(state, args.weights, args.latents, (torch.from_numpy(x).permute(2, 0, 1)[None].float() for x in pictures)), args.out)


if __name__ == "__main__":
    main()
