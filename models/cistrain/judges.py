"""What restored pictures are judged by, against the source's: pixels, structure, features of networks, steadiness, and what detectors find in them."""

from pathlib import Path

import cv2
import numpy as np
import torch

from .boxes import average_precision
from .perception import Perceptual, Unseen
from .reference import Reference

SURE = 0.4  # score from which on what a detector finds in the source counts as there, for want of labels
CLASSES = (0, 2, 5, 7)  # person, car, bus, truck among COCO's 80


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise ratio in dB of two pictures of bytes, at most 99."""
    error = np.square(a.astype(np.float64) - b).mean()
    return 99.0 if error == 0 else min(99.0, 10 * np.log10(255**2 / error))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two grey pictures of bytes (Wang et al. 2004: Gaussian window of 11 pixels, sigma 1.5)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    blur = lambda v: cv2.GaussianBlur(v, (11, 11), 1.5)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def luma(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


class Finder:
    """A detector, and what it should find in the chosen pictures: boxes that people drew (persons), or for want of them what it finds in the source."""

    def __init__(self, detector: Reference, source: np.ndarray, chosen: range, persons: list | None, scale: float):
        self.detector, self.chosen, self.scale = detector, chosen, scale
        if persons is not None:
            self.truth = {0: [persons[k] for k in chosen]}
            return
        self.scale = 1.0
        seen = {c: [detector.objects(source[k], c) for k in chosen] for c in CLASSES}
        self.truth = {c: [self._sure(*f) for f in found] for c, found in seen.items() if any((s >= SURE).any() for _, s in found)}

    @staticmethod
    def _sure(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and ignore flags: what it is less sure of counts neither way."""
        there = scores >= SURE / 2
        return boxes[there], scores[there] < SURE

    def __call__(self, pictures: np.ndarray) -> float:
        """AP at an overlap of 0.5, mean of the classes that are there."""
        scores = []
        for index, truth in self.truth.items():
            found = [self.detector.objects(pictures[k], index) for k in self.chosen]
            scores.append(average_precision([(b / self.scale, s) for b, s in found], truth))
        return float(np.mean(scores)) if scores else float("nan")


class Judge:
    """Compares pictures with the source's, at `chosen` frames. `vgg` is what the restoration was trained with, and so is the teacher; `alex` and `yolox` had no part in it."""

    def __init__(self, source: np.ndarray, chosen: range, wheel: Path | None, finders: dict[str, Finder]):
        self.source, self.chosen, self.finders = source, chosen, finders
        self.networks = {"vgg": Perceptual(wheel), "alex": Unseen(wheel)} if wheel else {}
        self.grey = [luma(s) for s in source]

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> dict[str, float]:
        chosen, grey = self.chosen, [luma(p) for p in pictures]
        scores = {"psnr": np.mean([psnr(grey[k], self.grey[k]) for k in chosen]), "ssim": np.mean([ssim(grey[k], self.grey[k]) for k in chosen])}
        change = lambda g, k: g[k + 1].astype(int) - g[k]
        scores["flicker"] = np.mean([np.abs(change(grey, k) - change(self.grey, k)).mean() for k in chosen if k + 1 < len(grey)])
        tensor = lambda rgb: torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float()
        for name, network in self.networks.items():
            scores[name] = np.mean([float(network(tensor(pictures[k]), tensor(self.source[k]))) for k in chosen])
        scores |= {f"ap50 {name}": finder(pictures) for name, finder in self.finders.items()}
        return {k: round(float(v), 4) for k, v in scores.items()}
