"""Training with what was received: runs of pictures are cut alike from both layers and the source, and the view learns from them."""

import random

import numpy as np
import pytest
import torch

from cistrain import received, soup
from cistrain.enhance import ENHANCED
from cistrain.families import Family
from cistrain.networks import Front
from cistrain.received import RATES, Received
from cistrain.train_restore import RestoreTrainer, ViewSchedule

FAMILY = Family.of("yolox-nano")
LENGTH, WIDTH, HEIGHT = 7, 256, 192


@pytest.fixture
def folder(tmp_path):
    """One shot whose values say where they are from: frame * 200 + row * 30 + column of the latents of the view."""
    frame = np.arange(LENGTH)[:, None, None] * 200

    def places(stride: int) -> np.ndarray:
        rows, columns = np.mgrid[: HEIGHT // stride, : WIDTH // stride] * stride // 32
        return frame + rows * 30 + columns

    np.save(tmp_path / "shot.x.npy", np.repeat((places(1) % 251).astype(np.uint8)[:, None], 3, 1))
    for rates in RATES:
        np.save(tmp_path / f"shot.{rates}.y.npy", np.repeat(places(32).astype(np.float16)[:, None], FAMILY.latents, 1))
        np.save(tmp_path / f"shot.{rates}.z.npy", np.repeat(places(16).astype(np.float16)[:, None], ENHANCED, 1))
    return tmp_path


def test_runs_are_cut_alike(folder):
    source = Received.load(folder, 128, 3, seed=1)
    source.absent, lengths = 0.0, set()
    for _ in range(20):
        y, z, x = source.batch(2)
        length = len(y)
        lengths.add(length)
        assert y.shape == (length, 2, FAMILY.latents, 4, 4) and z.shape == (length, 2, ENHANCED, 8, 8) and x.shape == (2, 2, 3, 128, 128)
        assert torch.equal(z[:, :, 0, ::2, ::2], y[:, :, 0])
        assert torch.equal(x[:, :, 0, ::32, ::32], y[-2:, :, 0] % 251), "the pictures are the last two of the run"
        assert torch.equal(y[1:] - y[:-1], torch.full_like(y[1:], 200.0))
    assert lengths == {2, 3, 4, 5}


def test_some_runs_have_no_layer(folder):
    source = Received.load(folder, 128, 0, seed=1)
    source.absent = 0.5
    came = [bool(source.batch(1)[1].any()) for _ in range(40)]
    assert 8 < sum(came) < 32
    with pytest.raises(FileNotFoundError, match="no shots"):
        Received.load(folder / "..", 128, 0, seed=1)


def test_a_stop_while_a_shot_is_written_leaves_none(tmp_path, monkeypatch):
    def stopped(file, array):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(received.np, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        received.keep(np.zeros(4), tmp_path / "shot.x.npy")
    with pytest.raises(FileNotFoundError, match="no shots"):
        Received.load(tmp_path, 128, 0, seed=1)
    monkeypatch.undo()
    received.keep(np.arange(4), tmp_path / "shot.x.npy")
    assert np.load(tmp_path / "shot.x.npy").tolist() == [0, 1, 2, 3] and len(list(tmp_path.iterdir())) == 1


def test_the_view_learns_from_what_was_received(folder, weights):
    torch.manual_seed(0)
    trainer = RestoreTrainer(Front(FAMILY, weights), ViewSchedule(minutes=10, pairs=1, perceive=1.0, oppose=1.0))
    source = Received.load(folder, 128, 2, seed=1)
    trainer.fit(torch.rand(2, 4, 3, 128, 128) * 255 for _ in range(2))
    before = trainer.restore.leave[-2].weight.clone()
    for _ in range(3):
        terms = trainer.step(*trainer.draw(source))
        assert torch.isfinite(terms["loss"])
    assert not torch.equal(before, trainer.restore.leave[-2].weight)


def test_scenery_moves_and_stays_inside(tmp_path):
    import cv2

    rng = np.random.default_rng(1)
    for name in received.SCENERY:
        (tmp_path / "images" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "images" / name / "a.png"), rng.integers(0, 256, (60, 80, 3), np.uint8))
    pictures = received._moving(tmp_path, random.Random(3))
    assert pictures.shape == (received.LENGTH, received.SIZE[1], received.SIZE[0], 3)
    changed = np.abs(pictures[1:, ::8, ::8].astype(int) - pictures[:-1, ::8, ::8]).mean((1, 2, 3))
    assert (changed > 1).all()


def test_runs_are_averaged():
    states = [{"restore": {"a": torch.full((2,), value)}, "note": str(value)} for value in (1.0, 4.0)]
    assert torch.equal(soup.mean(states, [2.0, 1.0])["restore"]["a"], torch.full((2,), 2.0))
    made = soup.mean(states, [1.0, 1.0])
    assert torch.equal(made["restore"]["a"], torch.full((2,), 2.5)) and made["note"] == "mean of 1.0; 4.0"
    with pytest.raises(ValueError, match="different networks"):
        soup.mean([states[0], {"restore": {"b": torch.zeros(1)}, "note": ""}], [1.0, 1.0])
    with pytest.raises(ValueError, match="one for each"):
        soup.mean(states, [1.0])
