"""The quantiser of docs/bundle.md and its differentiable stand-ins."""

import numpy as np
import torch
from torch import Tensor

LIMIT = 2047


def step(qindex: Tensor | float):
    """Step of a quantiser index."""
    return 2 ** ((qindex - 32) / 8)


def straight_through(y: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` in value, `y` in gradient."""
    return y + (rounded - y).detach()


def sticky(scaled: Tensor, reference: Tensor, margin: float) -> Tensor:
    """Rounded values that keep the reference symbol until they are `margin` outside its cell."""
    keep = (scaled - reference).abs() <= 0.5 + margin
    return torch.where(keep, reference, scaled.round()).clamp(-LIMIT, LIMIT)


def pair(scaled: Tensor, margin: float) -> Tensor:
    """Symbols of pairs of frames [2, n, ...] as the encoder chooses them: the second's by the first's."""
    first = scaled[0].round()
    return torch.stack([first, sticky(scaled[1], first, margin)])


def beyond(change: Tensor, margin: float) -> Tensor:
    """What of a change costs bits: within the margin the sticky quantiser swallows it."""
    return change.sign() * (change.abs() - margin).clamp(min=0)


def sequence(latents: np.ndarray, qindex: int, margin: float) -> np.ndarray:
    """int16 symbols of a clip [frames, c, h, w] as the encoder chooses them; the first frame has no reference."""
    scaled = latents / np.float32(step(qindex))
    symbols = np.empty(latents.shape, np.int16)
    for i, frame in enumerate(scaled):
        q = np.clip(np.rint(frame), -LIMIT, LIMIT).astype(np.int16)
        if i and margin >= 0:
            keep = np.abs(frame - symbols[i - 1]) <= 0.5 + margin
            q = np.where(keep, symbols[i - 1], q)
        symbols[i] = q
    return symbols
