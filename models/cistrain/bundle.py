"""A finished bundle in ONNX Runtime, the way the product runs it."""

import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

from .boxes import of_class
from .clips import Geometry, to_x
from .quantise import step


class Bundle:
    """The three graphs of a bundle folder."""

    def __init__(self, folder: Path, threads: int = 1):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        paths = (str(folder / self.manifest[name]["file"]) for name in ("front", "detect", "restore"))
        graphs = [onnxruntime.InferenceSession(p, options, providers=["CPUExecutionProvider"]) for p in paths]
        self.front_graph, self.detect_graph, self.restore_graph = graphs
        self.planar = self.front_graph.get_inputs()[0].shape[1] == 3
        self.id = self.manifest["id"]
        self.classes = self.manifest["classes"]["names"]

    def front(self, rgb: np.ndarray, input_size: int) -> tuple[np.ndarray, Geometry]:
        """Latents [c, h, w] of a picture."""
        x, geometry = to_x(rgb, self.manifest["input"]["squeeze"] * input_size, self.manifest["input"]["multiple"])
        if self.planar:
            x = np.ascontiguousarray(x.transpose(2, 0, 1))
        return self.front_graph.run(["y"], {"x": x[None]})[0][0], geometry

    def detect(self, symbols: np.ndarray, qindex: int, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in source pixels and scores of every anchor, from integers as the receiver gets them."""
        y = symbols.astype(np.float32) * np.float32(step(qindex))
        boxes, scores = self.detect_graph.run(["boxes", "scores"], {"y": y[None]})
        limit = [geometry.width, geometry.height] * 2
        return np.clip(boxes[0] / geometry.scale, 0, limit), scores[0]

    def objects(self, symbols: np.ndarray, qindex: int, geometry: Geometry, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores of one class after suppression."""
        return of_class(*self.detect(symbols, qindex, geometry), index)

    def restore(self, symbols: np.ndarray, qindex: int, geometry: Geometry) -> np.ndarray:
        """The picture that an operator sees, RGB at the size of x's content."""
        y = symbols.astype(np.float32) * np.float32(step(qindex))
        picture = self.restore_graph.run(["picture"], {"y": y[None]})[0][0]
        return picture[: geometry.content[1], : geometry.content[0]]
