"""Reading clips and pictures, and the geometry of docs/bundle.md: scale to x, pad, and back."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

PAD = 114


@dataclass(frozen=True)
class Geometry:
    """How a frame of width x height source pixels lies in x."""

    width: int
    height: int
    scale: float
    content: tuple[int, int]
    x: tuple[int, int]

    @classmethod
    def of(cls, width: int, height: int, long_side: int, multiple: int) -> "Geometry":
        """`long_side` of the content and what the sides of x are multiples of: `squeeze * input-size` and `multiple` of a manifest."""
        scale = long_side / max(width, height)
        content = (max(1, round(width * scale)), max(1, round(height * scale)))
        x = tuple(-(-side // multiple) * multiple for side in content)
        return cls(width, height, scale, content, x)


def to_x(rgb: np.ndarray, long_side: int, multiple: int) -> tuple[np.ndarray, Geometry]:
    """A picture scaled and padded to x, uint8 HWC."""
    g = Geometry.of(rgb.shape[1], rgb.shape[0], long_side, multiple)
    method = cv2.INTER_AREA if g.scale < 1 else cv2.INTER_LINEAR
    x = np.full((g.x[1], g.x[0], 3), PAD, np.uint8)
    x[: g.content[1], : g.content[0]] = cv2.resize(rgb, g.content, interpolation=method)
    return x, g


def frames(path: Path, limit: int | None = None, every: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    """(frame number from 0, RGB picture) of a clip."""
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise FileNotFoundError(f"{path} cannot be opened as a clip")
    number = 0
    while limit is None or number < limit:
        ok, bgr = capture.read()
        if not ok:
            break
        if number % every == 0:
            yield number, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        number += 1
    capture.release()


def rate_of(path: Path) -> float:
    """Frames per second of a clip."""
    return float(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS))


def thinned(path: Path, rate: float = 10.0) -> tuple[int, float]:
    """(n, frames per second) such that every n-th frame of a clip makes about `rate` frames per second."""
    own = rate_of(path)
    every = max(1, round(own / rate))
    return every, own / every


def picture(path: Path) -> np.ndarray:
    """A still as RGB."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise FileNotFoundError(f"{path} cannot be read as a picture")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
