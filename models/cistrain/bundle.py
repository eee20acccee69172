"""A finished bundle in ONNX Runtime, the way the product runs it."""

import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

from .boxes import of_class
from .clips import Geometry, to_x
from .quantise import step


class Bundle:
    """The graphs of a bundle folder."""

    def __init__(self, folder: Path, threads: int = 1):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        paths = (str(folder / self.manifest[name]["file"]) for name in ("front", "detect", "restore"))
        graphs = [onnxruntime.InferenceSession(p, options, providers=["CPUExecutionProvider"]) for p in paths]
        self.front_graph, self.detect_graph, self.restore_graph = graphs
        layer = self.manifest.get("enhance")
        self.enhance_graph = layer and onnxruntime.InferenceSession(str(folder / layer["file"]), options, providers=["CPUExecutionProvider"])
        self.state: np.ndarray | None = None
        self.planar = self.front_graph.get_inputs()[0].shape[1] == 3
        self.id, self.default_size = self.manifest["id"], self.manifest["input"]["default-size"]
        self.classes = self.manifest["classes"]["names"]

    def front(self, rgb: np.ndarray, input_size: int) -> tuple[np.ndarray, Geometry]:
        """Latents [c, h, w] of a picture."""
        x, geometry = self._x(rgb, input_size)
        return self.front_graph.run(["y"], {"x": x})[0][0], geometry

    def enhance(self, rgb: np.ndarray, input_size: int, symbols: np.ndarray, qindex: int) -> np.ndarray:
        """Latents [c, h, w] of the enhancement layer of a picture whose `symbols` the receiver has."""
        x, _ = self._x(rgb, input_size)
        return self.enhance_graph.run(["z"], {"x": x, "y": _dequantised(symbols, qindex)})[0][0]

    def _x(self, rgb: np.ndarray, input_size: int) -> tuple[np.ndarray, Geometry]:
        x, geometry = to_x(rgb, self.manifest["input"]["squeeze"] * input_size, self.manifest["input"]["multiple"])
        if self.planar:
            x = np.ascontiguousarray(x.transpose(2, 0, 1))
        return x[None], geometry

    def detect(self, symbols: np.ndarray, qindex: int, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in source pixels and scores of every anchor, from integers as the receiver gets them."""
        boxes, scores = self.detect_graph.run(["boxes", "scores"], {"y": _dequantised(symbols, qindex)})
        limit = [geometry.width, geometry.height] * 2
        return np.clip(boxes[0] / geometry.scale, 0, limit), scores[0]

    def objects(self, symbols: np.ndarray, qindex: int, geometry: Geometry, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores of one class after suppression."""
        return of_class(*self.detect(symbols, qindex, geometry), index)

    def restore(self, symbols: np.ndarray, qindex: int, geometry: Geometry, enhanced: tuple[np.ndarray, int] | None = None) -> np.ndarray:
        """The picture that an operator sees, RGB at the size of x's content; `enhanced`: symbols and qindex of that layer. Remembers the picture before: see `forget`."""
        given = {"y": _dequantised(symbols, qindex)}
        sizes = {"z": self.manifest.get("enhance"), "state": self.manifest["restore"].get("state")}
        for name, about in sizes.items():
            if about is not None:
                given[name] = np.zeros((1, about["channels"], *(side // about["stride"] for side in geometry.x[::-1])), np.float32)
        if enhanced is not None:
            given["z"] = _dequantised(*enhanced)
        if self.state is not None and self.state.shape == given["state"].shape:
            given["state"] = self.state
        picture, *state = self.restore_graph.run(None, given)
        self.state = state[0] if state else None
        return picture[0][: geometry.content[1], : geometry.content[0]]

    def forget(self) -> None:
        """The next picture to be restored does not follow the last one."""
        self.state = None


def _dequantised(symbols: np.ndarray, qindex: int) -> np.ndarray:
    return (symbols.astype(np.float32) * np.float32(step(qindex)))[None]
