"""Trains the split detector end to end under a rate term; stops and resumes at any time.

    python -m cistrain.train --data DATA --weights WEIGHTS --start start.pt --run RUN --minutes 60

The run folder keeps `last.pt` (everything), `model.pt` (averaged weights: what gets exported) and `log.jsonl`.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .answers import Labels, answer_loss
from .data import Material, Pairs
from .families import Family
from .files import whole
from .losses import feature_loss
from .networks import Detect, Front, Teacher
from .quantise import beyond, pair, step, straight_through
from .ratemodel import RateModel


@dataclass
class Schedule:
    """How a run changes as it goes; shares are of the run's length."""

    minutes: float = 60.0
    steps: int = 0  # length of the run where it must not depend on the machine; then `minutes` does not count
    pairs: int = 6
    size: int = 384
    clip_share: float = 0.5
    learning_rate: float = 3e-4  # of fresh layers
    tuned_rate: float = 0.2  # of layers that come from the teacher, as a share of the above
    warm: float = 0.04  # share of the run without quantisation
    ramp: float = 0.25  # share of the run over which the rate term grows to its full weight
    rate_weight: float = 0.01  # loss per bit and latent position at step 1
    key_share: float = 0.15  # weight of a key frame's bits beside an inter frame's
    feature_weight: float = 1.0
    qindex_least: float = 24.0
    qindex_greatest: float = 52.0
    average: float = 0.998
    frozen: str = ""  # parts that keep their start values: "squeeze" (information squeezing), "back" (the detector behind the expansion)


class Trainer:
    """Networks, optimiser and averages of one run."""

    AVERAGED = "model.pt"  # the run's file of what gets exported

    def __init__(self, checkpoint: dict, weights: Path, schedule: Schedule):
        self.schedule, self.family = schedule, Family.of(checkpoint["family"])
        self.teacher = Teacher(self.family, weights).eval()
        self.front, self.detect, self.rate = Front(self.family, weights), Detect(self.family, weights), RateModel(self.family.latents)
        self.networks = {"front": self.front, "detect": self.detect, "rate": self.rate}
        for name, network in self.networks.items():
            network.load_state_dict(checkpoint[name])
        for part in schedule.frozen.split():
            {"squeeze": self.front.squeeze_picture, "back": self.detect.back}[part].requires_grad_(False)
        self.metric = checkpoint["metric"]
        self.average = {n: {k: v.clone() for k, v in self.networks[n].state_dict().items()} for n in ("front", "detect")}
        tuned = [*self.front.trunk.parameters(), *self.detect.back.parameters()]
        # Every latent sums 256 features: a step of Adam on all their weights at once moves it far.
        tuned += [*self.front.squeeze.linear.parameters(), *self.detect.expand.linear.parameters()]
        known = {id(p) for p in tuned}
        fresh = [p for n in ("front", "detect") for p in self.networks[n].parameters() if id(p) not in known]
        lr = schedule.learning_rate
        groups = [
            {"params": tuned, "base": lr * schedule.tuned_rate},
            {"params": fresh, "base": lr},
            {"params": list(self.rate.parameters()), "base": 3 * lr},
        ]
        self.optimiser = torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.99))
        self.steps, self.seconds = 0, 0.0
        if "optimiser" in checkpoint:
            bases = [g["base"] for g in groups]
            self.optimiser.load_state_dict(checkpoint["optimiser"])
            for group, base in zip(self.optimiser.param_groups, bases, strict=True):
                group["base"] = base  # the schedule decides, also when a run goes on with another one
            self.average, self.steps, self.seconds = (checkpoint[k] for k in ("average", "steps", "seconds"))

    @property
    def progress(self) -> float:
        """How much of the run is behind, 0 to 1."""
        s = self.schedule
        return min(1.0, self.steps / s.steps if s.steps else self.seconds / (60 * s.minutes))

    def checkpoint(self) -> dict:
        state = {name: network.state_dict() for name, network in self.networks.items()}
        state |= {"family": self.family.table(), "metric": self.metric, "optimiser": self.optimiser.state_dict()}
        return state | {"average": self.average, "steps": self.steps, "seconds": self.seconds}

    def averaged(self) -> dict:
        """A checkpoint to export: averaged weights, no optimiser."""
        note = f"{self.steps} steps, {json.dumps(asdict(self.schedule))}"
        return {**self.average, "family": self.family.table(), "metric": self.metric, "rate": self.rate.state_dict(), "note": note}

    def loss(self, noisy: Tensor, clean: Tensor, labels: list[Labels] | None, progress: float) -> dict[str, Tensor]:
        """Terms of one batch; `noisy` and `clean` are [2, n, 3, h, w]."""
        s, n = self.schedule, noisy.shape[1]
        with torch.no_grad():
            features, answers = self.teacher(clean.flatten(0, 1))
        latents, _ = self.front(noisy.flatten(0, 1))
        qindex = torch.empty(n).uniform_(s.qindex_least, s.qindex_greatest)
        size = step(qindex)
        scaled = latents.view(2, n, *latents.shape[1:]) / size[:, None, None, None]
        margin = float(torch.rand(()) * 0.3)
        with torch.no_grad():
            symbols = pair(scaled, margin)
        if progress >= s.warm:
            received = (straight_through(scaled, symbols) * size[:, None, None, None]).flatten(0, 1)
        else:
            received = latents
        bits = self._bits(scaled, symbols[0], margin, qindex, detach=progress < s.warm)
        expanded = self.detect.expand(received)
        terms = answer_loss(self.family, self.detect.back(expanded), answers, labels)
        terms["features"] = s.feature_weight * feature_loss(expanded, features, self.metric)
        strength = s.rate_weight * min(1.0, max(0.0, progress - s.warm) / max(s.ramp, 1e-6))
        # The rate model always learns; the networks feel its gradient as strongly as the schedule says.
        terms["rate"] = ((strength * size) * (s.key_share * bits[0] + bits[1])).mean()
        terms["model"] = 0.0 if strength else 0.01 * (bits[0] + bits[1]).mean()
        terms["key_bits"], terms["inter_bits"] = bits[0].mean().detach(), bits[1].mean().detach()
        return terms

    def _bits(self, scaled: Tensor, first: Tensor, margin: float, qindex: Tensor, detach: bool) -> tuple[Tensor, Tensor]:
        """Bits per latent position and sample of a key frame and of the inter frame after it."""
        if detach:
            scaled = scaled.detach()
        positions = scaled.shape[-2] * scaled.shape[-1]
        noise = torch.rand_like(scaled) - 0.5
        change = beyond(scaled[1] - first, margin)
        key = self.rate(scaled[0] + noise[0], None, qindex)
        inter = self.rate(first + change + noise[1], first, qindex)
        return key.sum((1, 2, 3)) / positions, inter.sum((1, 2, 3)) / positions

    def draw(self, pairs: Pairs) -> tuple:
        """A batch: the arguments of a step."""
        return pairs.batch(self.schedule.pairs)

    def step(self, noisy: Tensor, clean: Tensor, labels: list[Labels] | None = None) -> dict[str, float]:
        """One optimiser step; returns the terms as numbers."""
        s = self.schedule
        progress = self.progress
        warm_up = min(1.0, (self.steps + 1) / 100)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * warm_up * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        terms = self.loss(noisy, clean, labels, progress)
        total = sum(v for k, v in terms.items() if not k.endswith("_bits"))
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        for network in self.networks.values():
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        if torch.isfinite(total):
            self.optimiser.step()
            self._update_average()
        self.steps += 1
        return {"loss": float(total)} | {k: float(v) for k, v in terms.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.schedule.average, self.steps / (self.steps + 20))
        for name, average in self.average.items():
            for key, value in self.networks[name].state_dict().items():
                if value.is_floating_point():
                    average[key].lerp_(value, 1 - keep)


def run(trainer, pairs: Pairs, folder: Path, save_every: float = 150.0) -> None:
    """Trains, detection or the view (train_restore.py), until the end of the schedule, saving and logging on the way."""
    sums, count, saved = {}, 0, time.monotonic()
    log = (folder / "log.jsonl").open("a")
    while trainer.progress < 1:
        began = time.monotonic()
        for key, value in trainer.step(*trainer.draw(pairs)).items():
            sums[key] = sums.get(key, 0.0) + value
        count += 1
        trainer.seconds += time.monotonic() - began
        if count == 50:
            entry = {"steps": trainer.steps, "seconds": round(trainer.seconds)} | {k: round(float(v) / count, 4) for k, v in sums.items()}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            sums, count = {}, 0
        if time.monotonic() - saved > save_every or trainer.progress >= 1:
            save(trainer.checkpoint(), folder / "last.pt")
            save(trainer.averaged(), folder / trainer.AVERAGED)
            saved = time.monotonic()


def save(state: dict, path: Path) -> None:
    """A stop at any moment leaves a whole checkpoint."""
    with whole(path) as file:
        torch.save(state, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "weights", "start", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sharper", type=Path, help="boxes of cistrain.sharper")
    for key, value in asdict(Schedule()).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=type(value), default=value)
    args = vars(parser.parse_args())
    torch.set_num_threads(1)
    args["run"].mkdir(parents=True, exist_ok=True)
    last = args["run"] / "last.pt"
    checkpoint = torch.load(last if last.exists() else args["start"])
    schedule = Schedule(**{k: args[k] for k in asdict(Schedule())})
    trainer = Trainer(checkpoint, args["weights"], schedule)
    seed = args["seed"] + trainer.steps
    torch.manual_seed(seed)
    run(trainer, Pairs(Material.load(args["data"], args["sharper"], trainer.family.squeeze), schedule.size, seed, schedule.clip_share), args["run"])


if __name__ == "__main__":
    main()
