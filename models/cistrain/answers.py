"""The detector's answers as a training target: the teacher's, corrected by boxes that people drew or a sharper look found.

Distillation alone can be no better than its teacher. A human label says where the teacher was wrong, both ways, and the teacher itself sees more in a
picture of twice the size than in the one that its student gets.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .classes import COCO_IDS
from .detector import decode, grid
from .families import Family

OWNERS = 3  # anchors that a labelled box raises
REACH = 1.5  # how far their cells may be from the middle of the box, in strides


@dataclass
class Labels:
    """What is known of one picture: `boxes` [k, 6] are x1 y1 x2 y2 (pixels of x_s), class, confidence, where confidence 0 marks an area to
    leave alone; `covered` [classes] says of which classes every object is in the list."""

    boxes: Tensor
    covered: Tensor

    def of(self, family: Family) -> "Labels":
        """COCO's 80 columns -> the classes of a detector."""
        columns = [COCO_IDS.index(i) if i in COCO_IDS else -1 for i in family.kept_coco_ids]
        place = torch.full((len(COCO_IDS) + 1,), -1)
        place[columns] = torch.arange(len(columns))
        place[-1] = -1
        there = place[self.boxes[:, 4].long()]
        boxes = self.boxes[there >= 0].clone()
        boxes[:, 4] = there[there >= 0].to(boxes.dtype)
        covered = torch.tensor([c >= 0 and bool(self.covered[c]) for c in columns])
        return Labels(boxes, covered)


@dataclass
class Answers:
    """Flat answers of a batch. Scores are logits for the student and probabilities for the target; `objectness` is None where the family has none."""

    boxes: Tensor  # [n, anchors, 4] in pixels of x_s
    classes: Tensor  # [n, anchors, classes]
    objectness: Tensor | None  # [n, anchors]
    bins: Tensor | None  # [n, anchors, 4, bins], logits of distances

    @classmethod
    def of(cls, family: Family, levels: list[Tensor]) -> "Answers":
        """Reads raw head outputs."""
        boxes, _ = decode(family, levels)
        flat = torch.cat([v.flatten(2).transpose(1, 2) for v in levels], 1)
        if family.kind == "yolox":
            return cls(boxes, flat[..., 5:], flat[..., 4], None)
        n = len(family.names)
        return cls(boxes, flat[..., :n], None, flat[..., n:].unflatten(-1, (4, -1)))

    def probabilities(self) -> "Answers":
        objectness = None if self.objectness is None else torch.sigmoid(self.objectness)
        return Answers(self.boxes, torch.sigmoid(self.classes), objectness, self.bins)

    def confidence(self) -> Tensor:
        """Of probabilities: the best class's score of every anchor."""
        best = self.classes.max(-1).values
        return best if self.objectness is None else best * self.objectness


def centres(family: Family, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Middles [anchors, 2] and strides [anchors] of the cells, in pixels of x_s."""
    middles, strides = [], []
    offset = 0.5 if family.kind == "yolox" else 0.0
    for level, stride in zip(levels, family.strides, strict=True):
        xs, ys = grid(level)
        middles.append((torch.stack([xs[0], ys[0]], -1) + offset) * stride)
        strides.append(torch.full_like(xs[0], stride))
    return torch.cat(middles), torch.cat(strides)


@torch.no_grad()
def correct(target: Answers, student: Answers, labels: list[Labels], middles: Tensor, strides: Tensor) -> Tensor:
    """Corrects the target in place, picture by picture; returns where a box was replaced [n, anchors]."""
    replaced = torch.zeros(target.classes.shape[:2], dtype=torch.bool)
    for i, known in enumerate(labels):
        _forget(target, i, known)
        for box in known.boxes:
            _raise(target, student, i, box, middles, strides, replaced)
    return replaced


def _forget(target: Answers, i: int, known: Labels) -> None:
    """Scores of covered classes where nothing of that class is."""
    classes = target.classes[i]
    doubtful = (classes > 0.05) & known.covered
    for c in doubtful.any(0).nonzero()[:, 0].tolist():
        where = doubtful[:, c].nonzero()[:, 0]
        real = known.boxes[known.boxes[:, 4] == c]
        if len(real):
            boxes = target.boxes[i, where]
            free = (overlaps(boxes, real[:, :4]) < 0.3) & ((real[:, 5] > 0) | (inner(boxes, real[:, :4]) < 0.3 * area(boxes)[:, None]))
            where = where[free.all(1)]
        classes[where, c] = 0.0


def _raise(target: Answers, student: Answers, i: int, box: Tensor, middles: Tensor, strides: Tensor, replaced: Tensor) -> None:
    """The anchors that already fit a labelled box best become its owners."""
    if box[5] <= 0:
        return
    middle = (box[:2] + box[2:4]) / 2
    near = ((middles - middle).abs().max(1).values < REACH * strides).nonzero()[:, 0]
    if not len(near):
        return
    fit = overlaps(student.boxes[i, near], box[None, :4])[:, 0]
    fit, order = fit.topk(min(OWNERS, len(near)))
    c = int(box[4])
    for anchor, quality in zip(near[order].tolist(), fit.tolist(), strict=True):
        wanted = float(box[5]) * max(quality, 0.4)
        if target.objectness is None:
            if target.classes[i, anchor, c] >= wanted:
                continue
            target.classes[i, anchor, c] = wanted
        else:
            if target.objectness[i, anchor] * target.classes[i, anchor, c] >= wanted:
                continue
            target.objectness[i, anchor] = max(float(target.objectness[i, anchor]), wanted)
            target.classes[i, anchor, c] = 1.0
        target.boxes[i, anchor] = box[:4]
        replaced[i, anchor] = True


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """IoU of every box of a with every box of b."""
    shared = inner(a, b)
    return shared / (area(a)[:, None] + area(b)[None] - shared).clamp(min=1e-6)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Shared area of every box of a with every box of b."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    return (high - low).clamp(min=0).prod(2)


def area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)


def answer_loss(family: Family, levels: list[Tensor], theirs: list[Tensor], labels: list[Labels] | None = None) -> dict[str, Tensor]:
    """Score and box terms, normalised by the target's total confidence, as a detector's loss is by its number of objects."""
    ours = Answers.of(family, levels)
    with torch.no_grad():
        target = Answers.of(family, theirs).probabilities()
        replaced = torch.zeros(target.classes.shape[:2], dtype=torch.bool, device=target.classes.device)
        if labels:
            replaced = correct(target, ours, [known.of(family) for known in labels], *centres(family, levels))
        sure = target.confidence()
        weight = sure * (sure > 0.05)
        total = weight.sum().clamp(min=4.0)
        where = weight > 0
    # The target's own entropy is no fault of ours: without it a perfect copy scores zero.
    if ours.objectness is None:
        classes = _excess(ours.classes, target.classes).sum() / total
        terms = {"classes": classes}
    else:
        terms = {"objectness": _excess(ours.objectness, target.objectness).sum() / total}
        terms["classes"] = (_excess(ours.classes, target.classes) * weight.unsqueeze(-1)).sum() / total
    boxes = (1 - generalised_iou(ours.boxes[where], target.boxes[where])) * weight[where]
    terms["boxes"] = boxes.sum() / total
    if ours.bins is not None:
        same = where & ~replaced
        a, b = F.log_softmax(ours.bins[same], -1), F.softmax(target.bins[same], -1)
        terms["bins"] = 0.25 * (F.kl_div(a, b, reduction="none").sum((1, 2)) * weight[same]).sum() / total
    return terms


def _excess(logits: Tensor, p: Tensor) -> Tensor:
    """Cross-entropy beyond the target's own entropy."""
    q = p.clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy_with_logits(logits, p, reduction="none") + (q * q.log() + (1 - q) * (1 - q).log())


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of boxes row by row."""
    inner = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    outer = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inner
    return inner / union.clamp(min=1e-6) - (outer - union) / outer.clamp(min=1e-6)
