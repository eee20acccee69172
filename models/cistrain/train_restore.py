"""Trains the operator's view for a frozen front: pixels first, then perception and an adversary.

    python -m cistrain.train_restore --data DATA --weights WEIGHTS --model model.pt --vgg WHEEL --run RUN --minutes 30

Resumes from the run folder; `restore.pt` there holds the averaged weights that get exported.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .data import Material, Pairs
from .families import Family
from .networks import Front
from .perception import Discriminator, Perceptual
from .quantise import step
from .restore import Restore, fit
from .train import save

QINDEX = (24.0, 44.0)


class RestoreTrainer:
    """Restoration network, adversary, optimisers and averages of one run."""

    def __init__(self, front: Front, perceptual: Perceptual | None, minutes: float, learning_rate: float = 1e-3, perceive: float = 0.5, oppose: float = 0.8):
        self.front, self.perceptual, self.minutes = front.eval().requires_grad_(False), perceptual, minutes
        self.restore, self.adversary = Restore(front.family), Discriminator()
        self.average = Restore(front.family)
        self.learning_rate, self.perceive, self.oppose = learning_rate, perceive, oppose
        self.optimiser = torch.optim.Adam(self.restore.parameters(), lr=learning_rate, betas=(0.9, 0.99))
        self.critic = torch.optim.Adam(self.adversary.parameters(), lr=2e-4, betas=(0.5, 0.99))
        self.steps, self.seconds = 0, 0.0

    PARTS = ("restore", "average", "adversary", "optimiser", "critic")

    def checkpoint(self) -> dict:
        return {p: getattr(self, p).state_dict() for p in self.PARTS} | {"steps": self.steps, "seconds": self.seconds}

    def resume(self, state: dict) -> None:
        for part in self.PARTS:
            getattr(self, part).load_state_dict(state[part])
        self.steps, self.seconds = state["steps"], state["seconds"]

    @torch.no_grad()
    def received(self, x: Tensor) -> Tensor:
        """Dequantised latents of pictures, each at a step of its own."""
        size = step(torch.empty(len(x)).uniform_(*QINDEX))[:, None, None, None]
        return (self.front(x)[0] / size).round() * size

    def start(self, examples: Iterator[Tensor]) -> None:
        """Fits the linear predictor."""
        fit(self.restore, ((self.received(x), x) for x in examples))
        self.average.load_state_dict(self.restore.state_dict())

    def step(self, noisy: Tensor, clean: Tensor) -> dict[str, float]:
        """One step; perception joins after the share `perceive` of the time, the adversary after `oppose`."""
        progress = min(1.0, self.seconds / (60 * self.minutes))
        warm_up = min(1.0, (self.steps + 1) / 50)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * warm_up * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        ours = self.restore(self.received(noisy))
        terms = {"pixels": pixel_loss(ours, clean)}
        if self.perceptual is not None and progress >= self.perceive:
            terms["perceptual"] = 0.4 * self.perceptual(*_window(ours, clean))
        if progress >= self.oppose:
            terms["critic"] = self._teach_adversary(ours.detach(), clean)
            terms["adversary"] = -0.004 * self.adversary(ours).mean()
        total = sum(v for k, v in terms.items() if k != "critic")
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.restore.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        with torch.no_grad():
            keep = min(0.995, self.steps / (self.steps + 20))
            for a, b in zip(self.average.parameters(), self.restore.parameters(), strict=True):
                a.lerp_(b, 1 - keep)
        return {"loss": float(total)} | {k: float(v) for k, v in terms.items()}

    def _teach_adversary(self, ours: Tensor, clean: Tensor) -> Tensor:
        loss = F.relu(1 - self.adversary(clean)).mean() + F.relu(1 + self.adversary(ours)).mean()
        self.critic.zero_grad(set_to_none=True)
        loss.backward()
        self.critic.step()
        return loss.detach()


def _window(ours: Tensor, clean: Tensor, size: int = 128) -> tuple[Tensor, Tensor]:
    """The same random window of both batches: VGG16 costs ten times what the restoration does."""
    size = min(size, ours.shape[-1])
    top, left = (int(torch.randint(ours.shape[-1] - size + 1, ())) for _ in range(2))
    cut = (..., slice(top, top + size), slice(left, left + size))
    return ours[cut], clean[cut]


def pixel_loss(ours: Tensor, clean: Tensor) -> Tensor:
    """Absolute error at three scales: the coarse ones keep colours and shapes right where detail is out of reach."""
    total, scale = 0.0, 1 / 64
    for _ in range(3):
        total = total + scale * (ours - clean).abs().mean()
        ours, clean = F.avg_pool2d(ours, 4), F.avg_pool2d(clean, 4)
    return total


def run(trainer: RestoreTrainer, pairs: Pairs, folder: Path, batch: int, save_every: float = 120.0) -> None:
    """Trains until the time is used up, saving and logging on the way."""
    log, sums, count, saved = (folder / "log.jsonl").open("a"), {}, 0, time.monotonic()
    while trainer.seconds < 60 * trainer.minutes:
        began = time.monotonic()
        noisy, clean = (b.flatten(0, 1) for b in pairs.batch(batch)[:2])
        for key, value in trainer.step(noisy, clean).items():
            sums[key] = sums.get(key, 0.0) + value
        count += 1
        trainer.seconds += time.monotonic() - began
        if count == 50:
            entry = {"steps": trainer.steps, "seconds": round(trainer.seconds)} | {k: round(v / count, 4) for k, v in sums.items()}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            sums, count = {}, 0
        if time.monotonic() - saved > save_every or trainer.seconds >= 60 * trainer.minutes:
            save(trainer.checkpoint(), folder / "last.pt")
            save({"restore": trainer.average.state_dict(), "steps": trainer.steps}, folder / "restore.pt")
            saved = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "weights", "model", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, help="wheel of stlpips-pytorch; without it there is no perceptual term")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--perceive", type=float, default=0.5, help="share of the time after which perception joins")
    parser.add_argument("--oppose", type=float, default=0.8, help="share of the time after which the adversary joins; 1: never")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.run.mkdir(parents=True, exist_ok=True)
    model = torch.load(args.model)
    front = Front(Family.of(model["family"]), args.weights)
    front.load_state_dict(model["front"])
    torch.manual_seed(args.seed)
    trainer = RestoreTrainer(front, Perceptual(args.vgg) if args.vgg else None, args.minutes, perceive=args.perceive, oppose=args.oppose)
    pairs = Pairs(Material.load(args.data, squeeze=front.family.squeeze), args.size, args.seed, 0.35)
    last = args.run / "last.pt"
    if last.exists():
        trainer.resume(torch.load(last))
    else:
        trainer.start(pairs.batch(8)[0].flatten(0, 1) for _ in range(20))
    run(trainer, pairs, args.run, args.pairs)


if __name__ == "__main__":
    main()
