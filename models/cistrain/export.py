"""Writes a model bundle (docs/bundle.md): ONNX graphs with dynamic sizes, the coder's prior and the manifest.

    python -m cistrain.export --weights WEIGHTS --model model.pt --restore restore.pt --out BUNDLE --id cis-nanodet-v2 ...
"""

import argparse
import hashlib
import json
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from .clips import PAD
from .families import Family
from .fold import fold_pads
from .macs import multiply_accumulates
from .merge import MergedFront, SqueezedPicture
from .networks import Detect, Front
from .restore import Restore

OPSET = 11
WEIGHTS_LICENSE = "Apache-2.0"
QINDEX = (8, 40, 56)  # least, default, greatest; at 40 the detector is a few points below its ceiling


class DetectGraph(nn.Module):
    """y -> (boxes, scores)."""

    def __init__(self, detect: Detect):
        super().__init__()
        self.detect = detect

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.detect.boxes(y)


class RestoreGraph(nn.Module):
    """y -> uint8 NHWC picture."""

    def __init__(self, restore: Restore):
        super().__init__()
        self.restore = restore

    def forward(self, y: Tensor) -> Tensor:
        return self.restore(y)[0].round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def graphs(front: Front, detect: Detect, restore: Restore) -> dict[str, tuple[nn.Module, Tensor, list[str], list[str], dict]]:
    """File -> (module, example input, input names, output names, dynamic axes)."""
    family = detect.family
    x = torch.zeros(1, 3, 2 * family.multiple, 3 * family.multiple, dtype=torch.uint8)
    y = torch.zeros(1, family.latents, 4, 6)
    hw = {2: "h", 3: "w"}
    return {
        "front.onnx": (MergedFront(front), x, ["x"], ["y"], {"x": {2: "xh", 3: "xw"}, "y": hw}),
        "squeezed.onnx": (SqueezedPicture(front), x, ["x"], ["x_s"], {"x": {2: "xh", 3: "xw"}, "x_s": {2: "sh", 3: "sw"}}),
        "detect.onnx": (
            DetectGraph(detect),
            torch.cat([y, y]),
            ["y"],
            ["boxes", "scores"],
            {"y": {0: "n"} | hw, "boxes": {0: "n", 1: "anchors"}, "scores": {0: "n", 1: "anchors"}},
        ),
        "restore.onnx": (RestoreGraph(restore), y, ["y"], ["picture"], {"y": hw, "picture": {1: "xh", 2: "xw"}}),
    }


def write_graphs(front: Front, detect: Detect, restore: Restore, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for file, (module, example, inputs, outputs, axes) in graphs(front, detect, restore).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks on Python numbers that are constants on purpose
            torch.onnx.export(
                module.eval(), (example,), str(out / file), opset_version=OPSET, input_names=inputs, output_names=outputs, dynamic_axes=axes
            )
    fold_pads(out / "front.onnx")
    _state_size(out / "detect.onnx", "scores", 2, len(detect.family.names))


def _state_size(path: Path, output: str, axis: int, size: int) -> None:
    """Writes a fixed size that the exporter could not infer into the graph's signature."""
    model = onnx.load(str(path))
    (port,) = (o for o in model.graph.output if o.name == output)
    port.type.tensor_type.shape.dim[axis].dim_value = size
    onnx.save(model, str(path))


def manifest(out: Path, family: Family, identity: str, version: str, description: str, source: str) -> str:
    """The text of manifest.toml for the files in `out`."""
    quote = json.dumps  # TOML's basic strings are JSON's for plain text
    lines = [
        "format = 1",
        f"id = {quote(identity)}",
        f"version = {quote(version)}",
        f"description = {quote(description)}",
        'license = "Apache-2.0"',
        f"source = {quote(source)}",
        f"\n[input]\nsqueeze = {family.squeeze}\nmultiple = {family.multiple}\npad = {PAD}\ndefault-size = {family.default_size}\nlayout = \"planar\"",
        f"\n[latents]\nchannels = {family.latents}\nstride = {family.latent_stride}\nqindex-min = {QINDEX[0]}\nqindex-max = {QINDEX[2]}\nqindex-default = {QINDEX[1]}",
    ]
    ports = {
        "front": 'input = "x"\nlatents = "y"\nsqueezed = "x_s"\nsqueezed-file = "squeezed.onnx"',
        "detect": 'input = "y"\nboxes = "boxes"\nscores = "scores"',
        "restore": 'input = "y"\npicture = "picture"',
    }
    for name, text in ports.items():
        size = (256 * family.squeeze, 416 * family.squeeze) if name == "front" else (16, 26)
        macs = multiply_accumulates(out / f"{name}.onnx", *size)
        lines.append(f'\n[{name}]\nfile = "{name}.onnx"\n{text}\nmacs = {macs / 1e9:.3f}e9')
    lines.append('\n[prior]\nfile = "prior.bin"')
    lines.append(f"\n[classes]\nnames = {quote(family.names)}\ncoco-ids = {family.kept_coco_ids}")
    for path in sorted(p for p in out.iterdir() if p.is_file() and p.name != "manifest.toml"):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        lines.append(f'\n[[files]]\nname = "{path.name}"\nbytes = {len(data)}\nsha256 = "{digest}"\nlicense = "{WEIGHTS_LICENSE}"')
    return "\n".join(lines) + "\n"


def write_manifest(out: Path, family: Family, identity: str, version: str, description: str, source: str) -> None:
    (out / "manifest.toml").write_text(manifest(out, family, identity, version, description, source))


def load(model: Path, restore: Path | None, weights: Path) -> tuple[Front, Detect, Restore]:
    """Networks of two checkpoints, ready for inference."""
    state = torch.load(model, map_location="cpu")
    family = Family.of(state["family"])
    front, detect, view = Front(family, weights), Detect(family, weights), Restore(family)
    front.load_state_dict(state["front"])
    detect.load_state_dict(state["detect"])
    if restore is not None:
        view.load_state_dict(torch.load(restore, map_location="cpu")["restore"])
    return front.eval(), detect.eval(), view.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("weights", "model", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--restore", type=Path)
    parser.add_argument("--prior", type=Path, help="initial state of the entropy coder; an empty file when not given")
    parser.add_argument("--card", type=Path, help="model card to copy; the one in the folder is kept when not given")
    for name in ("id", "version", "description", "source"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    front, detect, restore = load(args.model, args.restore, args.weights)
    write_graphs(front, detect, restore, args.out)
    (args.out / "prior.bin").write_bytes(args.prior.read_bytes() if args.prior else b"")
    if args.card:
        (args.out / "README.md").write_text(args.card.read_text())
    write_manifest(args.out, detect.family, args.id, args.version, args.description, args.source)


if __name__ == "__main__":
    main()
