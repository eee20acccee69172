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

from .answers import Labels
from .classes import COCO_IDS
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


COMPRESSED = 0.2  # share of the pairs that a camera's own codec has been at


@dataclass
class Shot:
    """A picture and what is known of it: boxes [k, 6] in its pixels (x1 y1 x2 y2, class, confidence; confidence 0 marks an area to leave
    alone), and for which classes the list is complete."""

    source: Path | np.ndarray
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 6), np.float32))
    covered: np.ndarray = field(default_factory=lambda: np.zeros(len(COCO_IDS), bool))

    def pixels(self) -> np.ndarray:
        return picture(self.source) if isinstance(self.source, Path) else self.source


@dataclass
class Material:
    """Stills, and bursts of clips (each a list of frames about 0.1 s apart), with the weights by which they are drawn."""

    stills: list[Shot] = field(default_factory=list)
    still_weights: list[float] = field(default_factory=list)
    bursts: list[list[Shot]] = field(default_factory=list)
    burst_weights: list[float] = field(default_factory=list)
    squeeze: int = 2  # pixels of x per pixel of x_s

    @classmethod
    def load(cls, data: Path, sharper: Path | None = None, squeeze: int = 2) -> "Material":
        """All training material of a data folder; `sharper` is the file of the module of that name."""
        made = cls(squeeze=squeeze)
        seen = json.loads(sharper.read_text()) if sharper else {}
        for shot, source in labelled_stills(data / "images"):
            if weight := STILLS.get(source):
                _add(shot, seen.get(f"images/{shot.source.relative_to(data / 'images')}", []))
                made.stills.append(shot)
                made.still_weights.append(weight)
        for name, weight in CLIPS.items():
            found = []
            for burst in bursts(data / "video" / name, 416 * squeeze):
                shots = [Shot(rgb) for _, rgb in burst]
                for shot, (number, _) in zip(shots, burst, strict=True):
                    _add(shot, seen.get(f"video/{name}#{number}", []))
                found.append(shots)
            made.bursts += found
            made.burst_weights += [weight / max(1, len(found))] * len(found)
        return made


VOC = (1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19, 20, 21, 44, 62, 63, 64, 67, 72)
# Of which classes of these sources every object is boxed (COCO ids); `full` sources cover all 80, `partial` ones none.
COMPLETE = {
    "voc2012_animals": VOC,
    "voc2012_misc": VOC,
    "highway_roboflow": (1, 3, 4, 6, 8),
    "cctv_clinic": (1,),
}


def labelled_stills(folder: Path):
    """Every still of `annotations.json` with the boxes that people drew, and its source."""
    listing = json.loads((folder / "annotations.json").read_text())
    column = {c: k for k, c in enumerate(COCO_IDS)}
    held: dict[int, list] = {}
    for a in listing["annotations"]:
        if a["category_id"] in column:
            x, y, w, h = a["bbox"]
            held.setdefault(a["image_id"], []).append((x, y, x + w, y + h, column[a["category_id"]], 0.0 if a.get("iscrowd") else 1.0))
    for entry in listing["images"]:
        shot = Shot(folder / entry["file_name"], np.array(held.get(entry["id"], []), np.float32).reshape(-1, 6))
        covered = COCO_IDS if entry["labels"] == "full" else COMPLETE.get(entry["source"], ())
        shot.covered[[column[c] for c in covered]] = True
        yield shot, entry["source"]


def _add(shot: Shot, boxes: list) -> None:
    """Boxes of the sharper look, where people have not already said all."""
    new = np.array(boxes, np.float32).reshape(-1, 6)
    new = new[~shot.covered[new[:, 4].astype(int)]]
    shot.boxes = np.concatenate([shot.boxes, new])


def bursts(path: Path, long_side: int, count: int = 40, length: int = 3):
    """Evenly spread runs of (number, frame) about 0.1 s apart, scaled to at most `long_side` pixels."""
    capture = cv2.VideoCapture(str(path))
    total, fps = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    stride = max(1, round(fps / 10))
    starts = np.linspace(0, max(0, total - 1 - stride * length), min(count, max(1, total // (stride * length)))).astype(int)
    wanted = {int(s) + k * stride: int(s) for s in starts for k in range(length)}
    held: dict[int, list[tuple[int, np.ndarray]]] = {}
    for number, rgb in frames(path):
        if number in wanted:
            factor = min(1.0, long_side / max(rgb.shape[:2]))
            if factor < 1:
                rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            held.setdefault(wanted[number], []).append((number, rgb))
    return [h for h in held.values() if len(h) > 1]


class Pairs:
    """Draws batches of pairs of crops of x: (with sensor noise, without), each [2, n, 3, size, size] float 0..255, and the labels of all 2n."""

    def __init__(self, material: Material, size: int, seed: int, clip_share: float = 0.5, still_scales: tuple[float, float] = (0.4, 1.05)):
        """Stills are drawn at these scales, in pixels of x_s per pixel of theirs."""
        self.material, self.size, self.clip_share, self.still_scales = material, size, clip_share, still_scales
        self.random = random.Random(seed)
        # Noise is cut out of one large field: drawing it afresh would cost more than the networks' own step.
        self.noise = np.random.default_rng(seed).standard_normal((3 * size, 3 * size, 3), np.float32)

    def batch(self, n: int) -> tuple[Tensor, Tensor, list[Labels]]:
        pairs = [self._pair() for _ in range(n)]
        labels = [p[i][2] for i in (0, 1) for p in pairs]
        noisy, clean = (np.stack([np.stack([p[i][kind] for p in pairs]) for i in (0, 1)]) for kind in (0, 1))
        both = torch.from_numpy(np.stack([noisy, clean])).permute(0, 1, 2, 5, 3, 4).contiguous().float()
        return both[0], both[1], labels

    def _pair(self) -> list[tuple[np.ndarray, np.ndarray, Labels]]:
        rng, m = self.random, self.material
        clip = m.bursts and (not m.stills or rng.random() < self.clip_share)
        if clip:
            burst = rng.choices(m.bursts, m.burst_weights)[0]
            i = rng.randrange(len(burst) - 1)
            shots = burst[i], burst[i + 1]
            first, second = (s.pixels() for s in shots)
            low, high = 0.7, 1.3
        else:
            shots = [rng.choices(m.stills, m.still_weights)[0]] * 2
            first = second = shots[0].pixels()
            low, high = (s * m.squeeze for s in self.still_scales)
        zoom = self.size / max(first.shape[:2])
        scale = max(zoom if rng.random() < 0.15 else 0.0, rng.uniform(low, high))
        scale = max(scale, self.size / (1.6 * min(first.shape[:2])))
        at = (rng.random(), rng.random())
        moved = (0.0, 0.0, 1.0)
        if not clip and rng.random() < 0.5:
            moved = (rng.gauss(0, 2 * m.squeeze), rng.gauss(0, 2 * m.squeeze), 1 + rng.gauss(0, 0.01))
        flip, gain, offset = rng.random() < 0.5, rng.uniform(0.75, 1.2), rng.uniform(-15, 15)
        sigma = rng.choice([0.0, 1.0, 2.0, 4.0])
        quality = rng.randint(25, 80) if rng.random() < COMPRESSED else None
        drift = rng.gauss(0, 1.5) if rng.random() < 0.3 else 0.0
        made = []
        for shot, image, (dx, dy, zoom), brighter in zip(shots, (first, second), ((0.0, 0.0, 1.0), moved), (0.0, drift), strict=True):
            left = at[0] * max(0.0, image.shape[1] * scale * zoom - self.size) + dx
            top = at[1] * max(0.0, image.shape[0] * scale * zoom - self.size) + dy
            crop = self._crop(image, scale * zoom, left, top)
            clean = cv2.convertScaleAbs(crop[:, ::-1] if flip else crop, alpha=gain, beta=offset + brighter)
            labels = self._labels(shot, scale * zoom, left, top, flip)
            noisy = self._noisy(clean, sigma) if sigma else clean
            made.append((_compressed(noisy, quality) if quality else noisy, clean, labels))
        return made

    def _noisy(self, image: np.ndarray, sigma: float) -> np.ndarray:
        top, left = self.random.randrange(2 * self.size), self.random.randrange(2 * self.size)
        noise = self.noise[top : top + self.size, left : left + self.size]
        return np.clip(image + sigma * noise + 0.5, 0, 255).astype(np.uint8)

    def _labels(self, shot: Shot, scale: float, left: float, top: float, flip: bool) -> Labels:
        """The shot's boxes in pixels of the crop's x_s; what the border cuts to less than half is an area to leave alone."""
        boxes = shot.boxes.copy()
        boxes[:, :4] = boxes[:, :4] * scale - [left, top, left, top]
        if flip:
            boxes[:, [0, 2]] = self.size - boxes[:, [2, 0]]
        inside = boxes.copy()
        inside[:, :4] = np.clip(boxes[:, :4], 0, self.size)
        whole, part = ((b[:, 2:4] - b[:, :2]).clip(0).prod(1) for b in (boxes, inside))
        inside[part < 0.5 * whole, 5] = 0.0
        inside = inside[part > 0]
        inside[:, :4] /= self.material.squeeze
        return Labels(torch.from_numpy(inside), torch.from_numpy(shot.covered))

    def _crop(self, image: np.ndarray, scale: float, left: float, top: float) -> np.ndarray:
        if scale < 0.8:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            scale = 1.0
        matrix = np.array([[scale, 0, -left], [0, scale, -top]], np.float32)
        border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (114, 114, 114)}
        return cv2.warpAffine(image, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR, **border)


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture after a JPEG of that quality (1 to 100): blocks and ringing like those of a camera's own codec."""
    _, file = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
