"""The enhancement layer: latents z that only a watching operator pays for, about 0.1 GMAC at 832x512 on the camera.

They lie twice as dense as those of detection (16 pixels of x at squeezing factor 2) and are conditioned on them: the network sees what the receiver will have anyway,
y' = q * step, and so need not say it again. Detection's layer is the same with and without.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .families import Family

ENHANCED = 24  # latents of the layer


class Enhance(nn.Module):
    """x [n, 3, h, w] 0..255 and y' [n, c, h / stride, w / stride] -> z [n, ENHANCED, 2h / stride, 2w / stride]."""

    def __init__(self, family: Family, width: int = 48):
        super().__init__()
        stride = family.latent_stride // 4
        self.look = nn.Conv2d(3, width, stride, stride)
        self.spread, self.mix = nn.Conv2d(width, width, 3, 1, 1, groups=width), nn.Conv2d(width, width, 1)
        self.gather = nn.Conv2d(width, 64, 2, 2)
        self.known = nn.Conv2d(family.latents, 64, 1)
        self.leave = nn.Conv2d(64, ENHANCED, 1)
        for layer in self.children():  # latents begin at about the size of a step, or the quantiser would swallow what there is to learn from
            nn.init.kaiming_normal_(layer.weight, 0.1)

    def forward(self, x: Tensor, received: Tensor) -> Tensor:
        h = F.leaky_relu(self.look((x - 128) / 64), 0.1)
        h = F.leaky_relu(h + self.mix(self.spread(h)), 0.1)
        h = self.gather(h) + F.interpolate(self.known(received), scale_factor=2.0, mode="nearest")
        return self.leave(F.leaky_relu(h, 0.1))
