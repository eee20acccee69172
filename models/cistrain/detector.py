"""The two parts of a detector, and how their heads decode."""

from pathlib import Path

import torch
from torch import Tensor, nn

from .families import Family
from .onnxgraph import OnnxGraph, convolution_output


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
        if family.keep:
            for level in family.heads:
                self._drop_classes(family, level[-1])

    def _drop_classes(self, family: Family, weight: str) -> None:
        """Removes the outputs of classes that are not kept from the convolution that makes them, whose first outputs they are."""
        for name in self.graph.parameters_of(weight):
            value = self.graph.weights[name]
            rest = range(len(family.classes), len(value))
            self.graph.weights[name] = nn.Parameter(value.detach()[[*family.kept, *rest]].clone())

    def forward(self, features: Tensor) -> list[Tensor]:
        raw = self.graph(features)
        n = self.per_level
        return [torch.cat(raw[i : i + n], 1) for i in range(0, len(raw), n)]


def grid(level: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row numbers of the cells of a [n, c, h, w] tensor, each [1, h * w]; sizes stay dynamic in ONNX."""
    ones = torch.ones_like(level[:1, 0])
    xs, ys = ones.cumsum(2) - 1, ones.cumsum(1) - 1
    return xs.flatten(1), ys.flatten(1)


def decode(family: Family, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Raw head outputs to boxes [n, anchors, 4] (x1 y1 x2 y2, detector pixels) and scores [n, anchors, classes] in 0..1."""
    one = decode_yolox if family.kind == "yolox" else decode_nanodet(len(family.names))
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


def decode_nanodet(classes: int):
    """The decoder of heads with so many classes; the rest of the channels are the bins of four distances."""

    def one(level: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        xs, ys = grid(level)
        flat = level.flatten(2).transpose(1, 2)
        count = (flat.shape[-1] - classes) // 4
        distances = [torch.softmax(flat[..., classes + count * i : classes + count * (i + 1)], -1) for i in range(4)]
        bins = torch.arange(count, dtype=flat.dtype, device=flat.device)
        left, top, right, bottom = ((d * bins).sum(-1) for d in distances)
        boxes = torch.stack([xs - left, ys - top, xs + right, ys + bottom], -1) * stride
        return boxes, torch.sigmoid(flat[..., :classes])

    return one
