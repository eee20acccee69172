"""The operator's view: dequantised latents -> RGB at the resolution of x, about 2.5 GMAC at 832x512. Where x is larger than twice x_s, the picture is
made at twice x_s and enlarged: nothing of what is beyond came over the wire.

A linear predictor (fitted by least squares before any training) draws a picture at a quarter of x's resolution; a
pixel-shuffle decoder, silent at the start, adds what is learned on top. On its way it takes in two things that may be absent: latents of the
enhancement layer (`enhance.py`) and what it remembers of the picture before, so that what stands still does not flicker.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .enhance import ENHANCED
from .families import Family
from .networks import ResidualBlock, zero

STRIDE = 32  # pixels of the picture per latent
COARSE = 4  # pixels of the picture per pixel of the linear picture
CELL = STRIDE // COARSE  # pixels of the linear picture per latent
WIDTHS = (128, 96, 64, 32)  # channels at 32, 16, 8 and 4 pixels of the picture
FINE = 12  # channels at 2 pixels


class Memory(nn.Module):
    """Blends features with those of the picture before, place by place: h + g (past - h), with g learned from both. No past counts as zeros."""

    def __init__(self, width: int):
        super().__init__()
        self.own, self.past = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1, bias=False)
        nn.init.constant_(self.own.bias, -3.0)

    def forward(self, h: Tensor, past: Tensor | None) -> Tensor:
        if past is None:
            return h - torch.sigmoid(self.own(h)) * h
        return h + torch.sigmoid(self.own(h) + self.past(past)) * (past - h)


class Restore(nn.Module):
    """Latents [n, c, h, w], latents of the enhancement layer [n, ENHANCED, 2h, 2w] and a state [n, 64, 4h, 4w] -> RGB 0..255 [n, 3, h * stride,
    w * stride] (may leave that range) and the next state. Absent inputs count as zeros."""

    def __init__(self, family: Family):
        super().__init__()
        channels, self.enlarge = family.latents, family.latent_stride // STRIDE
        self.linear = nn.Conv2d(channels, 3 * CELL * CELL, 3, 1, 1)
        self.enter = nn.Conv2d(channels, WIDTHS[0], 3, 1, 1)
        self.at32 = nn.Sequential(ResidualBlock(WIDTHS[0]), ResidualBlock(WIDTHS[0]), *_finer(WIDTHS[0], WIDTHS[1]))
        # Not zero at first: nothing would flow back to the layer, and the price of its bits alone would silence it.
        self.enhanced = nn.Conv2d(ENHANCED, WIDTHS[1], 3, 1, 1, bias=False)
        self.at16 = nn.Sequential(ResidualBlock(WIDTHS[1]), ResidualBlock(WIDTHS[1]), *_finer(WIDTHS[1], WIDTHS[2]))
        self.at8, self.memory = ResidualBlock(WIDTHS[2]), Memory(WIDTHS[2])
        self.at4 = nn.Sequential(*_finer(WIDTHS[2], WIDTHS[3]), ResidualBlock(WIDTHS[3]))
        # Neighbouring cells of the last pixel shuffles meet in a convolution at half resolution, or their borders would show as a grid.
        self.leave = nn.Sequential(*_finer(WIDTHS[3], FINE), nn.SiLU(), zero(nn.Conv2d(FINE, 3 * 4, 3, 1, 1)), nn.PixelShuffle(2))

    def coarse(self, latents: Tensor) -> Tensor:
        """The linear picture, RGB 0..255 at a quarter of the picture's size."""
        return 128 + 64 * F.pixel_shuffle(self.linear(latents), CELL)

    def forward(self, latents: Tensor, enhanced: Tensor | None = None, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = self.at32(self.enter(latents))
        if enhanced is not None:
            h = h + self.enhanced(enhanced)
        state = self.memory(self.at8(self.at16(h)), state)
        base = F.interpolate(self.coarse(latents), scale_factor=float(COARSE), mode="bilinear", align_corners=False)
        picture = base + 64 * self.leave(self.at4(state))
        if self.enlarge > 1:
            picture = F.interpolate(picture, scale_factor=float(self.enlarge), mode="bilinear", align_corners=False)
        return picture, state


def _finer(before: int, after: int) -> list[nn.Module]:
    """Twice the resolution."""
    return [nn.SiLU(), nn.Conv2d(before, 4 * after, 1), nn.PixelShuffle(2)]


class LeastSquares:
    """Fits the linear predictor to examples."""

    def __init__(self, channels: int):
        self.size = 9 * channels + 1
        self.gram = torch.zeros(self.size, self.size, dtype=torch.float64)
        self.cross = torch.zeros(self.size, 3 * CELL * CELL, dtype=torch.float64)

    def add(self, latents: Tensor, x: Tensor) -> None:
        """`latents` [n, c, h, w] as the receiver has them and the pictures x they came from."""
        seen = F.unfold(latents, 3, padding=1).transpose(1, 2).flatten(0, 1).double()
        seen = torch.cat([seen, torch.ones(len(seen), 1, dtype=torch.float64)], 1)
        small = F.avg_pool2d(x, x.shape[-1] // (CELL * latents.shape[-1]))
        target = F.pixel_unshuffle((small - 128) / 64, CELL).permute(0, 2, 3, 1).flatten(0, 2).double()
        self.gram += seen.T @ seen
        self.cross += seen.T @ target

    @torch.no_grad()
    def write(self, restore: Restore, ridge: float = 1e-3) -> None:
        regular = ridge * self.gram.diagonal().mean() * torch.eye(self.size, dtype=torch.float64)
        solution = torch.linalg.solve(self.gram + regular, self.cross).T.float()
        restore.linear.weight.copy_(solution[:, :-1].view(len(solution), -1, 3, 3))
        restore.linear.bias.copy_(solution[:, -1])


def fit(restore: Restore, examples: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Fits the linear predictor of `restore` to (latents, x) examples."""
    squares = LeastSquares(restore.linear.in_channels)
    for latents, x in examples:
        squares.add(latents, x)
    squares.write(restore)
