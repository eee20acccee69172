"""Padding folds into convolutions without changing a result; what is no plain zero padding stays."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cistrain.fold import fold_pads


class Padded(nn.Module):
    """A convolution over a picture with more rows and columns on some sides."""

    def __init__(self, pad: tuple[int, ...], value: float = 0.0, own: int = 0):
        super().__init__()
        self.pad, self.value = pad, value
        self.conv = nn.Conv2d(3, 4, 2, padding=own)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(F.relu(x), self.pad, value=self.value))


def export(module: nn.Module, path: Path) -> np.ndarray:
    torch.manual_seed(1)
    x = torch.randn(1, 3, 6, 8)
    axes = {"x": {2: "h", 3: "w"}}
    torch.onnx.export(module.eval(), (x,), str(path), opset_version=11, input_names=["x"], output_names=["y"], dynamic_axes=axes)
    return x.numpy()


def run(path: Path, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["y"], {"x": x})[0]


@pytest.mark.parametrize("pad, own", [((1, 0, 1, 0), 0), ((0, 2, 1, 3), 1)])
def test_zero_padding_is_folded(tmp_path: Path, pad: tuple[int, ...], own: int) -> None:
    path = tmp_path / "front.onnx"
    x = export(Padded(pad, own=own), path)
    before = run(path, x)
    assert fold_pads(path) == 1
    assert {n.op_type for n in onnx.load(str(path)).graph.node} == {"Relu", "Conv"}
    np.testing.assert_allclose(run(path, x), before, atol=1e-6)
    assert fold_pads(path) == 0


def test_other_padding_stays(tmp_path: Path) -> None:
    for index, module in enumerate((Padded((1, 0, 1, 0), value=2.0), Padded((-1, 0, 0, 0)))):
        path = tmp_path / f"{index}.onnx"
        x = export(module, path)
        before = run(path, x)
        assert fold_pads(path) == 0
        np.testing.assert_array_equal(run(path, x), before)
