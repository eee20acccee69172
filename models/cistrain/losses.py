"""What the split detector is trained for: the unsplit teacher's answers, weighted by how sure the teacher is."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .detector import decode, decode_yolox
from .pca import blocks


def feature_loss(features: Tensor, target: Tensor, metric: Tensor) -> Tensor:
    """Error of stride-8 features in the metric of the teacher's sensitivity, relative to a unit of variance."""
    error = blocks(features - target)
    return ((error @ metric) * error).sum(1).mean() / len(metric)


def answer_loss(levels: list[Tensor], target: list[Tensor]) -> dict[str, Tensor]:
    """Objectness, class and box terms of YOLOX heads against the teacher's raw outputs.

    All are normalised by the teacher's total confidence, as a detector's loss is by its number of objects.
    """
    ours, theirs = (torch.cat([v.flatten(2).transpose(1, 2) for v in x], 1) for x in (levels, target))
    with torch.no_grad():
        obj, cls = torch.sigmoid(theirs[..., 4]), torch.sigmoid(theirs[..., 5:])
        sure = obj * cls.max(-1).values
        weight = (sure * (sure > 0.05)).unsqueeze(-1)
        total = weight.sum().clamp(min=4.0)
        where = weight[..., 0] > 0
    hard = F.binary_cross_entropy_with_logits(ours[..., 4], obj, reduction="none")
    # The teacher's own entropy is no fault of ours: subtract it, so that a perfect copy scores zero.
    objectness = (hard - _entropy(obj)).sum() / total
    difference = F.binary_cross_entropy_with_logits(ours[..., 5:], cls, reduction="none") - _entropy(cls)
    classes = (difference * weight).sum() / total
    a, b = _boxes(levels)[where], _boxes(target)[where]
    boxes = ((1 - generalised_iou(a, b)) * weight[where][:, 0]).sum() / total
    return {"objectness": objectness, "classes": classes, "boxes": boxes}


def _boxes(levels: list[Tensor]) -> Tensor:
    return torch.cat([decode_yolox(level, stride)[0] for level, stride in zip(levels, (8, 16, 32), strict=True)], 1)


def _entropy(p: Tensor) -> Tensor:
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(p * p.log() + (1 - p) * (1 - p).log())


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of boxes row by row."""
    inner = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    outer = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inner
    return inner / union.clamp(min=1e-6) - (outer - union) / outer.clamp(min=1e-6)


def sensitivity_probe(family: str, levels: list[Tensor], generator: torch.Generator) -> Tensor:
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
