"""Training material: pairs of pictures that follow each other, as crops of x.

A pair is two near frames of a real clip, or a still and the same still slightly moved; both get their own sensor noise. What
stands still in a pair must cost nothing, and this is where the networks see it.
"""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .clips import frames, picture

# Kept out of training: opencv_vtest, robs_mall and intel_person-bicycle-car judge the result, coco2017_sample its classes.
CLIPS = {
    "intel_car-detection.mp4": 1.0,
    "intel_one-by-one-person.mp4": 1.5,
    "udacity_solidWhiteRight.mp4": 0.5,
    "o4n_traffic.mp4": 1.5,
    "sam2_05_default_juggle.mp4": 1.0,
    "ken_night.mp4": 0.7,
    "tyoh_shop.mp4": 1.5,
    "cotracker_bear.mp4": 0.5,
}
STILLS = {
    "voc2012_animals": 1.0,
    "voc2012_misc": 1.0,
    "highway_roboflow": 1.0,
    "cctv_clinic": 2.0,
    "cctv_fight_frames": 2.0,
    "tud_pedestrians": 2.0,
    "tud_pedestrians_unlabelled": 2.0,
    "flickr8k_large": 1.5,
    "jetson_samples": 1.5,
    "opendatacam_traffic": 2.0,
    "indoor_map_sample": 1.0,
    "bsds500": 0.5,
    "urban100_sunhays80": 0.5,
    "imagenet_sample": 0.4,
    "catsdogs": 0.4,
    "grocery": 0.4,
}


@dataclass
class Material:
    """Paths of stills and decoded bursts of clips (each a list of consecutive frames about 0.1 s apart)."""

    stills: list[Path] = field(default_factory=list)
    still_weights: list[float] = field(default_factory=list)
    bursts: list[list[np.ndarray]] = field(default_factory=list)
    burst_weights: list[float] = field(default_factory=list)

    @classmethod
    def load(cls, data: Path, bursts_per_clip: int = 40, burst: int = 3) -> "Material":
        made = cls()
        listing = json.loads((data / "images" / "annotations.json").read_text())
        for entry in listing["images"]:
            if weight := STILLS.get(entry["source"]):
                made.stills.append(data / "images" / entry["file_name"])
                made.still_weights.append(weight)
        for name, weight in CLIPS.items():
            found = list(_bursts(data / "video" / name, bursts_per_clip, burst))
            made.bursts += found
            made.burst_weights += [weight / max(1, len(found))] * len(found)
        return made


def _bursts(path: Path, count: int, length: int):
    """Evenly spread runs of frames about 0.1 s apart, scaled to at most 832 pixels."""
    capture = cv2.VideoCapture(str(path))
    total, fps = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    stride = max(1, round(fps / 10))
    starts = np.linspace(0, max(0, total - 1 - stride * length), min(count, max(1, total // (stride * length)))).astype(int)
    wanted = {int(s) + k * stride: int(s) for s in starts for k in range(length)}
    held: dict[int, list[np.ndarray]] = {}
    for number, rgb in frames(path):
        if number in wanted:
            factor = min(1.0, 832 / max(rgb.shape[:2]))
            if factor < 1:
                rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            held.setdefault(wanted[number], []).append(rgb)
    return [h for h in held.values() if len(h) > 1]


class Pairs:
    """Draws batches of pairs of crops of x: (with sensor noise, without), each [2, n, 3, size, size] float 0..255."""

    def __init__(self, material: Material, size: int, seed: int, clip_share: float = 0.5):
        self.material, self.size, self.clip_share = material, size, clip_share
        self.random = random.Random(seed)
        # Noise is cut out of one large field: drawing it afresh would cost more than the networks' own step.
        self.noise = np.random.default_rng(seed).standard_normal((3 * size, 3 * size, 3), np.float32)

    def batch(self, n: int) -> tuple[Tensor, Tensor]:
        pairs = [self._pair() for _ in range(n)]
        noisy, clean = (np.stack([np.stack([p[i][kind] for p in pairs]) for i in (0, 1)]) for kind in (0, 1))
        both = torch.from_numpy(np.stack([noisy, clean])).permute(0, 1, 2, 5, 3, 4).contiguous().float()
        return both[0], both[1]

    def _pair(self) -> list[tuple[np.ndarray, np.ndarray]]:
        rng, m = self.random, self.material
        clip = m.bursts and (not m.stills or rng.random() < self.clip_share)
        if clip:
            burst = rng.choices(m.bursts, m.burst_weights)[0]
            i = rng.randrange(len(burst) - 1)
            first, second = burst[i], burst[i + 1]
            low, high = 0.7, 1.3
        else:
            first = second = picture(rng.choices(m.stills, m.still_weights)[0])
            low, high = 0.8, 2.1
        zoom = self.size / max(first.shape[:2])
        scale = max(zoom if rng.random() < 0.15 else 0.0, rng.uniform(low, high))
        scale = max(scale, self.size / (1.6 * min(first.shape[:2])))
        at = (rng.random(), rng.random())
        moved = (0.0, 0.0, 1.0)
        if not clip and rng.random() < 0.5:
            moved = (rng.gauss(0, 4), rng.gauss(0, 4), 1 + rng.gauss(0, 0.01))
        flip, gain, offset = rng.random() < 0.5, rng.uniform(0.75, 1.2), rng.uniform(-15, 15)
        sigma = rng.choice([0.0, 1.0, 2.0, 4.0])
        made = []
        for image, (dx, dy, zoom) in ((first, (0.0, 0.0, 1.0)), (second, moved)):
            crop = self._crop(image, scale * zoom, at, dx, dy)
            clean = cv2.convertScaleAbs(crop[:, ::-1] if flip else crop, alpha=gain, beta=offset)
            made.append((self._noisy(clean, sigma) if sigma else clean, clean))
        return made

    def _noisy(self, image: np.ndarray, sigma: float) -> np.ndarray:
        top, left = self.random.randrange(2 * self.size), self.random.randrange(2 * self.size)
        noise = self.noise[top : top + self.size, left : left + self.size]
        return np.clip(image + sigma * noise + 0.5, 0, 255).astype(np.uint8)

    def _crop(self, image: np.ndarray, scale: float, at: tuple[float, float], dx: float, dy: float) -> np.ndarray:
        height, width = image.shape[:2]
        left = at[0] * max(0.0, width * scale - self.size) + dx
        top = at[1] * max(0.0, height * scale - self.size) + dy
        if scale < 0.8:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            scale = 1.0
        matrix = np.array([[scale, 0, -left], [0, scale, -top]], np.float32)
        border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (114, 114, 114)}
        return cv2.warpAffine(image, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR, **border)
