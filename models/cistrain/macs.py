"""Counts the multiply-accumulates of the convolutions of an exported graph at given sizes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper


def multiply_accumulates(path: Path, sizes: dict[str, tuple[int, int]]) -> int:
    """`sizes`: (height, width) of every input. Runs the graph once with every convolution's result exposed: sizes are measured, not derived."""
    model = onnx.load(str(path))
    weights = {i.name: i.dims for i in model.graph.initializer}
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    # Equal weights are stored once and passed on by Identity, halved ones (`halve.py`) by Cast.
    weights |= {n.output[0]: weights[n.input[0]] for n in model.graph.node if n.op_type in ("Identity", "Cast") and n.input[0] in weights}
    known = {o.name for o in model.graph.output}
    for node in convolutions:
        if node.output[0] not in known:
            model.graph.output.append(helper.make_empty_tensor_value_info(node.output[0]))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {}
    for port in session.get_inputs():
        size = sizes[port.name]
        interleaved = port.shape[3] == 3
        given[port.name] = np.zeros((1, *size, 3) if interleaved else (1, port.shape[1], *size), np.uint8 if port.type == "tensor(uint8)" else np.float32)
    names = [n.output[0] for n in convolutions]
    results = session.run(names, given)
    return sum(int(np.prod(r.shape)) * int(np.prod(weights[n.input[1]][1:])) for n, r in zip(convolutions, results, strict=True))
