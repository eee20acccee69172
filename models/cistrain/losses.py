"""What the teacher's features are worth: their error in the metric of its sensitivity, and the probe that measures it."""

import torch
from torch import Tensor

from .detector import decode
from .families import Family
from .pca import blocks


def feature_loss(features: Tensor, target: Tensor, metric: Tensor) -> Tensor:
    """Error of stride-8 features in the metric of the teacher's sensitivity, relative to a unit of variance."""
    error = blocks(features - target)
    return ((error @ metric) * error).sum(1).mean() / len(metric)


def sensitivity_probe(family: Family, levels: list[Tensor], generator: torch.Generator) -> Tensor:
    """A random scalar of the teacher's answers whose gradient says which features matter.

    Scores are weighted by how undecided they are, boxes by how sure the teacher is.
    """
    boxes, scores = decode(family, levels)

    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator)

    with torch.no_grad():
        doubt = (scores * (1 - scores)).sqrt()
        sure = scores.max(-1, keepdim=True).values.clamp(min=0.02)
        size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=4).repeat(1, 1, 2)
    logits = torch.logit(scores.clamp(1e-6, 1 - 1e-6))
    return (noise(scores) * doubt * logits).sum() + 3 * (noise(boxes) * sure * boxes / size).sum()
