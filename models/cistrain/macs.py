"""Counts the multiply-accumulates of the convolutions of an exported graph at a given size."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper


def multiply_accumulates(path: Path, height: int, width: int) -> int:
    """Runs the graph once with every convolution's result exposed: sizes are measured, not derived."""
    model = onnx.load(str(path))
    weights = {i.name: i.dims for i in model.graph.initializer}
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    # Equal weights are stored once and passed on by Identity.
    weights |= {n.output[0]: weights[n.input[0]] for n in model.graph.node if n.op_type == "Identity" and n.input[0] in weights}
    known = {o.name for o in model.graph.output}
    for node in convolutions:
        if node.output[0] not in known:
            model.graph.output.append(helper.make_empty_tensor_value_info(node.output[0]))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    pixels = port.type == "tensor(uint8)"
    planar = port.shape[1] == 3
    if pixels:
        value = np.zeros((1, 3, height, width) if planar else (1, height, width, 3), np.uint8)
    else:
        value = np.zeros((1, port.shape[1], height, width), np.float32)
    names = [n.output[0] for n in convolutions]
    results = session.run(names, {port.name: value})
    return sum(int(np.prod(r.shape)) * int(np.prod(weights[n.input[1]][1:])) for n, r in zip(convolutions, results, strict=True))
