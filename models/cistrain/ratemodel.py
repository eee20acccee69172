"""The training-time estimate of bits: a causal network over quantised latents. It is never deployed.

It predicts a logistic distribution for every symbol from symbols that the real coder knows as well: neighbours above and
to the left, earlier groups of channels at the same place, the previous frame's symbols around it, and the step.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8


class RateModel(nn.Module):
    """Bits per symbol of q [n, c, h, w]; `reference` is the previous frame's q, or None for a key frame."""

    def __init__(self, channels: int, width: int = 96):
        super().__init__()
        self.current = nn.Conv2d(channels, width, 5, 1, 2)
        self.previous = nn.Conv2d(2 * channels, width, 3, 1, 1)
        self.condition = nn.Linear(2, width)
        self.hidden = nn.Conv2d(width, width, 1)
        self.answer = nn.Conv2d(width, 2 * channels, 1)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)
        self.register_buffer("causal", _causal(channels, width), persistent=False)
        self.register_buffer("within", _triangle(width, width), persistent=False)
        self.register_buffer("out", _triangle(2 * channels, width), persistent=False)

    def forward(self, q: Tensor, reference: Tensor | None, qindex: Tensor) -> Tensor:
        scale = 0.5
        h = F.conv2d(_compress(q * scale), self.current.weight * self.causal, self.current.bias, 1, 2)
        inter = torch.zeros_like(qindex) if reference is None else torch.ones_like(qindex)
        h = h + self.condition(torch.stack([(qindex - 32) / 8, inter], -1))[:, :, None, None]
        if reference is not None:
            seen = torch.cat([_compress(reference * scale), (reference.abs() < 0.5).to(q.dtype)], 1)
            h = h + self.previous(seen)
        h = F.silu(h)
        h = F.silu(h + F.conv2d(h, self.hidden.weight * self.within[:, :, None, None], self.hidden.bias))
        answer = F.conv2d(h, self.answer.weight * self.out[:, :, None, None], self.answer.bias)
        n, _, height, width = answer.shape
        answer = answer.view(n, GROUPS, 2, -1, height, width)
        mean, spread = answer[:, :, 0].flatten(1, 2), answer[:, :, 1].flatten(1, 2)
        if reference is not None:
            mean = mean + reference
        inverse = torch.exp(-spread.clamp(-4, 6)) * 3
        return -torch.log2(_mass(q - mean, inverse))


def _compress(q: Tensor) -> Tensor:
    """Keeps small values apart and large ones bounded."""
    return torch.asinh(q)


def _mass(centred: Tensor, inverse: Tensor) -> Tensor:
    """Probability of a unit interval around `centred` under a logistic density, plus a floor for what nobody expected."""
    distance = centred.abs()
    high, low = torch.sigmoid((0.5 - distance) * inverse), torch.sigmoid((-0.5 - distance) * inverse)
    return (high - low) * (1 - 1e-4) + 1e-4 * math.exp(-1) / (1 + distance)


def _group(size: int) -> Tensor:
    return torch.arange(size) * GROUPS // size


def _triangle(outputs: int, inputs: int) -> Tensor:
    """Connections from units of the same or an earlier group."""
    return (_group(outputs)[:, None] >= _group(inputs)[None]).float()


def _causal(channels: int, width: int) -> Tensor:
    """Mask of the 5x5 convolution: everything above and to the left, at the centre only earlier groups."""
    mask = torch.zeros(width, channels, 5, 5)
    mask[:, :, :2] = 1
    mask[:, :, 2, :2] = 1
    mask[:, :, 2, 2] = (_group(width)[:, None] > _group(channels)[None]).float()
    return mask
