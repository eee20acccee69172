"""A detector read from ONNX as a trainable PyTorch module that can be cut at any tensor.

`OnnxGraph(path, inputs, outputs)` keeps only the nodes between the named tensors; floating-point initialisers become
parameters. It knows the handful of operators that small one-stage detectors use, and none of them depends on the height
or width that the file was exported with.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper, shape_inference
from torch import Tensor, nn


class OnnxGraph(nn.Module):
    """The part of an ONNX graph from the tensors `inputs` to the tensors `outputs`."""

    def __init__(self, path: str | Path, inputs: list[str], outputs: list[str]):
        super().__init__()
        graph = shape_inference.infer_shapes(onnx.load(str(path))).graph
        constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.value_info, *graph.output]}
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.weights = nn.ParameterDict()
        self.steps = []
        nodes = _needed(graph.node, set(inputs) | set(constants), outputs)
        for node in _fuse_silu(nodes, outputs):
            self.steps.append(self._compile(node, constants, shapes))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(self.inputs, tensors, strict=True))
        for run, names, results in self.steps:
            made = run(*(values[n] for n in names))
            values.update(zip(results, made if isinstance(made, tuple) else (made,), strict=True))
        return tuple(values[n] for n in self.outputs)

    def _parameter(self, name: str, constants: dict[str, np.ndarray]) -> str:
        key = name.replace(".", "_")
        if key not in self.weights:
            self.weights[key] = nn.Parameter(torch.tensor(constants[name]))
        return key

    def _compile(self, node, constants, shapes):
        """One node as (callable, names of its tensor inputs, names of its results)."""
        attr = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        const = [constants.get(n) for n in node.input]
        tensors = [n for n, c in zip(node.input, const, strict=True) if c is None and n]
        kind = node.op_type
        if kind == "Conv":
            run = self._conv(node, attr, constants)
        elif kind == "SiLU":
            run = F.silu
        elif kind == "LeakyRelu":
            run = lambda x, a=attr.get("alpha", 0.01): F.leaky_relu(x, a)
        elif kind == "Relu":
            run = F.relu
        elif kind == "Sigmoid":
            run = torch.sigmoid
        elif kind == "Add":
            run = torch.add
        elif kind == "Mul":
            run = torch.mul
        elif kind == "Concat":
            run = lambda *x, axis=attr["axis"]: torch.cat(x, axis)
        elif kind == "MaxPool":
            run = lambda x, k=attr["kernel_shape"], s=attr["strides"], p=attr["pads"]: F.max_pool2d(x, k, s, p[:2])
        elif kind == "Split":
            run = lambda x, parts=len(node.output), axis=attr.get("axis", 0): torch.chunk(x, parts, axis)
        elif kind == "Gather":
            run = _gather(const[1], attr.get("axis", 0))
        elif kind == "Slice":
            run = _slice(*const[1:])
        elif kind == "Resize":
            run = _resize(node, attr, const, shapes)
        else:
            raise ValueError(f"operator {kind} of tensor {node.output[0]} is not supported")
        return run, tensors, list(node.output)

    def _conv(self, node, attr, constants):
        weight = self._parameter(node.input[1], constants)
        bias = self._parameter(node.input[2], constants) if len(node.input) > 2 else None
        stride, pads, groups = attr["strides"], attr["pads"], attr.get("group", 1)
        if pads[:2] != pads[2:]:
            raise ValueError(f"convolution {node.output[0]}: pads {pads} are not symmetric")

        def run(x: Tensor) -> Tensor:
            b = None if bias is None else self.weights[bias]
            return F.conv2d(x, self.weights[weight], b, stride, pads[:2], 1, groups)

        return run


def convolution_output(path: str | Path, weight: str) -> str:
    """Name of the tensor that the convolution with this weight produces."""
    for node in onnx.load(str(path)).graph.node:
        if node.op_type == "Conv" and node.input[1] == weight:
            return node.output[0]
    raise ValueError(f"{path} has no convolution with weight {weight}")


def _needed(nodes, known: set[str], outputs: list[str]) -> list:
    """Nodes that `outputs` depend on, going back no further than the tensors in `known`."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output) and not set(node.output) <= known:
            kept.append(node)
            wanted |= {n for n in node.input if n and n not in known}
    missing = wanted - {n for node in kept for n in node.output} - known
    if missing:
        raise ValueError(f"tensors {sorted(missing)} cannot be computed from {sorted(known)[:4]}...")
    return kept[::-1]


def _fuse_silu(nodes: list, outputs: list[str]) -> list:
    """Writes Sigmoid followed by Mul with its own input as one node: a third of the memory in training."""
    uses: dict[str, int] = {}
    for node in nodes:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    gates = {n.output[0]: n.input[0] for n in nodes if n.op_type == "Sigmoid" and uses.get(n.output[0]) == 1}
    fused, dropped = [], set()
    for node in nodes:
        pair = list(node.input)
        gate = next((g for g in pair if g in gates and gates[g] in pair and g not in outputs), None)
        if node.op_type == "Mul" and gate:
            node = onnx.helper.make_node("SiLU", [gates[gate]], list(node.output))
            dropped.add(gate)
        fused.append(node)
    return [n for n in fused if not (n.op_type == "Sigmoid" and n.output[0] in dropped)]


def _gather(index: np.ndarray, axis: int):
    index = torch.tensor(index.astype(np.int64))
    return lambda x: x.index_select(axis, index.to(x.device))


def _slice(starts, ends, axes, steps=None):
    steps = [1] * len(starts) if steps is None else steps
    spans = {int(a): slice(int(b), min(int(e), 2**31), int(s)) for a, b, e, s in zip(axes, starts, ends, steps, strict=True)}
    return lambda x: x[tuple(spans.get(d, slice(None)) for d in range(x.dim()))]


def _resize(node, attr, const, shapes):
    """Resize by the factor between the shapes in the file, whatever the shape of the input."""
    before, after = shapes[node.input[0]][2], shapes[node.output[0]][2]
    factor = after / before
    if attr["mode"] == b"nearest":
        return lambda x: F.interpolate(x, scale_factor=factor, mode="nearest")
    return lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
