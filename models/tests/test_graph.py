"""The ONNX reader: same answers as ONNX Runtime, at sizes the file was not exported for, whole and cut."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from cistrain.detector import Back, Trunk
from cistrain.families import Family
from cistrain.onnxgraph import OnnxGraph

FAMILY = Family.of("yolox-nano")


def test_whole_graph_agrees_with_onnx_runtime(weights):
    path = weights / FAMILY.file
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    graph = OnnxGraph(path, ["images"], names)
    x = torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        ours = graph(x)
    for a, b in zip(ours, session.run(names, {"images": x.numpy()}), strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-4, atol=1e-4)


def test_two_halves_are_the_whole_at_another_size(weights):
    path = weights / FAMILY.file
    trunk, back = Trunk(FAMILY, weights), Back(FAMILY, weights)
    names = [n for level in range(3) for n in back.graph.outputs[3 * level : 3 * level + 3]]
    whole = OnnxGraph(path, ["images"], names)
    x = torch.rand(2, 3, 96, 160) * 255
    with torch.no_grad():
        levels, expected = back(trunk(x)), whole(x)
    for i, level in enumerate(levels):
        torch.testing.assert_close(level, torch.cat(expected[3 * i : 3 * i + 3], 1))
    assert [tuple(v.shape) for v in levels] == [(2, 85, 12, 20), (2, 85, 6, 10), (2, 85, 3, 5)]


def test_weights_are_trainable(weights):
    trunk = Trunk(FAMILY, weights)
    trunk(torch.rand(1, 3, 64, 64)).sum().backward()
    assert trunk.graph.weights and all(p.grad is not None for p in trunk.parameters())


def test_unknown_operator_and_tensor_are_named(tmp_path):
    port = lambda n: onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 2])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Erf", ["a"], ["b"])], "g", [port("a")], [port("b")])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "m.onnx"))
    with pytest.raises(ValueError, match="Erf"):
        OnnxGraph(tmp_path / "m.onnx", ["a"], ["b"])
    with pytest.raises(ValueError, match="nowhere"):
        OnnxGraph(tmp_path / "m.onnx", ["a"], ["nowhere"])
