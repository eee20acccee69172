"""Fixtures: a seeded tiny detector file with the structure of YOLOX-nano, so that tests need no downloaded weights."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1]))


class Builder:
    """Writes ONNX nodes with random weights."""

    def __init__(self, seed: int):
        self.random, self.nodes, self.weights, self.count = np.random.default_rng(seed), [], [], 0

    def const(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes) -> str:
        self.count += 1
        out = attributes.pop("out", f"t{self.count}")
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, gain: float = 1.0, name: str | None = None):
        self.count += 1
        name = name or f"w{self.count}"
        shape = (outputs, inputs, kernel, kernel)
        weight = self.random.standard_normal(shape).astype(np.float32) * np.float32(gain * (2 / np.prod(shape[1:])) ** 0.5)
        pad = kernel // 2
        bias = self.random.standard_normal(outputs).astype(np.float32) * 0.1
        names = [x, self.const(f"{name}.weight", weight), self.const(f"{name}.bias", bias)]
        return self.node("Conv", names, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=1)

    def silu(self, x: str, **extra) -> str:
        return self.node("Mul", [x, self.node("Sigmoid", [x])], **extra)


def tiny_yolox(path: Path, side: int = 64) -> None:
    """Focus stem by slices, a cut of 64 channels at stride 8 named 781, three levels of heads: what YOLOX-nano has, but small."""
    b = Builder(7)
    ends, axes, steps = b.const("ends", np.array([2**62, 2**62])), b.const("axes", np.array([2, 3])), b.const("steps", np.array([2, 2]))
    parts = []
    for i, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        start = b.const(f"start{i}", np.array([row, column]))
        parts.append(b.node("Slice", ["images", start, ends, axes, steps]))
    x = b.node("Concat", parts, axis=1)
    x = b.silu(b.conv(x, 12, 16, 3, 2, gain=1 / 64))
    cut = b.silu(b.conv(x, 16, 64, 3, 2), out="781")
    p4 = b.silu(b.conv(cut, 64, 32, 3, 2))
    p5 = b.silu(b.conv(p4, 32, 32, 3, 2))
    p5 = b.node("Add", [p5, b.node("MaxPool", [p5], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4)])
    up = b.node("Resize", [p5, b.const("roi", np.zeros(0, np.float32)), b.const("factor", np.array([1, 1, 2, 2], np.float32))], mode="nearest",
                coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    p4 = b.node("Concat", [p4, up], axis=1)
    outputs = []
    for i, (level, width) in enumerate(((cut, 64), (p4, 64), (p5, 32))):
        for kind, size in (("reg", 4), ("obj", 1), ("cls", 80)):
            outputs.append(b.conv(level, width, size, name=f"head.{kind}_preds.{i}"))
    ports = [helper.make_tensor_value_info(o, onnx.TensorProto.FLOAT, None) for o in outputs]
    image = helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 3, side, side])
    graph = helper.make_graph(b.nodes, "tiny", [image], ports, b.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), str(path))


def tiny_nanodet(path: Path, width: int, side: int = 64) -> None:
    """A strided stem, a cut of 2 * width channels at stride 8 named 17 that ends in a concatenation, four levels of heads with 80 classes and 4 x 8 bins."""
    b = Builder(9)
    leaky = lambda x, **extra: b.node("LeakyRelu", [x], alpha=0.1, **extra)
    x = b.node("MaxPool", [leaky(b.conv("data", 3, 24, 3, 2))], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    half = leaky(b.conv(x, 24, width, 3, 2))
    cut = b.node("Concat", [half, leaky(b.conv(half, width, width))], axis=1, out="17")
    order = b.const("order", np.arange(2 * width).reshape(2, width).T.ravel())
    level, outputs = b.node("Gather", [cut, order], axis=1), []
    for number in (77, 80, 83, 86):
        outputs.append(b.conv(level, 2 * width, 80 + 32, name=f"conv_{number}"))
        level = leaky(b.conv(level, 2 * width, 2 * width, 3, 2))
    ports = [helper.make_tensor_value_info(o, onnx.TensorProto.FLOAT, None) for o in outputs]
    image = helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, [1, 3, side, side])
    graph = helper.make_graph(b.nodes, "tiny", [image], ports, b.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), str(path))


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A folder with tiny detectors under the names of the real ones."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_yolox(folder / "yolox_nano.onnx")
    tiny_nanodet(folder / "nanodet-plus-m-1.5x_416_dequant_fp32.onnx", 16)
    tiny_nanodet(folder / "nanodet-plus-m_416.onnx", 8)
    return folder


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def material():
    """Synthetic bursts: bright rectangles that move over a fixed background."""
    from cistrain.data import Material, Shot

    random = np.random.default_rng(0)
    bursts = []
    for _ in range(4):
        back = np.kron(random.integers(0, 255, (8, 10, 3)), np.ones((32, 32, 1))).astype(np.uint8)
        burst = []
        for step in range(3):
            frame = back.copy()
            frame[60:180, 40 + 6 * step : 90 + 6 * step] = (230, 200, 40)
            burst.append(frame)
        bursts.append(burst)
    return Material(bursts=[[Shot(f) for f in b] for b in bursts], burst_weights=[1.0] * len(bursts))
