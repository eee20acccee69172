"""The operator's view: dequantised latents -> RGB at the resolution of x, about 1.9 GMAC at 832x512. Where x is larger than twice x_s, the picture is
made at twice x_s and enlarged: nothing of what is beyond came over the wire.

The transform of the enhancement layer (`enhance.py`) draws its coefficients, or where none came what its predictor makes of the latents; a pixel-shuffle decoder,
silent at the start, adds what is learned on top. On its way it takes in those coefficients, and what it remembers of the picture before, so that what stands still does
not flicker. Where the layer said much, what was received counts: the decoder then adds only what the coefficients do not hold (data consistency).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .enhance import ENHANCED, GREY, STRIDE, Transform
from .families import Family
from .networks import PlainBlock, zero

WIDTHS = (128, 96, 48, 32)  # channels at 32, 16, 8 and 4 pixels of the picture
FINE = 12  # channels at 2 pixels
SURE = 2  # coefficients of a block that are not zero from which on they count alone for what they hold
STAGES = (6, 18, ENHANCED)  # a block is sent up to one of these (codec/src/encode/progressive); where all beyond is zero, little is known of it:
FREE = 0.25  # there the decoder may add so much, 16 grey levels of a coefficient, or more of what moves would be smooth
HELD = 0.9  # most of the past that a place keeps: what went wrong once fades, however long the stream


class Memory(nn.Module):
    """Blends features with those of the picture before, place by place: h + g (past - h), with g learned from both and at most `HELD`. A past of zeros is none."""

    def __init__(self, width: int):
        super().__init__()
        self.own, self.past = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1, bias=False)
        nn.init.constant_(self.own.bias, -3.0)

    def forward(self, h: Tensor, past: Tensor | None) -> Tensor:
        if past is None:
            return h
        there = (past.abs().amax((1, 2, 3), keepdim=True) > 0).to(h.dtype)
        return h + HELD * there * torch.sigmoid(self.own(h) + self.past(past)) * (past - h)


class Restore(nn.Module):
    """Latents [n, c, h, w], latents of the enhancement layer [n, ENHANCED, 2h, 2w] (a block of zeros: nothing came) and a state [n, WIDTHS[2], 4h, 4w] -> RGB 0..255 [n, 3, h * stride,
    w * stride] (may leave that range) and the next state. Absent inputs count as zeros."""

    def __init__(self, family: Family):
        super().__init__()
        self.enlarge = family.latent_stride // STRIDE
        self.transform = Transform(family)
        self.enter = nn.Conv2d(family.latents, WIDTHS[0], 3, 1, 1)
        self.at32 = nn.Sequential(PlainBlock(WIDTHS[0]), *_finer(WIDTHS[0], WIDTHS[1]))
        self.coefficients = nn.Conv2d(ENHANCED, WIDTHS[1], 3, 1, 1, bias=False)
        self.layer = nn.Conv2d(ENHANCED, WIDTHS[1], 1, bias=False)
        self.at16 = nn.Sequential(PlainBlock(WIDTHS[1]), PlainBlock(WIDTHS[1]), *_finer(WIDTHS[1], WIDTHS[2]))
        self.at8, self.memory = PlainBlock(WIDTHS[2]), Memory(WIDTHS[2])
        self.at4 = nn.Sequential(*_finer(WIDTHS[2], WIDTHS[3]), PlainBlock(WIDTHS[3]))
        # Neighbouring cells of the last pixel shuffles meet in a convolution at half resolution, or their borders would show as a grid.
        self.leave = nn.Sequential(*_finer(WIDTHS[3], FINE), zero(nn.Conv2d(FINE, 3 * 4, 3, 1, 1)), nn.PixelShuffle(2))

    def forward(self, latents: Tensor, enhanced: Tensor | None = None, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        known, spread = self.transform.predict(latents), self.transform.spread[:, None, None]
        h = self.at32(self.enter(latents))
        if enhanced is not None:
            came = (enhanced != 0).to(enhanced.dtype).sum(1, keepdim=True)
            news = came.clamp(max=1.0) * (enhanced - known)
            known = known + news
            h = h + self.layer(news / spread)
        h = self.at16(h + self.coefficients(known / spread))
        state = self.memory(self.at8(h), state)
        added = self.leave(self.at4(state))
        if enhanced is not None:
            share = self.transform.share(added)
            free = (1.0 - _sent(enhanced)) * share.clamp(-FREE, FREE)
            known = known - (came / SURE).clamp(max=1.0) * (share - free)
        picture = self.transform.picture(known) + GREY * added
        if self.enlarge > 1:
            picture = F.interpolate(picture, scale_factor=float(self.enlarge), mode="bilinear", align_corners=False)
        return picture, state


def _sent(enhanced: Tensor) -> Tensor:
    """1 for the coefficients of a block up to the stage that it was sent to, 0 beyond."""
    there, parts = (enhanced != 0).to(enhanced.dtype), []
    for start, end in zip((0, *STAGES), STAGES):
        parts.append(there[:, start:].amax(1, keepdim=True).expand(-1, end - start, -1, -1))
    return torch.cat(parts, 1)


def _finer(before: int, after: int) -> list[nn.Module]:
    """Twice the resolution. The activation comes before the shuffle, where the runtime folds it into the convolution."""
    return [nn.Conv2d(before, 4 * after, 1), nn.LeakyReLU(0.1), nn.PixelShuffle(2)]
