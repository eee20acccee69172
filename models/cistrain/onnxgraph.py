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
        self.convolutions = {n.input[1]: n.input[1:3] for n in graph.node if n.op_type == "Conv"}
        self.channels = {name: shape[1] for name, shape in shapes.items() if len(shape) > 1}
        self.steps = []
        nodes = _needed(graph.node, set(inputs) | set(constants), outputs)
        self.nodes = _fuse_silu(nodes, outputs)
        for node in self.nodes:
            self.steps.append(self._compile(node, constants, shapes))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return self._run(dict(zip(self.inputs, tensors, strict=True)), self.steps)

    def _run(self, values: dict[str, Tensor], steps: list) -> tuple[Tensor, ...]:
        for run, names, results in steps:
            made = run(*(values[n] for n in names))
            values.update(zip(results, made if isinstance(made, tuple) else (made,), strict=True))
        return tuple(values[n] for n in self.outputs)

    def stem(self) -> tuple[Tensor, Tensor, str] | None:
        """Weight, bias and result of the first step, if that is a 3x3 convolution of stride 2 of a picture and all that reads the input."""
        name = self.steps[0][2][0]
        node = next((n for n in self.nodes if name in n.output), None)
        if node is None or node.op_type != "Conv" or any(i in n.input for i in self.inputs for n in self.nodes if n is not node):
            return None
        attr = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        keys = self.parameters_of(node.input[1])
        if len(keys) < 2 or attr["kernel_shape"] != [3, 3] or attr["strides"] != [2, 2] or attr["pads"] != [1, 1, 1, 1] or attr.get("group", 1) != 1:
            return None
        return self.weights[keys[0]].detach(), self.weights[keys[1]].detach(), name

    def resume(self, stem: Tensor) -> tuple[Tensor, ...]:
        """The rest of the graph after its first step's result."""
        return self._run({self.steps[0][2][0]: stem}, self.steps[1:])

    def parameters_of(self, weight: str) -> list[str]:
        """Keys in `weights` of a convolution's weight and bias, given the weight's name in the file."""
        return [self._key(n) for n in self.convolutions[weight]]

    @staticmethod
    def _key(name: str) -> str:
        return name.replace(".", "_")

    def channels_of(self, tensor: str) -> int:
        """Channels of a tensor, as the file has them."""
        return self.channels[tensor]

    def _parameter(self, name: str, constants: dict[str, np.ndarray]) -> str:
        key = self._key(name)
        if key not in self.weights:
            self.weights[key] = nn.Parameter(torch.tensor(constants[name]))
        return key

    def _compile(self, node, constants, shapes):
        """One node as (callable, names of its tensor inputs, names of its results)."""
        attr = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        const = [constants.get(n) for n in node.input]
        tensors = [n for n, c in zip(node.input, const, strict=True) if c is None and n]
        if node.op_type == "Conv":
            run = self._conv(node, attr, constants)
        elif node.op_type == "Resize":
            run = _resize(attr, shapes[node.input[0]], shapes[node.output[0]])
        elif build := OPERATORS.get(node.op_type):
            run = build(node, attr, const)
        else:
            raise ValueError(f"operator {node.op_type} of tensor {node.output[0]} is not supported")
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


def _leaky_relu(node, attr, const):
    alpha = attr.get("alpha", 0.01)
    return lambda x: F.leaky_relu(x, alpha)


def _concat(node, attr, const):
    return lambda *x: torch.cat(x, attr["axis"])


def _max_pool(node, attr, const):
    size, stride, pads = attr["kernel_shape"], attr["strides"], attr["pads"]
    return lambda x: F.max_pool2d(x, size, stride, pads[:2])


def _split(node, attr, const):
    parts, axis = len(node.output), attr.get("axis", 0)
    return lambda x: torch.chunk(x, parts, axis)


def _gather(node, attr, const):
    index, axis = torch.tensor(const[1].astype(np.int64)), attr.get("axis", 0)
    return lambda x: x.index_select(axis, index.to(x.device))


def _slice(node, attr, const):
    starts, ends, axes, *rest = const[1:]
    steps = rest[0] if rest else [1] * len(starts)
    spans = {int(a): slice(int(b), min(int(e), 2**31), int(s)) for a, b, e, s in zip(axes, starts, ends, steps, strict=True)}
    return lambda x: x[tuple(spans.get(d, slice(None)) for d in range(x.dim()))]


OPERATORS = {
    "Add": lambda *_: torch.add,
    "Concat": _concat,
    "Gather": _gather,
    "LeakyRelu": _leaky_relu,
    "MaxPool": _max_pool,
    "Mul": lambda *_: torch.mul,
    "Relu": lambda *_: F.relu,
    "SiLU": lambda *_: F.silu,
    "Sigmoid": lambda *_: torch.sigmoid,
    "Slice": _slice,
    "Split": _split,
}


def _resize(attr, before: list[int], after: list[int]):
    """Resize by the factor between the shapes in the file, whatever the shape of the input."""
    factor = after[2] / before[2]
    if attr["mode"] == b"nearest":
        return lambda x: F.interpolate(x, scale_factor=factor, mode="nearest")
    return lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
