"""Folds zero padding into the convolution behind it: the exporter writes `F.pad` as a node of its own, for which ONNX Runtime leaves its blocked layout."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper


def fold_pads(path: Path) -> int:
    """Rewrites the graph in place; returns how many paddings it folded."""
    model = onnx.load(str(path))
    graph, folded = model.graph, 0
    for pad in [n for n in graph.node if n.op_type == "Pad"]:
        users = [n for n in graph.node if pad.output[0] in n.input]
        if len(users) != 1 or users[0].op_type != "Conv" or pad.output[0] in {o.name for o in graph.output}:
            continue
        amounts = _amounts(model, pad)
        if amounts is None or len(amounts) != 8 or any(amounts[i] for i in (0, 1, 4, 5)):
            continue
        top, left, bottom, right = (int(amounts[i]) for i in (2, 3, 6, 7))
        (own,) = [a for a in users[0].attribute if a.name == "pads"]
        own.ints[:] = [o + more for o, more in zip(own.ints, (top, left, bottom, right), strict=True)]
        users[0].input[0] = pad.input[0]
        graph.node.remove(pad)
        folded += 1
    if folded:
        _drop_unused(graph)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
    return folded


def _amounts(model: onnx.ModelProto, pad: onnx.NodeProto) -> np.ndarray | None:
    """What a node pads with zeros, in ONNX's order (begins, then ends); None when it is not that or not a constant."""
    mode = next((a.s for a in pad.attribute if a.name == "mode"), b"constant")
    if mode != b"constant" or len(pad.input) < 2 or min(amounts := _constant(model, pad.input[1]), default=-1) < 0:
        return None
    value = _constant(model, pad.input[2]) if len(pad.input) > 2 and pad.input[2] else [0]
    return amounts if len(value) == 1 and value[0] == 0 else None


def _constant(model: onnx.ModelProto, name: str) -> np.ndarray:
    """The flat value of a tensor that depends on no input of the graph; empty when it does depend on one."""
    wanted, kept = {name}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    if wanted & {i.name for i in model.graph.input}:
        return np.array([])
    constants = [i for i in model.graph.initializer if i.name in wanted]
    graph = helper.make_graph(kept[::-1], "constant", [], [helper.make_empty_tensor_value_info(name)], constants)
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run([name], {})[0].reshape(-1)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Removes the nodes that nobody reads any more."""
    wanted = {o.name for o in graph.output}
    for node in reversed(list(graph.node)):
        if wanted & set(node.output):
            wanted |= set(node.input)
        else:
            graph.node.remove(node)
