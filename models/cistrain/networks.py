"""The networks of a bundle: information squeezing and front on the camera, expansion and detector on the receiver.

Pictures are float RGB 0..255 in NCHW inside this package; the exported graphs take and give uint8 NHWC (export.py).
"""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from .detector import Back, Normalise, Trunk, decode
from .families import Family


class InformationSqueeze(nn.Module):
    """x -> x_s: average pooling plus a learned residual that carries over what plain down-scaling throws away.

    The first convolution sees the block of x behind 2x2 pixels of x_s and nothing else: pixel-unshuffle followed by a 1x1 convolution. The residual
    starts at zero.
    """

    def __init__(self, factor: int, width: int = 3):
        super().__init__()
        self.factor = factor
        self.unshuffle = nn.Conv2d(3, width, 2 * factor, 2 * factor)
        self.spatial = nn.Conv2d(width, width, 3, 1, 1, groups=width)
        self.project = zero(nn.Conv2d(width, 3 * 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        residual = F.relu(self.unshuffle((x - 128) / 64))
        residual = F.pixel_shuffle(self.project(F.relu(self.spatial(residual))), 2)
        return F.avg_pool2d(x, self.factor) + 64 * residual


class Squeeze(nn.Module):
    """Stride-8 features -> latents at stride 16 of x_s: a 2x2 linear map, PCA at the start. What it costs goes into latents, not into hidden layers."""

    def __init__(self, features: int, channels: int):
        super().__init__()
        self.linear = nn.Conv2d(features, channels, 2, 2)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features)


class Expand(nn.Module):
    """Dequantised latents -> stride-8 features: the inverse linear map plus residual blocks that start at zero."""

    def __init__(self, features: int, channels: int, width: int = 96, blocks: int = 3):
        super().__init__()
        self.linear = nn.Conv2d(channels, 4 * features, 1)
        self.enter = nn.Conv2d(channels, width, 3, 1, 1)
        self.blocks = nn.Sequential(*[ResidualBlock(width) for _ in range(blocks)])
        self.leave = zero(nn.Conv2d(width, 4 * features, 1))

    def forward(self, latents: Tensor) -> Tensor:
        residual = self.leave(F.silu(self.blocks(self.enter(latents))))
        return F.pixel_shuffle(self.linear(latents) + residual, 2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the second starts at zero, so that deep stacks start as the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = zero(nn.Conv2d(width, width, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class PlainBlock(ResidualBlock):
    """The same with one activation, which follows a convolution, where runtimes fold it in."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.first(x), 0.1))


class Front(nn.Module):
    """Everything that runs on the camera: x -> (latents, x_s)."""

    def __init__(self, family: Family, weights: Path):
        super().__init__()
        self.family = family
        self.squeeze_picture = InformationSqueeze(family.squeeze)
        self.normalise = Normalise(family)
        self.trunk = Trunk(family, weights)
        self.squeeze = Squeeze(self.trunk.graph.channels_of(family.cut), family.latents)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x_s = self.squeeze_picture(x)
        return self.squeeze(self.trunk(self.normalise(x_s))), x_s


class Detect(nn.Module):
    """Everything that finds objects on the receiver: dequantised latents -> raw head outputs."""

    def __init__(self, family: Family, weights: Path):
        super().__init__()
        self.family = family
        self.back = Back(family, weights)
        self.expand = Expand(self.back.graph.channels_of(family.cut), family.latents)

    def forward(self, latents: Tensor) -> list[Tensor]:
        return self.back(self.expand(latents))

    def boxes(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes in pixels of x and scores."""
        boxes, scores = decode(self.family, self(latents))
        return boxes * self.family.squeeze, scores


class Teacher(nn.Module):
    """The unsplit detector on the plainly down-scaled picture: x -> (stride-8 features, raw head outputs)."""

    def __init__(self, family: Family, weights: Path):
        super().__init__()
        self.family = family
        self.normalise = Normalise(family)
        self.trunk = Trunk(family, weights)
        self.back = Back(family, weights)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.trunk(self.normalise(F.avg_pool2d(x, self.family.squeeze)))
        return features, self.back(features)


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights and bias at zero: a residual branch that starts silent."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
