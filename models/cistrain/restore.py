"""The operator's view: dequantised latents -> RGB at the resolution of x, about 2.3 GMAC at 832x512. Where x is larger than twice x_s, the picture is
made at twice x_s and enlarged: nothing of what is beyond came over the wire.

A linear predictor (fitted by least squares before any training) draws a picture at a quarter of x's resolution; a
pixel-shuffle decoder, silent at the start, adds what is learned on top.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .families import Family
from .networks import ResidualBlock, zero

STRIDE = 32  # pixels of the picture per latent
COARSE = 4  # pixels of the picture per pixel of the linear picture
CELL = STRIDE // COARSE  # pixels of the linear picture per latent


class Restore(nn.Module):
    """[n, latents, h, w] -> RGB 0..255 [n, 3, h * stride, w * stride] (may leave that range)."""

    def __init__(self, family: Family, widths: tuple[int, ...] = (128, 96, 64, 32), blocks: tuple[int, ...] = (2, 2, 1, 1)):
        super().__init__()
        channels, self.enlarge = family.latents, family.latent_stride // STRIDE
        self.linear = nn.Conv2d(channels, 3 * CELL * CELL, 3, 1, 1)
        self.enter = nn.Conv2d(channels, widths[0], 3, 1, 1)
        stages = []
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            stages += [ResidualBlock(width) for _ in range(count)]
            if i + 1 < len(widths):
                stages += [nn.SiLU(), nn.Conv2d(width, 4 * widths[i + 1], 1), nn.PixelShuffle(2)]
        self.stages = nn.Sequential(*stages)
        self.leave = zero(nn.Conv2d(widths[-1], 3 * COARSE * COARSE, 3, 1, 1))

    def coarse(self, latents: Tensor) -> Tensor:
        """The linear picture, RGB 0..255 at a quarter of x."""
        return 128 + 64 * F.pixel_shuffle(self.linear(latents), CELL)

    def forward(self, latents: Tensor) -> Tensor:
        base = F.interpolate(self.coarse(latents), scale_factor=float(COARSE), mode="bilinear", align_corners=False)
        detail = self.leave(F.silu(self.stages(self.enter(latents))))
        picture = base + 64 * F.pixel_shuffle(detail, COARSE)
        if self.enlarge == 1:
            return picture
        return F.interpolate(picture, scale_factor=float(self.enlarge), mode="bilinear", align_corners=False)


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
        target = F.pixel_unshuffle((F.avg_pool2d(x, x.shape[-1] // (CELL * latents.shape[-1])) - 128) / 64, CELL)
        target = target.permute(0, 2, 3, 1).flatten(0, 2).double()
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
