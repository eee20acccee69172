"""Speed of the camera's network: what ONNX Runtime's settings, the way the graph is written, int8 and the squeezing factor change.

    python front_speed.py --weights WEIGHTS --model checkpoints/cis-nanodet-v2.pt --clip CLIP
    python front_speed.py ... --truth LABELS.json --coder .../cis-latents     # and what int8 costs in AP50 and bytes

Processor time of one process, for one frame of the clip as x; all variants in turns, so that other work on the machine hits all of them. int8 is ONNX
Runtime's static quantisation (QDQ, a scale per output channel, calibrated on frames of the clip), the rest is float32.
"""

import argparse
import tempfile
import time
import warnings
from argparse import Namespace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

from ablations import changed
from cistrain.boxes import average_precision, of_class
from cistrain.clips import Geometry, frames, rate_of, to_x
from cistrain.export import OPSET, load
from cistrain.fold import fold_pads
from cistrain.macs import multiply_accumulates
from cistrain.merge import MergedFront
from cistrain.networks import Detect, Front
from cistrain.quantise import step
from evaluate import NOTHING, code, labels

# Weights of the convolutions that information squeezing and the stem were merged into: their hidden channels mix 0..255 with much smaller values.
SQUEEZING = ("hidden.first.weight", "hidden.middle.weight", "last.weight")
LEVELS = onnxruntime.GraphOptimizationLevel


class Plain(nn.Module):
    """The front as it is trained: pooling, pixel shuffle and normalisation are steps of their own."""

    def __init__(self, front: Front):
        super().__init__()
        self.front = front

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.front(x.float())[0]


class Frames(CalibrationDataReader):
    """Pictures that the ranges of int8 are taken from."""

    def __init__(self, pictures: list[np.ndarray]):
        self.left = list(pictures)

    def get_next(self) -> dict | None:
        return {"x": self.left.pop()} if self.left else None


def write(module: nn.Module, multiple: int, path: Path) -> Path:
    x = torch.zeros(1, 3, 2 * multiple, 3 * multiple, dtype=torch.uint8)
    axes = {"x": {2: "xh", 3: "xw"}, "y": {2: "h", 3: "w"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks on Python numbers that are constants on purpose
        torch.onnx.export(module.eval(), (x,), str(path), opset_version=OPSET, input_names=["x"], output_names=["y"], dynamic_axes=axes)
    fold_pads(path)
    return path


def without_cast(path: Path, out: Path) -> Path:
    """The graph with x in float32: the conversion is the caller's."""
    model = onnx.load(str(path))
    (cast,) = (n for n in model.graph.node if n.op_type == "Cast" and n.input[0] == "x")
    for node in model.graph.node:
        node.input[:] = ["x" if i == cast.output[0] else i for i in node.input]
    model.graph.node.remove(cast)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(model, str(out))
    return out


def int8(path: Path, pictures: list[np.ndarray], out: Path, kept: tuple[str, ...] = ()) -> Path:
    """QDQ graph, its convolutions with these weights in float32; per-channel scales need opset 13, the graph itself is the same."""
    newer = out.with_suffix(".13.onnx")
    onnx.save(onnx.version_converter.convert_version(onnx.load(str(path)), 13), str(newer))
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    kinds["nodes_to_exclude"] = [n.name for n in onnx.load(str(newer)).graph.node if n.op_type == "Conv" and n.input[1] in kept]
    quantize_static(str(newer), str(out), Frames(pictures), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
    return out


def session(path: Path, level=LEVELS.ORT_ENABLE_ALL, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.intra_op_num_threads = level, threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def variants(args, folder: Path, pictures: list[np.ndarray]) -> dict:
    """Name -> (session, x by squeezing factor, whether x is converted to float32 first, GMAC)."""
    front, *_ = load(args.model, None, args.weights)
    family = front.family
    released = write(MergedFront(front), family.multiple, folder / "front.onnx")
    state = changed(torch.load(args.model, map_location="cpu"), args.weights, {"squeeze": 4})
    wide = Front(type(family).of(state["family"]), args.weights)
    wide.load_state_dict(state["front"])
    by4 = write(MergedFront(wide), wide.family.multiple, folder / "by4.onnx")
    plain = write(Plain(front), family.multiple, folder / "plain.onnx")
    floats = without_cast(released, folder / "floats.onnx")
    quantised = int8(released, pictures, folder / "int8.onnx")
    partly = int8(released, pictures, folder / "int8-trunk.onnx", SQUEEZING)
    table = {"as released: all optimisations, one thread": (session(released), 2, False, released)}
    for name, level in (("extended", LEVELS.ORT_ENABLE_EXTENDED), ("basic", LEVELS.ORT_ENABLE_BASIC), ("none", LEVELS.ORT_DISABLE_ALL)):
        table[f"graph optimisation: {name}"] = (session(released, level), 2, False, released)
    table["two threads"] = (session(released, threads=2), 2, False, released)
    table["written as trained: pooling, shuffle, normalisation as steps"] = (session(plain), 2, False, plain)
    table["x made float32 outside the graph"] = (session(floats), 2, True, floats)
    table["int8"] = (session(quantised), 2, False, released)
    table["int8, squeezing and stem in float32"] = (session(partly), 2, False, released)
    table["squeezing by 4 (x twice as wide and high)"] = (session(by4), 4, False, by4)
    return table


def planes(rgb: np.ndarray, long_side: int, multiple: int) -> np.ndarray:
    return np.ascontiguousarray(to_x(rgb, long_side, multiple)[0].transpose(2, 0, 1))[None]


def speed(args, table: dict, xs: dict[int, np.ndarray]) -> None:
    """Least and median milliseconds of processor time, and of wall time, of each variant."""
    spent = {name: [] for name in table}
    for round_ in range(args.rounds + 1):
        for name, (run, squeeze, convert, _) in table.items():
            started, wall = time.process_time(), time.perf_counter()
            for _ in range(args.repeat):
                x = xs[squeeze].astype(np.float32) if convert else xs[squeeze]
                run.run(["y"], {"x": x})
            if round_:  # the first allocates
                spent[name].append([1000 * (time.process_time() - started) / args.repeat, 1000 * (time.perf_counter() - wall) / args.repeat])
    print("| front | processor ms a frame, least | median | wall ms, least | GMAC |\n|---|---|---|---|---|")
    for name, (_, squeeze, _, path) in table.items():
        cpu, wall = np.array(spent[name]).T
        macs = multiply_accumulates(path, {"x": xs[squeeze].shape[2:]})
        print(f"| {name} | {cpu.min():.2f} | {np.median(cpu):.2f} | {wall.min():.2f} | {macs / 1e9:.3f} |", flush=True)


def accuracy(args, table: dict) -> None:
    """AP50 of persons and bytes a frame with the float32 and with the int8 front before the same receiver."""
    _, detect, *_ = load(args.model, None, args.weights)
    family, truth = detect.family, labels(args.truth)
    person, judged = family.names.index("person"), range(0, args.frames, args.every)
    print("| front | " + " | ".join(f"qindex {q}" for q in args.qindex) + " |\n|---|" + "---|" * len(args.qindex))
    for name in [n for n in table if n.startswith(("as released", "int8"))]:
        run, latents = table[name][0], []
        for _, rgb in frames(args.clip, args.frames):
            x, geometry = to_x(rgb, family.squeeze * args.input_size, family.multiple)
            latents.append(run.run(["y"], {"x": np.ascontiguousarray(x.transpose(2, 0, 1))[None]})[0][0])
        cells = []
        for qindex in args.qindex:
            symbols, size, _ = code(np.stack(latents), rate_of(args.clip), qindex, Namespace(coder=args.coder, bundle=args.bundle, sticky=None))
            answers = [objects(detect, symbols[k], qindex, geometry, person) for k in judged if k < len(latents)]
            cells.append(f"{average_precision(answers, [truth.get(k, NOTHING) for k in judged if k < len(latents)]):.3f} @ {size:.0f}")
        print(f"| {name.split(':')[0]} | " + " | ".join(cells) + " |", flush=True)


@torch.no_grad()
def objects(detect: Detect, symbols: np.ndarray, qindex: int, geometry: Geometry, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and scores of one class, as `Bundle.objects`."""
    boxes, scores = detect.boxes(torch.from_numpy(symbols.astype(np.float32) * np.float32(step(qindex)))[None])
    limit = [geometry.width, geometry.height] * 2
    return of_class(np.clip(boxes[0].numpy() / geometry.scale, 0, limit), scores[0].numpy(), index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weights", "model", "clip"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--truth", type=Path, help="labels of the clip: measures AP50 and bytes of int8 too")
    parser.add_argument("--coder", type=Path, help="the tool cis-latents; bytes are estimated without it")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).parent / "bundles/default", help="with --coder: whose prior is used")
    parser.add_argument("--input-size", type=int, default=416)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=5, help="frames of one round of one variant")
    parser.add_argument("--calibrate", type=int, default=16, help="pictures for int8")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--every", type=int, default=3, help="frames coded for one that is judged")
    parser.add_argument("--qindex", type=int, nargs="+", default=[36, 40, 44])
    args = parser.parse_args()
    torch.set_num_threads(1)
    some = [rgb for _, rgb in frames(args.clip, 10 * args.calibrate, every=10)]
    xs = {k: planes(some[0], k * args.input_size, 32 * k) for k in (2, 4)}
    with tempfile.TemporaryDirectory() as folder:
        table = variants(args, Path(folder), [planes(rgb, 2 * args.input_size, 64) for rgb in some])
        speed(args, table, xs)
        if args.truth:
            accuracy(args, table)


if __name__ == "__main__":
    main()
