"""What receivers really have: clips through the real elements at some rates, and every picture with the latents that it is restored from.

    source ../env.sh    # gst-launch-1.0 then knows cisencode
    python -m cistrain.received --data DATA --coder ../target/release/cis-latents --bundle bundles/default --out RECEIVED

What comes of the enhancement layer over a thin link cannot be drawn at random: it is in parts, at several steps, taken along a motion that was guessed, and late. `train_restore --received`
trains with these latents. Clips are cut and mirrored at random, and stills pan and zoom as a moving camera sees them.
"""

import argparse
import json
import random
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .clips import frames, picture, thinned, to_x
from .data import CLIPS
from .elements import camera
from .files import whole

RATES = ("12+12", "12+28", "12+60")  # kbit/s of detection + enhancement
LENGTH = 110  # frames of a shot: from the first picture, of which little came, to one that has stood for ten seconds
SIZE = (832, 468)  # of what is coded
SCENERY = ("highway_roboflow", "opendatacam_traffic", "cctv_fight_frames", "flickr8k_large", "bsds500", "urban100_sunhays80")
TILE = (416, 312)  # pixels of a still in the scenery that pans and zooms: about its own size, for small pictures enlarged are blurred, and would teach that


def shots(data: Path, count: int, seed: int) -> Iterator[tuple[str, float, np.ndarray]]:
    """(name, frames per second, pictures [n, h, w, 3]); every second is of stills that move."""
    rng = random.Random(seed)
    # Those of 640 pixels and less would have to be enlarged; the dashcam judges what a moving camera gets.
    names = [name for name in CLIPS if not name.startswith(("udacity", "o4n", "tyoh"))]
    for k in range(count):
        if k % 2:
            yield f"stills-{k}", 10.0, _moving(data, rng)
        else:
            name = names[k // 2 % len(names)]
            yield f"{Path(name).stem}-{k}", *_cut(data / "video" / name, rng)


def _cut(path: Path, rng: random.Random) -> tuple[float, np.ndarray]:
    """A part of a clip, seen in whole or in part."""
    every, fps = thinned(path, rng.choice((8.0, 10.0, 12.5)))
    found = [rgb for _, rgb in frames(path, every=every)]
    start = rng.randrange(max(1, len(found) - LENGTH))
    found = found[start : start + LENGTH]
    height, width = found[0].shape[:2]
    part = rng.choice((1.0, rng.uniform(min(1.0, SIZE[0] / width), 1.0)))  # never enlarged by that
    w = int(min(width * part, height * part * SIZE[0] / SIZE[1]))
    h = w * SIZE[1] // SIZE[0]
    left, top = rng.randrange(width - w + 1), rng.randrange(height - h + 1)
    mirrored, gain = rng.random() < 0.5, rng.uniform(0.8, 1.15)
    made = []
    for rgb in found:
        cut = rgb[top : top + h, left : left + w]
        cut = cv2.resize(cut, SIZE, interpolation=cv2.INTER_AREA if w > SIZE[0] else cv2.INTER_CUBIC)
        made.append(cv2.convertScaleAbs(cut[:, ::-1] if mirrored else cut, alpha=gain))
    return fps, np.stack(made)


def _moving(data: Path, rng: random.Random) -> np.ndarray:
    """Nine stills side by side, panned and zoomed at changing speeds."""
    tiles = []
    for _ in range(9):
        path = rng.choice(sorted((data / "images" / rng.choice(SCENERY)).iterdir()))
        tiles.append(cv2.resize(picture(path), TILE, interpolation=cv2.INTER_AREA))
    scene = np.concatenate([np.concatenate(tiles[k : k + 3], 1) for k in (0, 3, 6)])
    height, width = scene.shape[:2]
    x, y, zoom = width / 2, height / 2, 1.0
    vx, vy, growth = rng.gauss(0, 3), rng.gauss(0, 1.5), rng.gauss(0, 0.006)
    made = []
    for k in range(LENGTH):
        if k % 25 == 24:
            vx, vy, growth = rng.gauss(0, 3), rng.gauss(0, 1.5), rng.gauss(0, 0.006)
        zoom = min(max(zoom * (1 + growth), 0.7), 1.05)
        half = (SIZE[0] / zoom / 2, SIZE[1] / zoom / 2)
        vx = -vx if not half[0] < x + vx < width - half[0] else vx
        vy = -vy if not half[1] < y + vy < height - half[1] else vy
        x, y = np.clip(x + vx, half[0], width - half[0]), np.clip(y + vy, half[1], height - half[1])
        matrix = np.array([[zoom, 0, SIZE[0] / 2 - zoom * x], [0, zoom, SIZE[1] / 2 - zoom * y]], np.float32)
        made.append(cv2.warpAffine(scene, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(made)


def through(pictures: np.ndarray, fps: float, rates: str, bundle: Path, coder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Latents [n, c, h, w] of the view and of the layer, as a receiver has them."""
    identity = tomllib.loads((bundle / "manifest.toml").read_text())["id"]
    with tempfile.TemporaryDirectory() as folder:
        source, stream, name = (Path(folder) / part for part in ("source.rgb", "stream.cis", "received"))
        pipeline = f"{camera(pictures, fps, rates, source, [f'model={bundle}'])} ! filesink location={stream}"
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)
        subprocess.run([coder, "received", "--bundle", identity, "--folder", bundle, "--output", name, stream], check=True, stdout=subprocess.DEVNULL)
        return tuple(_dump(Path(f"{name}.{layer}.f32")) for layer in "yz")


def _dump(path: Path) -> np.ndarray:
    about = json.loads(path.with_suffix(".json").read_text())
    values = np.fromfile(path, "<f4").reshape(about["frames"], about["channels"], about["h"], about["w"])
    return values.astype(np.float16)


@dataclass
class Received:
    """Draws batches of runs of pictures: (latents of the view [past + 2, n, c, h, w], those of the layer, x of the last two [2, n, 3, h, w]); some runs have no layer."""

    shots: list[tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]
    size: int
    past: int
    random: random.Random
    absent: float = 0.25  # share of the runs without the layer

    @classmethod
    def load(cls, folder: Path, size: int, past: int, seed: int) -> "Received":
        """`size`: side of the crops in pixels of x, a multiple of 32; `past`: pictures at most before the two that count. The shots stay on the disk."""
        found = []
        for path in sorted(folder.glob("*.x.npy")):
            name = str(path)[: -len(".x.npy")]
            received = [tuple(np.load(f"{name}.{rates}.{layer}.npy", mmap_mode="r") for layer in "yz") for rates in RATES]
            found.append((np.load(path, mmap_mode="r"), received))
        if not found:
            raise FileNotFoundError(f"no shots in {folder}")
        return cls(found, size, past, random.Random(seed))

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        length = self.random.randint(2, self.past + 2)
        runs = [self._run(length) for _ in range(n)]
        return tuple(torch.from_numpy(np.stack([run[k] for run in runs], 1)).float() for k in range(3))

    def _run(self, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = self.random
        x, received = rng.choice(self.shots)
        y, z = rng.choice(received)
        start, side = rng.randrange(len(x) - length + 1), self.size // 32
        top, left = (rng.randrange(have - side + 1) for have in y.shape[-2:])

        def cut(a: np.ndarray, scale: int, first: int) -> np.ndarray:
            return np.array(a[first : start + length, :, top * scale : (top + side) * scale, left * scale : (left + side) * scale])

        layer = cut(z, 2, start)
        if rng.random() < self.absent:
            layer = np.zeros_like(layer)
        return cut(y, 1, start), layer, cut(x, 32, start + length - 2)


def keep(array: np.ndarray, path: Path) -> None:
    """A stop at any moment leaves no half a shot: one counts from when its x is there, which comes last."""
    with whole(path) as file:
        np.save(file, array)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "coder", "bundle", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, fps, pictures in shots(args.data, args.shots, args.seed):
        for rates in RATES:
            for layer, latents in zip("yz", through(pictures, fps, rates, args.bundle.resolve(), args.coder), strict=True):
                keep(latents, args.out / f"{name}.{rates}.{layer}.npy")
        x = np.stack([to_x(rgb, SIZE[0], 64)[0] for rgb in pictures])
        keep(x.transpose(0, 3, 1, 2), args.out / f"{name}.x.npy")
        print(f"{name}: {len(pictures)} pictures, {fps:.1f} a second", flush=True)


if __name__ == "__main__":
    main()
