"""Multiply-accumulates of an ONNX graph at a given input size: convolutions and matrix products, as published figures count them."""

import math

import onnx
from onnx import shape_inference


def count(path, shape=None):
    """MACs of one run; `shape` fixes the first input's dimensions where the graph leaves them open."""
    model = onnx.load(str(path))
    weights = {t.name: list(t.dims) for t in model.graph.initializer}
    if shape:
        source = next(i for i in model.graph.input if i.name not in weights)
        for dim, size in zip(source.type.tensor_type.shape.dim, shape):
            dim.Clear()
            dim.dim_value = size
        for out in model.graph.output:
            for dim in out.type.tensor_type.shape.dim:
                dim.Clear()
        del model.graph.value_info[:]
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = dict(weights)
    for value in (*graph.value_info, *graph.output, *graph.input):
        shapes[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
    for node in graph.node:
        if node.op_type == "Constant":
            shapes[node.output[0]] = next((list(a.t.dims) for a in node.attribute if a.name == "value"), [])
    return sum(_of(node, shapes) for node in graph.node)


def _of(node, shapes):
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    first, second, out = (shapes.get(name, []) for name in (node.input[0], node.input[1], node.output[0]))
    if not all(out) or not out:
        raise SystemExit(f"the shape of {node.output[0]} is not known: give a shape for the graph's input")
    if node.op_type == "Conv":
        return math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    return math.prod(out) * first[-1]
