"""What the restored picture is judged by besides its pixels: VGG16 features and a patch discriminator."""

import zipfile
from io import BytesIO
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

WEIGHTS = "stlpips_pytorch/weights/vST0.0/{}_shift_tolerant.pth"
# Convolutions of each block, by their number in the weights file; features are taken after the last of a block.
BLOCKS = (("slice1.0", "slice1.2"), ("slice2.6", "slice2.8"), ("slice3.12", "slice3.14", "slice3.16"))


def weights(wheel: Path, network: str) -> dict[str, Tensor]:
    """Those of `vgg` or `alex` in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return torch.load(BytesIO(archive.read(WEIGHTS.format(network))), map_location="cpu")


class Perceptual(nn.Module):
    """Distance of unit-normalised VGG16 features, weighted per channel by how much people notice (LPIPS weights).

    The weights come from the PyPI wheel `stlpips-pytorch` (BSD-2), whose network blurs before it subsamples. Only the first
    three blocks are used.
    """

    def __init__(self, wheel: Path):
        super().__init__()
        state = weights(wheel, "vgg")
        for name in ("scaling_layer.shift", "scaling_layer.scale"):
            self.register_buffer(name.split(".")[1], state[name])
        self.blocks = nn.ModuleList()
        self.noticed = []
        for i, names in enumerate(BLOCKS):
            layers = []
            for name in names:
                weight, bias = state[f"net.{name}.weight"], state[f"net.{name}.bias"]
                layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, 1, 1)
                layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
                layers += [layer, nn.ReLU()]
            self.blocks.append(nn.Sequential(*layers))
            self.register_buffer(f"noticed_{i}", state[f"lin{i}.model.1.weight"])
        self.requires_grad_(False)

    def forward(self, ours: Tensor, target: Tensor, shrink: int = 2) -> Tensor:
        """Mean distance of two pictures [n, 3, h, w] in 0..255, at half their resolution: finer than that, thin links carry little."""
        n = len(ours)
        h = torch.cat([ours, target]) / 127.5 - 1
        h, total = (F.avg_pool2d(h, shrink) - self.shift) / self.scale, 0.0
        for i, block in enumerate(self.blocks):
            h = block(_blur(F.max_pool2d(h, 2, 1), 1) if i else h)
            unit = h / (h.square().sum(1, keepdim=True).sqrt() + 1e-8)
            total = total + ((unit[:n] - unit[n:]).square() * getattr(self, f"noticed_{i}")).sum(1).mean()
        return total


class Unseen(nn.Module):
    """The same distance by AlexNet features of all five blocks, at full resolution: a judge that no training here has seen."""

    LAYERS = (("slice1.0", 2), ("slice2.5", 2), ("slice3.9", 1), ("slice4.11", 1), ("slice5.13", 1))  # convolutions and their pads

    def __init__(self, wheel: Path):
        super().__init__()
        self.state = weights(wheel, "alex")

    def forward(self, ours: Tensor, target: Tensor) -> Tensor:
        """Mean distance of two pictures [n, 3, h, w] in 0..255."""
        s, n, total = self.state, len(ours), 0.0
        h = (torch.cat([ours, target]) / 127.5 - 1 - s["scaling_layer.shift"]) / s["scaling_layer.scale"]
        for i, (name, pad) in enumerate(self.LAYERS):
            if i in (1, 2):
                h = _blur(F.max_pool2d(h, 3, 1), 2)
            h = F.conv2d(h, s[f"net.{name}.weight"], s[f"net.{name}.bias"], padding=pad)
            h = F.relu(_blur(h, 2) if i == 0 else h)
            unit = h / (h.square().sum(1, keepdim=True).sqrt() + 1e-8)
            total = total + ((unit[:n] - unit[n:]).square() * s[f"lin{i}.model.1.weight"]).sum(1).mean()
        return total


def _blur(h: Tensor, pad: int) -> Tensor:
    """A binomial blur while subsampling."""
    line = h.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line[None])[None, None].expand(h.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(h, (pad,) * 4, mode="reflect"), kernel, stride=2, groups=h.shape[1])


def window(ours: Tensor, clean: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The same random window of both batches: VGG16 costs ten times what the restoration does."""
    size = min(size, ours.shape[-1])
    top, left = (int(torch.randint(ours.shape[-1] - size + 1, ())) for _ in range(2))
    cut = (..., slice(top, top + size), slice(left, left + size))
    return ours[cut], clean[cut]


def pixel_loss(ours: Tensor, clean: Tensor) -> Tensor:
    """Absolute error at three scales: the coarse ones keep colours and shapes right where detail is out of reach."""
    total, scale = 0.0, 1 / 64
    for _ in range(3):
        total = total + scale * (ours - clean).abs().mean()
        ours, clean = F.avg_pool2d(ours, 4), F.avg_pool2d(clean, 4)
    return total


class Discriminator(nn.Sequential):
    """Patch discriminator with spectral normalisation: [n, 3, h, w] in 0..255 -> one score for every 16x16 pixels."""

    def __init__(self, width: int = 32):
        sizes = (3, width, 2 * width, 4 * width, 4 * width)
        layers = []
        for before, after in zip(sizes, sizes[1:], strict=False):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
        super().__init__(*layers, spectral_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1)))

    def forward(self, picture: Tensor) -> Tensor:
        return super().forward((picture - 128) / 64)
