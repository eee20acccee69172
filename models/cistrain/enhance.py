"""The enhancement layer: latents z that only a watching operator pays for, 0.08 GMAC at 832x512 on the camera.

They are the leading coefficients of a Karhunen-Loeve transform of blocks of 16 pixels of the picture (32 of x at squeezing factor 4): the best transform coding there is for the
mean square, so that quality grows with bits as in any picture codec. They say nothing of the latents of detection, y', which change with every figure nearby: what stands still
then stays as it was sent. Where nothing was sent, a linear predictor makes the coefficients of y' at the receiver. Transform and predictor are fitted, not trained. Detection's layer
is the same with and without.
"""

import struct

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .families import Family

ENHANCED = 64  # latents of the layer: 34 dB on clips of cameras if nothing is quantised, 24 latents 29 dB
BLOCK = 16  # pixels of the picture per latent
GREY = 64.0  # grey levels of a unit of a pixel: a step of 1 is then as coarse as one of 64 levels in a picture codec, and all steps worth having are legal
STRIDE = 32  # pixels of the picture per latent of detection


class Transform(nn.Module):
    """What both ends know: the transform [ENHANCED, 3 * BLOCK * BLOCK], the predictor, and the spread of the coefficients."""

    def __init__(self, family: Family):
        super().__init__()
        self.shrink = family.latent_stride // STRIDE
        self.register_buffer("basis", torch.zeros(ENHANCED, 3 * BLOCK * BLOCK))
        self.register_buffer("spread", torch.ones(ENHANCED))
        self.predictor = nn.Conv2d(family.latents, 4 * ENHANCED, 3, 1, 1).requires_grad_(False)

    def coefficients(self, x: Tensor) -> Tensor:
        """A picture [n, 3, h, w] 0..255 (x, shrunk where squeezing is by 4) -> [n, ENHANCED, h / BLOCK, w / BLOCK]."""
        return self.share((x - 128) / GREY)

    def share(self, change: Tensor) -> Tensor:
        """What a change of a picture, in units of GREY levels, changes the coefficients by."""
        return F.conv2d(change, self.basis.view(ENHANCED, 3, BLOCK, BLOCK), stride=BLOCK)

    def predict(self, received: Tensor) -> Tensor:
        """The coefficients as far as y' tells them."""
        return F.pixel_shuffle(self.predictor(received), 2)

    def picture(self, coefficients: Tensor) -> Tensor:
        """Back to RGB 0..255, which may leave that range."""
        return 128 + GREY * F.pixel_shuffle(F.conv2d(coefficients, self.basis.T[..., None, None]), BLOCK)


def transform_file(transform: Transform) -> bytes:
    """transform.bin (docs/bundle.md): the basis in integers, for prediction along the motion."""
    basis = (transform.basis * 8192).round().to(torch.int16)
    return b"cistrans" + struct.pack("<BH", 1, len(basis)) + basis.numpy().astype("<i2").tobytes()


class Enhance(nn.Module):
    """x [n, 3, h, w] 0..255 -> z [n, ENHANCED, h / BLOCK, w / BLOCK] (of x shrunk where squeezing is by 4). The transform is the restoration's."""

    def __init__(self, transform: Transform):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        return self.transform.coefficients(F.avg_pool2d(x, self.transform.shrink) if self.transform.shrink > 1 else x)


class Fit:
    """Fits a transform to pictures: first the basis from all of them, then the predictor by least squares."""

    def __init__(self, transform: Transform):
        self.transform = transform
        side, seen = 3 * BLOCK * BLOCK, 9 * transform.predictor.in_channels + 1
        self.moments, self.blocks = torch.zeros(side, side, dtype=torch.float64), 0
        self.gram = torch.zeros(seen, seen, dtype=torch.float64)
        self.cross = torch.zeros(seen, 4 * ENHANCED, dtype=torch.float64)

    def look(self, x: Tensor) -> None:
        """Pictures for the basis."""
        small = F.avg_pool2d(x, self.transform.shrink)
        blocks = F.pixel_unshuffle((small - 128) / GREY, BLOCK).permute(0, 2, 3, 1).flatten(0, 2).double()
        self.moments += blocks.T @ blocks
        self.blocks += len(blocks)

    def settle(self) -> None:
        """The basis is what was seen so far."""
        vectors = torch.linalg.eigh(self.moments)[1].flip(1)[:, :ENHANCED].T
        signs = vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
        self.transform.basis.copy_((vectors * signs).float())
        power = (vectors @ self.moments * vectors).sum(1) / self.blocks
        self.transform.spread.copy_(power.clamp(min=1e-6).sqrt().float())

    def learn(self, received: Tensor, x: Tensor) -> None:
        """Latents as the receiver has them, and the pictures that they came from, for the predictor."""
        seen = F.unfold(received, 3, padding=1).transpose(1, 2).flatten(0, 1).double()
        seen = torch.cat([seen, torch.ones(len(seen), 1, dtype=torch.float64)], 1)
        wanted = F.pixel_unshuffle(self.transform.coefficients(F.avg_pool2d(x, self.transform.shrink)), 2).permute(0, 2, 3, 1).flatten(0, 2).double()
        self.gram += seen.T @ seen
        self.cross += seen.T @ wanted

    @torch.no_grad()
    def write(self, ridge: float = 1e-3) -> None:
        regular = ridge * self.gram.diagonal().mean() * torch.eye(len(self.gram), dtype=torch.float64)
        solution = torch.linalg.solve(self.gram + regular, self.cross).T.float()
        predictor = self.transform.predictor
        predictor.weight.copy_(solution[:, :-1].view_as(predictor.weight))
        predictor.bias.copy_(solution[:, -1])
