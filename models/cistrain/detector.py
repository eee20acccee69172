"""The detectors that can be split: where to cut them, how they want their pixels, how their heads decode."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .onnxgraph import OnnxGraph, convolution_output


@dataclass(frozen=True)
class Family:
    """What differs between the detectors; `heads` maps each level's raw convolutions to weights in the file."""

    file: str
    input: str
    cut: str
    cut_channels: int
    strides: tuple[int, ...]
    heads: tuple[tuple[str, ...], ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


FAMILIES = {
    "yolox-nano": Family(
        file="yolox_nano.onnx",
        input="images",
        cut="781",
        cut_channels=64,
        strides=(8, 16, 32),
        heads=tuple(tuple(f"head.{k}_preds.{i}.weight" for k in ("reg", "obj", "cls")) for i in range(3)),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    ),
    "nanodet-plus-m-1.5x": Family(
        file="nanodet-plus-m-1.5x_416_dequant_fp32.onnx",
        input="data",
        cut="32",
        cut_channels=176,
        strides=(8, 16, 32, 64),
        heads=tuple((f"conv_{n}.weight",) for n in (77, 80, 83, 86)),
        mean=(103.53, 116.28, 123.675),
        std=(57.375, 57.12, 58.395),
    ),
}


class Normalise(nn.Module):
    """RGB 0..255 to what the detector was trained on (BGR, mean and deviation)."""

    def __init__(self, family: Family):
        super().__init__()
        self.register_buffer("mean", torch.tensor(family.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / torch.tensor(family.std).view(1, 3, 1, 1))

    def forward(self, rgb: Tensor) -> Tensor:
        return (rgb.flip(1) - self.mean) * self.scale


class Trunk(nn.Module):
    """First stages of the detector: normalised picture to stride-8 features."""

    def __init__(self, family: Family, weights: Path):
        super().__init__()
        self.graph = OnnxGraph(weights / family.file, [family.input], [family.cut])

    def forward(self, picture: Tensor) -> Tensor:
        return self.graph(picture)[0]


class Back(nn.Module):
    """The rest of the detector: stride-8 features to raw head outputs, one [n, values, h, w] tensor a level."""

    def __init__(self, family: Family, weights: Path):
        super().__init__()
        path = weights / family.file
        names = [convolution_output(path, w) for level in family.heads for w in level]
        self.per_level = len(family.heads[0])
        self.graph = OnnxGraph(path, [family.cut], names)

    def forward(self, features: Tensor) -> list[Tensor]:
        raw = self.graph(features)
        n = self.per_level
        return [torch.cat(raw[i : i + n], 1) for i in range(0, len(raw), n)]


def grid(level: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row numbers of the cells of a [n, c, h, w] tensor, each [1, h * w]; sizes stay dynamic in ONNX."""
    ones = torch.ones_like(level[:1, 0])
    xs, ys = ones.cumsum(2) - 1, ones.cumsum(1) - 1
    return xs.flatten(1), ys.flatten(1)


def decode(family_name: str, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Raw head outputs to boxes [n, anchors, 4] (x1 y1 x2 y2, detector pixels) and scores [n, anchors, 80] in 0..1."""
    family = FAMILIES[family_name]
    one = decode_yolox if family_name.startswith("yolox") else decode_nanodet
    parts = [one(level, stride) for level, stride in zip(levels, family.strides, strict=True)]
    return torch.cat([p[0] for p in parts], 1), torch.cat([p[1] for p in parts], 1)


def decode_yolox(level: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    xs, ys = grid(level)
    flat = level.flatten(2).transpose(1, 2)
    cx, cy = (flat[..., 0] + xs) * stride, (flat[..., 1] + ys) * stride
    half = flat[..., 2:4].clamp(max=8).exp() * (stride / 2)
    hw, hh = half[..., 0], half[..., 1]
    boxes = torch.stack([cx - hw, cy - hh, cx + hw, cy + hh], -1)
    return boxes, torch.sigmoid(flat[..., 4:5]) * torch.sigmoid(flat[..., 5:])


def decode_nanodet(level: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    xs, ys = grid(level)
    flat = level.flatten(2).transpose(1, 2)
    distances = [torch.softmax(flat[..., 80 + 8 * i : 88 + 8 * i], -1) for i in range(4)]
    bins = torch.arange(8, dtype=flat.dtype, device=flat.device)
    left, top, right, bottom = ((d * bins).sum(-1) for d in distances)
    boxes = torch.stack([xs - left, ys - top, xs + right, ys + bottom], -1) * stride
    return boxes, torch.sigmoid(flat[..., :80])
