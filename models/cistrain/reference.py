"""The unsplit teachers in ONNX Runtime on uncompressed pictures: what a bundle is measured against."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from .boxes import of_class
from .clips import PAD
from .families import Family


class Reference:
    """A teacher at its own input size of 416x416; pictures are scaled into the top left corner."""

    SIDE = 416

    def __init__(self, family: str, weights: Path, threads: int = 1):
        self.name, self.family = family, Family.of(family)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.graph = onnxruntime.InferenceSession(str(weights / self.family.file), options, providers=["CPUExecutionProvider"])

    def detect(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in source pixels and scores of every anchor for the classes that the family keeps."""
        scale = self.SIDE / max(rgb.shape[:2])
        size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        canvas = np.full((self.SIDE, self.SIDE, 3), PAD, np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        picture = (canvas[..., ::-1].astype(np.float32) - self.family.mean) / self.family.std
        answer = self.graph.run(None, {self.family.input: picture.transpose(2, 0, 1)[None].astype(np.float32)})
        boxes, scores = self._yolox(answer[0][0]) if self.family.kind == "yolox" else self._nanodet(answer)
        limit = [rgb.shape[1], rgb.shape[0]] * 2
        return np.clip(boxes / scale, 0, limit), scores[:, self.family.kept]

    def objects(self, rgb: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        return of_class(*self.detect(rgb), index)

    def _cells(self, stride: int) -> tuple[np.ndarray, np.ndarray]:
        side = -(-self.SIDE // stride)
        rows, columns = np.mgrid[:side, :side]
        return columns.ravel(), rows.ravel()

    def _yolox(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells = [(x * 0 + s, x, y) for s in self.family.strides for x, y in [self._cells(s)]]
        stride, xs, ys = (np.concatenate(c) for c in zip(*cells, strict=True))
        centre = (flat[:, :2] + np.stack([xs, ys], 1)) * stride[:, None]
        half = np.exp(flat[:, 2:4]) * stride[:, None] / 2
        return np.concatenate([centre - half, centre + half], 1), flat[:, 4:5] * flat[:, 5:]

    def _nanodet(self, answer: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        named = dict(zip((o.name for o in self.graph.get_outputs()), answer, strict=True))
        boxes, scores = [], []
        for stride in self.family.strides:
            side = -(-self.SIDE // stride)
            cls = named[f"cls{stride}"].reshape(len(self.family.classes), side * side).T
            bins = named[f"dis{stride}"].reshape(side * side, 4, 8)
            bins = np.exp(bins - bins.max(-1, keepdims=True))
            distance = (bins * np.arange(8)).sum(-1) / bins.sum(-1)
            xs, ys = self._cells(stride)
            boxes.append(np.stack([xs - distance[:, 0], ys - distance[:, 1], xs + distance[:, 2], ys + distance[:, 3]], 1) * stride)
            scores.append(cls)
        return np.concatenate(boxes), np.concatenate(scores)
