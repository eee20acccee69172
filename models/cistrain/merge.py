"""The camera's graph as ONNX Runtime runs it fastest: information squeezing, normalisation and the detector's first convolution as three plain convolutions.

Average pooling, pixel shuffle, subtraction and scaling leave the runtime's blocked layout and cost more than the convolutions around them. All of them
are linear, so they fold into weights, exactly: the hidden channels are the 12 averages of the block of x behind 2x2 pixels of x_s (never negative, so that ReLU lets them pass),
the learned residual, and a constant 1 that carries biases up to the border.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .networks import Front, InformationSqueeze

PHASES = 12  # values of 2x2 pixels of x_s (RGB)
MULTIPLE = 8  # hidden channels come in blocks of so many


class MergedSqueeze(nn.Module):
    """x RGB 0..255 [n, 3, h, w] -> hidden channels at half the size of x_s, from which x_s is a linear map."""

    def __init__(self, squeeze: InformationSqueeze):
        super().__init__()
        width = squeeze.spatial.out_channels
        hidden = -(-(PHASES + width + 1) // MULTIPLE) * MULTIPLE
        self.learned, self.one = slice(PHASES, PHASES + width), PHASES + width
        self.first, self.middle = nn.Conv2d(3, hidden, 2 * squeeze.factor, 2 * squeeze.factor), nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden)
        self._write(squeeze)

    @torch.no_grad()
    def _write(self, squeeze: InformationSqueeze) -> None:
        for layer in (self.first, self.middle):
            layer.weight.zero_()
            layer.bias.zero_()
        k = squeeze.factor
        for c in range(3):
            for i in range(2):
                for j in range(2):
                    self.first.weight[4 * c + 2 * i + j, c, k * i : k * (i + 1), k * j : k * (j + 1)] = 1 / k**2
        u = squeeze.unshuffle
        self.first.weight[self.learned] = u.weight / 64
        self.first.bias[self.learned] = u.bias - 2 * u.weight.sum((1, 2, 3))
        self.first.bias[self.one] = 1
        self.middle.weight[:PHASES, 0, 1, 1] = 1
        self.middle.weight[self.one, 0, 1, 1] = 1
        self.middle.weight[self.learned], self.middle.bias[self.learned] = squeeze.spatial.weight, squeeze.spatial.bias
        self.phases = torch.zeros(PHASES, self.first.out_channels)
        self.phases[:, :PHASES] = torch.eye(PHASES)
        self.phases[:, self.learned] = 64 * squeeze.project.weight.flatten(1)
        self.phases[:, self.one] = 64 * squeeze.project.bias

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.middle(F.relu(self.first(x))))


class SqueezedPicture(nn.Module):
    """x uint8 [n, 3, h, w] -> x_s, for looking at."""

    def __init__(self, front: Front):
        super().__init__()
        self.hidden = MergedSqueeze(front.squeeze_picture)
        self.phases = nn.Parameter(self.hidden.phases[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(F.conv2d(self.hidden(x.float()), self.phases), 2)


class MergedFront(nn.Module):
    """x uint8 [n, 3, h, w] -> latents. Detectors that do not begin with a 3x3 convolution of stride 2 keep their own first steps."""

    def __init__(self, front: Front):
        super().__init__()
        self.front, self.stem = front, front.trunk.graph.stem()
        if self.stem is None:
            return
        weight, bias, _ = self.stem
        self.hidden = MergedSqueeze(front.squeeze_picture)
        self.last = nn.Conv2d(self.hidden.first.out_channels, len(weight), 2)
        self._write(weight, bias)

    @torch.no_grad()
    def _write(self, weight: Tensor, bias: Tensor) -> None:
        mean, scale = self.front.normalise.mean.flatten().flip(0), self.front.normalise.scale.flatten().flip(0)  # RGB
        phases = self.hidden.phases.clone()
        for c in range(3):
            phases[4 * c : 4 * c + 4, self.hidden.one] -= mean[c]
            phases[4 * c : 4 * c + 4] *= scale[c]
        self.last.weight.zero_()
        self.last.bias.copy_(bias)
        # Offset -1 of the 3x3 kernel is the second phase of the cell before, 0 and 1 are the phases of the cell itself.
        where = ((0, 1), (1, 0), (1, 1))
        for ky, (cy, i) in enumerate(where):
            for kx, (cx, j) in enumerate(where):
                for c in range(3):
                    self.last.weight[:, :, cy, cx] += weight[:, 2 - c, ky, kx, None] * phases[4 * c + 2 * i + j]

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        if self.stem is None:
            return self.front(x)[0]
        stem = self.last(F.pad(self.hidden(x), (1, 0, 1, 0)))
        return self.front.squeeze(self.front.trunk.graph.resume(stem)[0])
