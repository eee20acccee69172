"""Boxes: overlap, non-maximum suppression, and average precision at an overlap of 0.5."""

import numpy as np

NOTHING = (np.zeros((0, 4)), np.zeros(0, bool))  # truth of a picture in which there is none


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Overlap of every box of a with every box of b; boxes are x1 y1 x2 y2."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(2)
    return inner / np.maximum(area(a)[:, None] + area(b)[None] - inner, 1e-9)


def area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)


def nms(boxes: np.ndarray, scores: np.ndarray, limit: float = 0.65) -> np.ndarray:
    """Indexes of the boxes to keep, best first."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[iou(boxes[best : best + 1], boxes[order])[0] <= limit]
    return np.array(kept, int)


def of_class(boxes: np.ndarray, scores: np.ndarray, index: int, least: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and scores of one class after suppression; `boxes` [anchors, 4], `scores` [anchors, classes]."""
    score = scores[:, index]
    chosen = np.flatnonzero(score > least)
    chosen = chosen[np.argsort(-score[chosen], kind="stable")[:300]]
    kept = chosen[nms(boxes[chosen], score[chosen])]
    return boxes[kept], score[kept]


def average_precision(found: list, truth: list, overlap: float = 0.5) -> float:
    """COCO's 101-point AP of one class.

    `found`: per picture (boxes, scores); `truth`: per picture (boxes, ignore flags). A detection of an ignored box counts
    neither way.
    """
    scores, hits, total = [], [], 0
    for (boxes, score), (gt, ignored) in zip(found, truth, strict=True):
        total += int((~ignored).sum())
        overlaps = iou(boxes, gt) if len(boxes) and len(gt) else np.zeros((len(boxes), len(gt)))
        taken = np.zeros(len(gt), bool)
        for i in np.argsort(-score, kind="stable"):
            free = np.where(taken | ignored, 0, overlaps[i])
            best = int(free.argmax()) if len(gt) else 0
            if len(gt) and free[best] >= overlap:
                taken[best] = True
                hits.append(True)
            elif (overlaps[i][ignored] >= overlap).any():
                continue
            else:
                hits.append(False)
            scores.append(score[i])
    if not total or not hits:
        return 0.0
    hit = np.array(hits)[np.argsort(-np.array(scores), kind="stable")]
    recall, precision = hit.cumsum() / total, hit.cumsum() / np.arange(1, len(hit) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.append(precision, 0)[at].mean())
