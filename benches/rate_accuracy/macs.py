"""Multiply-accumulates of an ONNX graph at a given input size: convolutions and matrix products, as published figures count them."""

import math

import numpy as np
import onnx
import onnxruntime

COUNTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}


def count(path, width, height):
    """MACs of one picture of this size, three channels first or last. The graph runs once on zeros, so that the shapes are the real ones whatever computes them."""
    model = onnx.load(str(path))
    weights = {t.name: tuple(t.dims) for t in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in COUNTED]
    held = {out.name for out in model.graph.output} | {i.name for i in model.graph.input} | set(weights)
    wanted = {name for node in nodes for name in (*node.input[:2], *node.output)} - held
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    shape = (1, height, width, 3) if source.shape[-1] == 3 else (1, 3, height, width)
    values = session.run(None, {source.name: np.zeros(shape, DTYPES[source.type])})
    shapes = weights | {source.name: shape} | {out.name: value.shape for out, value in zip(session.get_outputs(), values)}
    return sum(_of(node, *(shapes[name] for name in (node.input[0], node.input[1], node.output[0]))) for node in nodes)


def _of(node, first, second, out):
    if node.op_type == "Conv":
        return math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    transposed = node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(out) * (first[-2] if transposed else first[-1])
