"""Training on seeded synthetic material: losses fall, runs resume, and the rate term buys bits."""

import functools
import json

import pytest
import torch

import ablations
from cistrain import start
from cistrain.data import Pairs
from cistrain.enhance import ENHANCED
from cistrain.families import Family
from cistrain.loader import Loader
from cistrain.networks import Front, Teacher
from cistrain.perception import pixel_loss
from cistrain.restore import Memory
from cistrain.train import Schedule, Trainer, run
from cistrain.train_restore import RestoreTrainer, ViewSchedule

SIZE = 128
FAMILY = Family.of("yolox-nano")


@pytest.fixture(scope="module")
def checkpoint(weights):
    torch.manual_seed(0)
    teacher = Teacher(FAMILY, weights)
    stats = start.pca.Moments(256)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        x = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8) * 255, size=256, mode="bilinear")
        with torch.no_grad():
            features = teacher.trunk(teacher.normalise(torch.nn.functional.avg_pool2d(x, 2)))
        features.requires_grad_()
        scalar = start.sensitivity_probe(FAMILY, teacher.back(features), generator)
        (gradient,) = torch.autograd.grad(scalar, features)
        stats.add(start.pca.blocks(features.detach()), start.pca.blocks(gradient))
    return start.untrained(FAMILY, weights, stats)


def losses(trainer, material, steps: int) -> list[dict]:
    pairs = Pairs(material, SIZE, seed=1, clip_share=1.0)
    batch = pairs.batch(2)
    out = []
    for _ in range(steps):
        torch.manual_seed(5)
        out.append(trainer.step(*batch))
        trainer.seconds += 1
    return out


def test_distillation_loss_falls(checkpoint, weights, material):
    trainer = Trainer(checkpoint, weights, Schedule(minutes=3, warm=1.0, learning_rate=1e-3, tuned_rate=1.0))
    seen = losses(trainer, material, 100)
    task = lambda e: e["objectness"] + e["classes"] + e["boxes"] + e["features"]
    assert task(seen[-1]) < 0.8 * task(seen[0])
    assert seen[-1]["key_bits"] < seen[0]["key_bits"]


def test_rate_term_buys_bits(checkpoint, weights, material):
    ends = {}
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        schedule = Schedule(minutes=3, warm=0.0, ramp=0.01, rate_weight=weight, learning_rate=3e-4)
        ends[weight] = losses(Trainer(checkpoint, weights, schedule), material, 60)[-1]
    bits = lambda e: e["key_bits"] + e["inter_bits"]
    assert bits(ends[1.0]) < 0.95 * bits(ends[0.0])


def test_a_run_saves_logs_and_resumes(checkpoint, weights, material, tmp_path):
    schedule = Schedule(minutes=0.03, pairs=1, size=SIZE)
    trainer = Trainer(checkpoint, weights, schedule)
    run(trainer, Pairs(material, SIZE, 0, 1.0), tmp_path, save_every=0.0)
    again = Trainer(torch.load(tmp_path / "last.pt"), weights, schedule)
    assert again.steps == trainer.steps > 0 and again.seconds == trainer.seconds
    for a, b in zip(again.front.parameters(), trainer.front.parameters(), strict=True):
        assert torch.equal(a, b)
    model = torch.load(tmp_path / "model.pt")
    assert json.loads(model["note"].split(", ", 1)[1])["size"] == SIZE


def test_restoration_learns(checkpoint, weights, material):
    front = Front(FAMILY, weights)
    front.load_state_dict(checkpoint["front"])
    trainer = RestoreTrainer(front, ViewSchedule(minutes=10, learning_rate=1e-3, qindex_greatest=32.0, enhanced_share=0.0))
    pairs = Pairs(material, SIZE, 1, 1.0)
    clean = pairs.batch(3)[1]
    with torch.no_grad():
        blank = pixel_loss(torch.full_like(clean[0], 128.0), clean[0])
    trainer.fit(clean for _ in range(2))
    step = lambda: trainer.step(trainer.received(clean), trainer.layer(clean), clean)
    seen = [step()["pixels"] for _ in range(200)]
    assert seen[0] < 0.9 * blank
    assert seen[-1] < 0.9 * seen[0]
    trainer.seconds = 590.0
    late = step()
    assert {"critic", "adversary"} <= late.keys() and late["critic"] > 0


def test_the_view_learns_from_what_the_detector_finds_and_goes_on(checkpoint, weights, material):
    front = Front(FAMILY, weights)
    front.load_state_dict(checkpoint["front"])
    schedule = ViewSchedule(minutes=10, pairs=2, size=SIZE, perceive=0.0, oppose=1.0, answer_weight=1.0)
    trainer = RestoreTrainer(front, schedule, teacher=Teacher(FAMILY, weights).eval())
    loader = Loader(functools.partial(Pairs, material, SIZE, clip_share=1.0), 1, 2, 1, "cpu")
    clean = loader.batch()[1]
    assert clean.shape == (2, 2, 3, SIZE, SIZE) and not torch.equal(clean, loader.batch()[1])
    trainer.fit([clean])
    first = trainer.step(*trainer.draw(loader))
    assert first["answers"] > 0
    trainer.step(*trainer.draw(loader))  # in the first one the silent last convolution alone learned
    assert (trainer.restore.layer.weight.grad != 0).any(), "it learns from the layer"
    again = RestoreTrainer(front, schedule)
    again.go_on(trainer.averaged())
    for a, b in zip(again.restore.parameters(), trainer.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_is_remembered_fades():
    memory = Memory(4)
    torch.nn.init.constant_(memory.own.bias, 50.0)
    h, state = torch.zeros(1, 4, 2, 2), torch.full((1, 4, 2, 2), 1e6)
    for _ in range(200):
        state = memory(h, state)
    assert state.abs().max() < 1e-2, "even where the gate is wide open"


def test_enhancement_layer_brings_what_it_has_bits_for(checkpoint, weights):
    front = Front(FAMILY, weights)
    front.load_state_dict(checkpoint["front"])
    trainer = RestoreTrainer(front, ViewSchedule(minutes=10, enhanced_share=1.0))

    def patches(n: int) -> torch.Tensor:
        """Pairs of the same random patches of 8x8 pixels: more than detection's latents hold, and never the same twice."""
        small = torch.rand(1, n, 3, SIZE // 8, SIZE // 8) * 255
        return small.repeat_interleave(8, -1).repeat_interleave(8, -2).repeat(2, 1, 1, 1, 1)

    trainer.fit(patches(4) for _ in range(8))
    basis = trainer.restore.transform.basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(ENHANCED), atol=1e-4, rtol=0)
    clean = patches(4)
    received = trainer.received(clean)[0]
    z = trainer.enhance(clean[0])
    assert z.shape == (4, ENHANCED, SIZE // 16, SIZE // 16)

    @torch.no_grad()
    def error(step: float | None) -> float:
        layer = None if step is None else (z / step).round() * step
        return float((trainer.restore(received, layer)[0] - clean[0]).abs().mean())

    errors = [error(step) for step in (0.025, 0.5, 2.0, None)]
    assert errors[0] < 1.0 and errors[0] < errors[1] < errors[2] < 0.8 * errors[3]
    layer = trainer.layer(clean)
    assert layer.shape == (2, *z.shape) and (layer != 0).any()
    assert torch.equal(layer[0], layer[1]), "what stands still stays as it was sent"
    before = basis.clone()
    trainer.step(trainer.received(clean), layer, clean)
    assert torch.equal(before, trainer.restore.transform.basis), "the transform is fitted, not trained"


def test_ablations_change_one_thing(checkpoint, weights):
    narrow = ablations.changed(checkpoint, weights, {"latents": 16})
    assert torch.equal(narrow["front"]["squeeze.linear.weight"], checkpoint["front"]["squeeze.linear.weight"][:16])
    assert torch.equal(narrow["detect"]["expand.linear.weight"], checkpoint["detect"]["expand.linear.weight"][:, :16])
    larger = ablations.changed(checkpoint, weights, {"squeeze": 4})
    front = Front(Family.of(larger["family"]), weights)
    front.load_state_dict(larger["front"])
    x = torch.rand(1, 3, 256, 256) * 255
    same = Front(FAMILY, weights)
    same.load_state_dict(checkpoint["front"])
    # Before any training both see the same plainly down-scaled picture.
    torch.testing.assert_close(front(x)[0], same(torch.nn.functional.avg_pool2d(x, 2))[0], atol=1e-3, rtol=1e-3)
