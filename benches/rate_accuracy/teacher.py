"""The reference detector on uncompressed frames: NanoDet-Plus-m-1.5x or YOLOX-nano, as published in ONNX.

What it finds on source frames is the ceiling that a codec is measured against. The weights are not part of the project."""

import hashlib
import pathlib

import cv2
import numpy as np
import onnxruntime

from .coco import OFFICIAL_IDS

_NANODET_MEAN = np.array([103.53, 116.28, 123.675], np.float32)
_NANODET_STD = np.array([57.375, 57.12, 58.395], np.float32)


# The surest (box, class) pairs before and after suppression: what comes later moves no average precision and costs most of the time.
CANDIDATES, MOST = 2000, 300


class Teacher:
    """Detects on RGB frames of any size at the model's own input size, letterboxed."""

    def __init__(self, path, threshold=0.01, nms_iou=0.6, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        cv2.setNumThreads(threads)
        self.path = pathlib.Path(path)
        self.digest = hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.side = self.input.shape[2] if isinstance(self.input.shape[2], int) else 416
        self.yolox = len(self.session.get_outputs()) == 1 and self.session.get_outputs()[0].shape[-1] == 85
        self.threshold, self.nms_iou = threshold, nms_iou

    @property
    def name(self):
        return self.path.stem

    def macs(self):
        """Multiply-accumulates of one frame, counted in the graph."""
        from . import macs
        return macs.count(self.path, self.side, self.side)

    def detect(self, frame, tiles=1):
        """[{category_id, bbox, score}] in pixels of the frame. With `tiles` n > 1 it looks at n x n overlapping parts too, each at the model's
        input size, and so sees small objects that are lost when the whole frame is scaled down."""
        boxes, scores = self._look(frame)
        if tiles > 1:
            parts = [self._part(frame, *part) for part in cuts(frame.shape[1], frame.shape[0], tiles)]
            boxes = np.concatenate([boxes, *(b for b, _ in parts)])
            scores = np.concatenate([scores, *(s for _, s in parts)])
        return self._suppress(boxes, scores)

    def _part(self, frame, x0, y0, x1, y1):
        """What is found in a part of the frame, without boxes that its inner borders cut: another part has them whole."""
        height, width, _ = frame.shape
        boxes, scores = self._look(frame[y0:y1, x0:x1])
        boxes += [x0, y0, x0, y0]
        near = 2
        cut = ((boxes[:, 0] < x0 + near) & (x0 > 0)) | ((boxes[:, 1] < y0 + near) & (y0 > 0)) \
            | ((boxes[:, 2] > x1 - near) & (x1 < width)) | ((boxes[:, 3] > y1 - near) & (y1 < height))
        return boxes[~cut], scores[~cut]

    def _look(self, frame):
        """(corner boxes, scores of all classes), not yet suppressed."""
        height, width, _ = frame.shape
        scale = self.side / max(height, width)
        w, h = round(width * scale), round(height * scale)
        small = cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)[:, :, ::-1]
        x0, y0 = (0, 0) if self.yolox else ((self.side - w) // 2, (self.side - h) // 2)
        canvas = np.full((self.side, self.side, 3), 114 if self.yolox else 0, np.float32)
        canvas[y0:y0 + h, x0:x0 + w] = small
        if not self.yolox:
            canvas[y0:y0 + h, x0:x0 + w] = (canvas[y0:y0 + h, x0:x0 + w] - _NANODET_MEAN) / _NANODET_STD
        out = self.session.run(None, {self.input.name: canvas.transpose(2, 0, 1)[None]})
        boxes, scores = self._yolox(out[0][0]) if self.yolox else self._nanodet(out)
        boxes = (boxes - [x0, y0, x0, y0]) / scale
        boxes[:, 0::2] = boxes[:, 0::2].clip(0, width)
        boxes[:, 1::2] = boxes[:, 1::2].clip(0, height)
        some = scores.max(1) > self.threshold
        return boxes[some], scores[some]

    def _yolox(self, out):
        grids = []
        for stride in (8, 16, 32):
            n = self.side // stride
            gy, gx = np.mgrid[:n, :n]
            grids.append(np.stack([gx.ravel(), gy.ravel(), np.full(n * n, stride)], 1))
        gx, gy, stride = np.concatenate(grids).T
        cx, cy = (out[:, 0] + gx) * stride, (out[:, 1] + gy) * stride
        w, h = np.exp(out[:, 2]) * stride, np.exp(out[:, 3]) * stride
        return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1), out[:, 4:5] * out[:, 5:]

    def _nanodet(self, out):
        found = dict(zip((o.name for o in self.session.get_outputs()), out))
        boxes, scores = [], []
        for stride in (8, 16, 32, 64):
            cls = found[f"cls{stride}"][0].reshape(len(OFFICIAL_IDS), -1).T
            dis = found[f"dis{stride}"][0]
            n = -(-self.side // stride)
            gy, gx = np.mgrid[:n, :n]
            centre = np.stack([gx.ravel(), gy.ravel()], 1) * stride
            bins = np.exp(dis.reshape(-1, 4, 8))
            d = (bins / bins.sum(-1, keepdims=True) * np.arange(8)).sum(-1) * stride
            boxes.append(np.concatenate([centre - d[:, :2], centre + d[:, 2:]], 1))
            scores.append(cls)
        return np.concatenate(boxes), np.concatenate(scores)

    def _suppress(self, boxes, scores):
        """The surest boxes, suppressed class by class."""
        place, index = np.nonzero(scores > self.threshold)
        sure = scores[place, index]
        surest = np.argsort(-sure, kind="stable")[:CANDIDATES]
        place, index, sure = place[surest], index[surest], sure[surest]
        if not len(sure):
            return []
        xywh = np.concatenate([boxes[place, :2], boxes[place, 2:] - boxes[place, :2]], 1)
        kept = np.ravel(cv2.dnn.NMSBoxesBatched(xywh.tolist(), sure.tolist(), index.tolist(), self.threshold, self.nms_iou))
        kept = kept[np.argsort(-sure[kept], kind="stable")][:MOST]
        return [{"category_id": OFFICIAL_IDS[index[k]], "bbox": xywh[k].tolist(), "score": float(sure[k])} for k in kept]


def cuts(width, height, n, overlap=0.25):
    """Corners (x0, y0, x1, y1) of n x n parts of a frame that overlap by this share of a part's sides."""
    def along(side):
        length = side / (n - (n - 1) * overlap)
        return [(round(i * length * (1 - overlap)), min(side, round(i * length * (1 - overlap) + length))) for i in range(n)]
    return [(x0, y0, x1, y1) for y0, y1 in along(height) for x0, x1 in along(width)]
