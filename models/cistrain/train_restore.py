"""Trains the operator's view for a frozen front: pixels first, then perception and an adversary; with and without the enhancement layer, whose
transform is fitted before.

    python -m cistrain.train_restore --data DATA --weights WEIGHTS --model model.pt --vgg WHEEL --run RUN --minutes 30
    python -m cistrain.train_restore --received RECEIVED --start RUN/restore.pt --weights WEIGHTS --model model.pt --vgg WHEEL --run MORE --minutes 60

The second goes on with what receivers really have of the layer (`received.py`).
Resumes from the run folder; `restore.pt` there holds the averaged weights that get exported. `--start` goes on from the `restore.pt` of another run. On a GPU (`--device cuda
--processes 14 --pairs 24 --window 256`) the pictures are drawn by other processes; `--cache FILE` keeps the decoded clips for the next start.
"""

import argparse
import functools
import json
import math
import pickle
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .answers import answer_loss
from .data import Material, Pairs
from .enhance import ENHANCED, Enhance, Fit
from .families import Family
from .loader import Loader
from .networks import Front, Teacher
from .perception import Discriminator, Perceptual, pixel_loss, window
from .quantise import pair, step
from .received import Received
from .restore import Restore
from .train import run

SENT = (0, 6, 18, 64)  # channels that are sent at a time, see codec/src/encode/progressive
MARGIN = 0.15  # how far beyond its cell, in steps, a latent must move before its symbol changes


@dataclass
class ViewSchedule:
    """How a run changes as it goes, and what each loss weighs; shares are of the run's time."""

    minutes: float = 30.0
    pairs: int = 2
    size: int = 256
    window: int = 128  # pixels of the crop, each way, that perception sees
    learning_rate: float = 1e-3
    perceive: float = 0.5  # share after which perception joins
    oppose: float = 0.8  # share after which the adversary joins; 1: never (the PSNR variant has 1 for both)
    pixel_weight: float = 1.0
    perceptual_weight: float = 1.0
    answer_weight: float = 0.0  # of what the unsplit detector sees differently in the restored picture
    adversary_weight: float = 0.006
    steady_weight: float = 0.005  # of changes between two pictures that the scene did not make, per grey level
    past: int = 8  # pictures at most that the memory has seen before the two that count
    qindex_least: float = 24.0
    qindex_greatest: float = 46.0
    enhanced_share: float = 0.7  # of the pairs that have the enhancement layer
    enhanced_least: float = 24.0  # its qindex
    enhanced_greatest: float = 54.0


class RestoreTrainer:
    """Networks of the view, adversary, optimisers and averages of one run."""

    AVERAGED = "restore.pt"  # the run's file of what gets exported
    PARTS = ("restore", "average", "adversary", "optimiser", "critic")

    def __init__(self, front: Front, schedule: ViewSchedule, perceptual: Perceptual | None = None, teacher: Teacher | None = None, device: str = "cpu"):
        self.front, self.perceptual, self.teacher, self.schedule, self.device = front.eval().requires_grad_(False), perceptual, teacher, schedule, device
        self.restore = Restore(front.family)
        self.enhance, self.adversary = Enhance(self.restore.transform), Discriminator()
        self.average = Restore(front.family)
        for part in (front, perceptual, teacher, self.restore, self.adversary, self.average):
            if part is not None:
                part.to(device)
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
        note = f"{self.steps} steps, {json.dumps(asdict(self.schedule))}"
        return {"restore": self.average.state_dict(), "note": note}

    def go_on(self, state: dict) -> None:
        """Starts where another run ended."""
        for restore in (self.restore, self.average):
            restore.load_state_dict(state["restore"])

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
        size = step(torch.empty(x.shape[1]).uniform_(s.qindex_least, s.qindex_greatest))[:, None, None, None].to(x.device)
        latents = self.front(x.flatten(0, 1))[0]
        return pair(latents.view(2, x.shape[1], *latents.shape[1:]) / size, MARGIN) * size

    @torch.no_grad()
    def layer(self, x: Tensor) -> Tensor:
        """The enhancement layer of pairs, dequantised [2, n, ENHANCED, h, w]; some go without, and in some a thin link has not brought all of it yet: zeros where nothing has come."""
        s, n = self.schedule, x.shape[1]
        qindex = torch.empty(n).uniform_(s.enhanced_least, s.enhanced_greatest).to(x.device)
        size = step(qindex)[:, None, None, None]
        z = self.enhance(x.flatten(0, 1)).unflatten(0, (2, n))
        present = torch.rand(n)[:, None, None, None] < s.enhanced_share
        here = (self.arrived(n, z.shape[-2:]) & present).to(x.device)
        return pair(z / size * here, MARGIN) * size

    @staticmethod
    def arrived(n: int, size: tuple[int, int]) -> Tensor:
        """What of the layer has come so far [n, ENHANCED, h, w]: everything for half of the pairs; of the others each area of 4x4 latents has as many channels as `codec`'s
        progressive encoder sends at a time, none at worst."""
        amount = torch.where(torch.rand(n) < 0.5, 1.0, torch.rand(n))[:, None, None]
        areas = (amount * 4 + torch.rand(n, *(-(-side // 4) for side in size)) * 2 - 1).floor().clamp(0, 3).long()
        areas = torch.where(amount == 1.0, 3, areas)
        channels = torch.tensor(SENT)[areas].repeat_interleave(4, 1)[:, : size[0]].repeat_interleave(4, 2)[..., : size[1]]
        return torch.arange(ENHANCED)[:, None, None] < channels[:, None]

    @torch.no_grad()
    def followed(self, received: Iterable[Tensor], enhanced: Iterable[Tensor]) -> Tensor | None:
        """The memory's state after a run of pictures; none if there are none."""
        state = None
        for y, z in zip(received, enhanced, strict=True):
            _, state = self.restore(y, z, state)
        return state

    @torch.no_grad()
    def remembered(self, received: Tensor, enhanced: Tensor) -> Tensor | None:
        """The memory's state after some pictures of the pairs, to and fro, of which more and more of the layer came; now and then none."""
        order = [k % 2 for k in range(int(torch.randint(self.schedule.past + 1, ())))]
        here = [self.arrived(received.shape[1], enhanced.shape[-2:]).to(enhanced.device) for _ in order]
        return self.followed([received[k] for k in order], [enhanced[k] * came for k, came in zip(order, here, strict=True)])

    def draw(self, source: Loader | Received) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """A batch, the arguments of a step: latents of both layers as they were received, or as they might be, what the source showed, and what is remembered."""
        if isinstance(source, Received):
            received, enhanced, clean = (part.to(self.device) for part in source.batch(self.schedule.pairs))
            return received[-2:], enhanced[-2:], clean, self.followed(received[:-2], enhanced[:-2])
        noisy, clean = source.batch()
        received, enhanced = self.received(noisy), self.layer(noisy)
        return received, enhanced, clean, self.remembered(received, enhanced)

    def step(self, received: Tensor, enhanced: Tensor, clean: Tensor, state: Tensor | None = None) -> dict[str, Tensor]:
        """One step on pairs: latents [2, n, c, h, w] of both layers and pictures [2, n, 3, h, w]."""
        s, progress = self.schedule, self.progress
        warm_up = min(1.0, (self.steps + 1) / 50)
        for group in self.optimiser.param_groups:
            group["lr"] = s.learning_rate * warm_up * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        pictures = []
        for i in range(2):
            picture, state = self.restore(received[i], enhanced[i], state)
            pictures.append(picture)
        steady = ((pictures[1] - pictures[0]) - (clean[1] - clean[0])).abs().mean()
        ours, clean = torch.cat(pictures), clean.flatten(0, 1)
        terms = {"pixels": s.pixel_weight * pixel_loss(ours, clean), "steady": s.steady_weight * steady}
        if progress >= s.perceive:
            terms |= self._perceive(ours, clean)
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
        return {k: v.detach() for k, v in ({"loss": total} | terms).items()}

    def _perceive(self, ours: Tensor, clean: Tensor) -> dict[str, Tensor]:
        """What VGG16 sees, at half and at full resolution in turn, and what the unsplit detector finds."""
        s, terms = self.schedule, {}
        if self.perceptual is not None:
            shrink = 2 - self.steps % 2
            with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
                terms["perceptual"] = s.perceptual_weight * self.perceptual(*window(ours, clean, s.window * shrink // 2), shrink)
        if self.teacher is not None and s.answer_weight > 0:
            seen, wanted = self.teacher(ours)[1], self.teacher(clean)[1]
            terms["answers"] = s.answer_weight * sum(answer_loss(self.front.family, seen, wanted).values())
        return terms

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(0.998, self.steps / (self.steps + 20))
        for a, b in zip(self.average.parameters(), self.restore.parameters(), strict=True):
            a.lerp_(b, 1 - keep)

    def _teach_adversary(self, ours: Tensor, clean: Tensor) -> Tensor:
        loss = F.relu(1 - self.adversary(clean)).mean() + F.relu(1 + self.adversary(ours)).mean()
        self.critic.zero_grad(set_to_none=True)
        loss.backward()
        self.critic.step()
        return loss.detach()


def material(data: Path, squeeze: int, cache: Path | None) -> Material:
    """The training's pictures; decoded clips come from the cache if it is there, and go there if it is not."""
    if cache and cache.exists():
        return pickle.loads(cache.read_bytes())
    made = Material.load(data, squeeze=squeeze)
    if cache:
        cache.write_bytes(pickle.dumps(made))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weights", "model", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of pictures and clips")
    source.add_argument("--received", type=Path, help="folder of cistrain.received; needs --start, for nothing is fitted to it")
    parser.add_argument("--vgg", type=Path, help="wheel of stlpips-pytorch; without it there is no perceptual term")
    parser.add_argument("--start", type=Path, help="restore.pt of another run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--processes", type=int, default=0, help="that draw pictures; 0: this one does")
    parser.add_argument("--cache", type=Path, help="file of decoded clips, made if it is missing")
    for key, value in asdict(ViewSchedule()).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=type(value), default=value)
    args = vars(parser.parse_args())
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    args["run"].mkdir(parents=True, exist_ok=True)
    model = torch.load(args["model"], map_location="cpu")
    family = Family.of(model["family"])
    front = Front(family, args["weights"])
    front.load_state_dict(model["front"])
    torch.manual_seed(args["seed"])
    schedule = ViewSchedule(**{k: args[k] for k in asdict(ViewSchedule())})
    teacher = Teacher(family, args["weights"]).eval() if schedule.answer_weight > 0 else None
    trainer = RestoreTrainer(front, schedule, Perceptual(args["vgg"]) if args["vgg"] else None, teacher, args["device"])
    last = args["run"] / "last.pt"
    if args["received"]:
        source = Received.load(args["received"], schedule.size, schedule.past, args["seed"])
    else:
        pictures = material(args["data"], family.squeeze, args["cache"])
        # Small pictures enlarged are blurred, and would teach that: stills at about their own size.
        draw = functools.partial(Pairs, pictures, schedule.size, clip_share=0.5, still_scales=(0.25, 0.6))
        source = Loader(draw, args["seed"], schedule.pairs, args["processes"], args["device"])
    if last.exists():
        trainer.resume(torch.load(last, map_location=args["device"]))
    elif args["start"]:
        trainer.go_on(torch.load(args["start"], map_location=args["device"]))
    elif args["received"]:
        parser.error("--received needs --start: the transform is there, and the layer that was received is of it")
    else:
        trainer.fit(source.batch()[1] for _ in range(max(4, 240 // schedule.pairs)))
    run(trainer, source, args["run"], save_every=120.0)


if __name__ == "__main__":
    main()
