"""Start values of the bottleneck: principal components of 2x2 blocks of the teacher's stride-8 features.

Plain PCA treats an error in every feature alike. With a sensitivity matrix (second moments of the gradient of the
teacher's answers) the components are those that matter to the detector, and a uniform quantiser spends its error evenly.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .networks import Expand, Squeeze


def blocks(features: Tensor) -> Tensor:
    """[n, c, h, w] -> [n * h/2 * w/2, 4c]: 2x2 blocks in the order of a 2x2 convolution's weight (c, row, column)."""
    return F.pixel_unshuffle(features, 2).permute(0, 2, 3, 1).flatten(0, 2)


class Moments:
    """Running mean and covariance of block vectors, and second moments of their gradients."""

    def __init__(self, size: int):
        self.count, self.sum = 0, torch.zeros(size, dtype=torch.float64)
        self.square, self.gradient = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)

    def add(self, vectors: Tensor, gradients: Tensor | None = None) -> None:
        vectors = vectors.double()
        self.count += len(vectors)
        self.sum += vectors.sum(0)
        self.square += vectors.T @ vectors
        if gradients is not None:
            self.gradient += gradients.double().T @ gradients.double()

    def covariance(self) -> tuple[Tensor, Tensor]:
        mean = self.sum / self.count
        return mean, self.square / self.count - mean[:, None] * mean[None]

    def sensitivity(self, floor: float = 0.05) -> Tensor:
        """Gradient moments scaled to a mean diagonal of one, with a floor for directions that were never asked for."""
        g = self.gradient / self.gradient.diagonal().mean()
        return (1 - floor) * g + floor * torch.eye(len(g), dtype=g.dtype)


def components(mean: Tensor, covariance: Tensor, channels: int, metric: Tensor | None = None):
    """(analysis [channels, n], synthesis [n, channels], kept share of the weighted variance)."""
    eye = torch.eye(len(mean), dtype=covariance.dtype)
    if metric is None:
        root, back = eye, eye
    else:
        values, vectors = torch.linalg.eigh(metric)
        values = values.clamp(min=values.max() * 1e-6)
        root, back = (vectors * values.sqrt()) @ vectors.T, (vectors / values.sqrt()) @ vectors.T
    values, vectors = torch.linalg.eigh(root @ covariance @ root)
    top = vectors[:, -channels:].flip(1)
    return top.T @ root, back @ top, float(values[-channels:].sum() / values.sum())


@torch.no_grad()
def start(squeeze: Squeeze, expand: Expand, mean: Tensor, analysis: Tensor, synthesis: Tensor, scale: float) -> None:
    """Writes the linear maps of the bottleneck; a latent is `scale` times a component around the mean."""
    channels, features = len(analysis), len(mean) // 4
    squeeze.linear.weight.copy_((scale * analysis).view(channels, features, 2, 2).float())
    squeeze.linear.bias.copy_((-scale * analysis @ mean).float())
    expand.linear.weight.copy_((synthesis / scale).float()[:, :, None, None])
    expand.linear.bias.copy_(mean.float())
