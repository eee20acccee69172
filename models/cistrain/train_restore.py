"""Trains the operator's view for a frozen front: pixels first, then perception and an adversary; with and without the enhancement layer.

    python -m cistrain.train_restore --data DATA --weights WEIGHTS --model model.pt --vgg WHEEL --run RUN --minutes 30

Resumes from the run folder; `restore.pt` there holds the averaged weights that get exported. `--start` goes on from the `restore.pt` of another run.
"""

import argparse
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .data import Material, Pairs
from .enhance import ENHANCED, Enhance, Fit
from .families import Family
from .networks import Front
from .perception import Discriminator, Perceptual
from .quantise import pair, step
from .restore import Restore
from .train import run


SENT = (0, 6, 18, 64)  # channels that are sent at a time, see codec/src/encode/progressive.rs
MARGIN = 0.15  # how far beyond its cell, in steps, a latent must move before its symbol changes


@dataclass
class ViewSchedule:
    """How a run changes as it goes, and what each loss weighs; shares are of the run's time."""

    minutes: float = 30.0
    pairs: int = 2
    size: int = 256
    learning_rate: float = 1e-3
    perceive: float = 0.5  # share after which perception joins
    oppose: float = 0.8  # share after which the adversary joins; 1: never (the PSNR variant has 1 for both)
    perceptual_weight: float = 0.4
    adversary_weight: float = 0.004
    steady_weight: float = 0.005  # of changes between two pictures that the scene did not make, per grey level
    qindex_least: float = 24.0
    qindex_greatest: float = 46.0
    enhanced_share: float = 0.6  # of the pairs that have the enhancement layer
    enhanced_least: float = 36.0  # its qindex
    enhanced_greatest: float = 56.0


class RestoreTrainer:
    """Networks of the view, adversary, optimisers and averages of one run."""

    AVERAGED = "restore.pt"  # the run's file of what gets exported
    PARTS = ("restore", "average", "adversary", "optimiser", "critic")

    def __init__(self, front: Front, perceptual: Perceptual | None, schedule: ViewSchedule):
        self.front, self.perceptual, self.schedule = front.eval().requires_grad_(False), perceptual, schedule
        self.restore, self.average = Restore(front.family), Restore(front.family)
        self.enhance, self.adversary = Enhance(self.restore.transform), Discriminator()
        self.learning = [p for p in self.restore.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.learning, lr=schedule.learning_rate, betas=(0.9, 0.99))
        self.critic = torch.optim.Adam(self.adversary.parameters(), lr=2e-4, betas=(0.5, 0.99))
        self.steps, self.seconds = 0, 0.0

    @property
    def progress(self) -> float:
        """How much of the run is behind, 0 to 1."""
        return min(1.0, self.seconds / (60 * self.schedule.minutes))

    def checkpoint(self) -> dict:
        return {p: getattr(self, p).state_dict() for p in self.PARTS} | {"steps": self.steps, "seconds": self.seconds}

    def resume(self, state: dict) -> None:
        for part in self.PARTS:
            getattr(self, part).load_state_dict(state[part])
        self.steps, self.seconds = state["steps"], state["seconds"]

    def averaged(self) -> dict:
        """What gets exported, and where another run can go on."""
        return {"restore": self.average.state_dict(), "note": f"{self.steps} steps, {json.dumps(asdict(self.schedule))}"}

    def go_on(self, state: dict) -> None:
        """Starts where another run ended."""
        for network in (self.restore, self.average):
            network.load_state_dict(state["restore"])

    def fit(self, examples: Iterable[Tensor]) -> None:
        """Fits the transform and its predictor to pairs of pictures."""
        fit, examples = Fit(self.restore.transform), list(examples)
        for x in examples:
            fit.look(x.flatten(0, 1))
        fit.settle()
        for x in examples:
            fit.learn(self.received(x).flatten(0, 1), x.flatten(0, 1))
        fit.write()
        self.average.load_state_dict(self.restore.state_dict())

    @torch.no_grad()
    def received(self, x: Tensor) -> Tensor:
        """Dequantised latents of pairs [2, n, 3, h, w], each pair at a step of its own."""
        s = self.schedule
        size = step(torch.empty(x.shape[1]).uniform_(s.qindex_least, s.qindex_greatest))[:, None, None, None]
        latents = self.front(x.flatten(0, 1))[0]
        return pair(latents.view(2, x.shape[1], *latents.shape[1:]) / size, MARGIN) * size

    @torch.no_grad()
    def layer(self, x: Tensor, received: Tensor) -> Tensor | None:
        """Dequantised latents of the enhancement layer of pairs; zeros for those that go without, and in some where a thin link has not brought them yet."""
        s, n = self.schedule, x.shape[1]
        present = torch.rand(n) < s.enhanced_share
        if not present.any():
            return None
        size = step(torch.empty(n).uniform_(s.enhanced_least, s.enhanced_greatest))[:, None, None, None]
        z = self.enhance(x.flatten(0, 1), received.flatten(0, 1))
        dequantised = pair(z.view(2, n, *z.shape[1:]) / size, MARGIN) * size
        return dequantised * (self.arrived(n, z.shape[2:]) & present[:, None, None, None])

    @staticmethod
    def arrived(n: int, size: tuple[int, int]) -> Tensor:
        """What of the layer has come so far [n, ENHANCED, h, w]: everything for half of the pairs; of the others each area of 4x4 latents has as many channels as `codec`'s
        progressive encoder sends at a time, none at worst."""
        amount = torch.where(torch.rand(n) < 0.5, 1.0, torch.rand(n))[:, None, None]
        areas = (amount * 4 + torch.rand(n, *(-(-side // 4) for side in size)) * 2 - 1).floor().clamp(0, 3).long()
        areas = torch.where(amount == 1.0, 3, areas)
        channels = torch.tensor(SENT)[areas].repeat_interleave(4, 1)[:, : size[0]].repeat_interleave(4, 2)[..., : size[1]]
        return torch.arange(ENHANCED)[:, None, None] < channels[:, None]

    def draw(self, pairs: Pairs) -> tuple:
        """A batch: the arguments of a step."""
        return pairs.batch(self.schedule.pairs)[:2]

    def step(self, noisy: Tensor, clean: Tensor) -> dict[str, float]:
        """One step on pairs of pictures [2, n, 3, h, w]."""
        s, progress = self.schedule, self.progress
        warm_up = min(1.0, (self.steps + 1) / 50)
        for group in self.optimiser.param_groups:
            group["lr"] = s.learning_rate * warm_up * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        received = self.received(noisy)
        enhanced = self.layer(noisy, received)
        pictures, state = [], None
        for i in range(2):
            picture, state = self.restore(received[i], None if enhanced is None else enhanced[i], state)
            pictures.append(picture)
        steady = ((pictures[1] - pictures[0]) - (clean[1] - clean[0])).abs().mean()
        ours, clean = torch.cat(pictures), clean.flatten(0, 1)
        terms = {"pixels": pixel_loss(ours, clean), "steady": s.steady_weight * steady}
        if self.perceptual is not None and progress >= s.perceive:
            terms["perceptual"] = s.perceptual_weight * self.perceptual(*_window(ours, clean))
        if progress >= s.oppose:
            terms["critic"] = self._teach_adversary(ours.detach(), clean)
            terms["adversary"] = -s.adversary_weight * self.adversary(ours).mean()
        total = sum(v for k, v in terms.items() if k != "critic")
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.learning, 1.0)
        self.optimiser.step()
        self.steps += 1
        self._update_average()
        return {"loss": float(total)} | {k: float(v) for k, v in terms.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(0.995, self.steps / (self.steps + 20))
        for a, b in zip(self.average.parameters(), self.restore.parameters(), strict=True):
            a.lerp_(b, 1 - keep)

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "weights", "model", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, help="wheel of stlpips-pytorch; without it there is no perceptual term")
    parser.add_argument("--start", type=Path, help="restore.pt of another run")
    parser.add_argument("--seed", type=int, default=0)
    for key, value in asdict(ViewSchedule()).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=type(value), default=value)
    args = vars(parser.parse_args())
    torch.set_num_threads(1)
    args["run"].mkdir(parents=True, exist_ok=True)
    model = torch.load(args["model"])
    front = Front(Family.of(model["family"]), args["weights"])
    front.load_state_dict(model["front"])
    torch.manual_seed(args["seed"])
    schedule = ViewSchedule(**{k: args[k] for k in asdict(ViewSchedule())})
    trainer = RestoreTrainer(front, Perceptual(args["vgg"]) if args["vgg"] else None, schedule)
    pairs = Pairs(Material.load(args["data"], squeeze=front.family.squeeze), schedule.size, args["seed"], 0.35)
    last = args["run"] / "last.pt"
    if last.exists():
        trainer.resume(torch.load(last))
    elif args["start"]:
        trainer.go_on(torch.load(args["start"]))
    else:
        trainer.fit(pairs.batch(4)[1] for _ in range(60))
    run(trainer, pairs, args["run"], save_every=120.0)


if __name__ == "__main__":
    main()
