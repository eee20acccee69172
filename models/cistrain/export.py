"""Writes a model bundle (docs/bundle.md): ONNX graphs with dynamic sizes, the coder's prior and the manifest.

    python -m cistrain.export --weights WEIGHTS --model model.pt --restore restore.pt --out BUNDLE --id cis-nanodet-v2 ...
"""

import argparse
import hashlib
import json
import tomllib
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from .clips import PAD
from .enhance import ENHANCED, Enhance, transform_file
from .families import Family
from .fold import fold_pads
from .halve import halve
from .identity import decodes
from .macs import multiply_accumulates
from .merge import MergedFront, SqueezedPicture
from .networks import Detect, Front
from .restore import WIDTHS, Restore

OPSET = 11
WEIGHTS_LICENSE = "Apache-2.0"
QINDEX = (8, 40, 56)  # least, default, greatest; at 40 the detector is a few points below its ceiling
ENHANCE_QINDEX = (8, 38, 56)  # of the enhancement layer


class DetectGraph(nn.Module):
    """y -> (boxes, scores)."""

    def __init__(self, detect: Detect):
        super().__init__()
        self.detect = detect

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.detect.boxes(y)


class RestoreGraph(nn.Module):
    """y, z of the enhancement layer if there is one, state if it is remembered -> uint8 NHWC picture, next state if it is remembered."""

    def __init__(self, restore: Restore, enhanced: bool, memory: bool):
        super().__init__()
        self.restore, self.enhanced, self.memory = restore, enhanced, memory

    def forward(self, y: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        picture, state = self.restore(y, given[0] if self.enhanced else None, given[-1] if self.memory else None)
        picture = picture.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        return (picture, state) if self.memory else (picture,)


class EnhanceGraph(nn.Module):
    """uint8 x -> z."""

    def __init__(self, enhance: Enhance):
        super().__init__()
        self.enhance = enhance

    def forward(self, x: Tensor) -> Tensor:
        return self.enhance(x.float())


def graphs(front: Front, detect: Detect, restore: Restore, enhance: Enhance | None, memory: bool) -> dict[str, tuple[nn.Module, tuple[Tensor, ...], list[str], list[str], dict]]:
    """File -> (module, example inputs, input names, output names, dynamic axes)."""
    family = detect.family
    x = torch.zeros(1, 3, 2 * family.multiple, 3 * family.multiple, dtype=torch.uint8)
    y = torch.zeros(1, family.latents, 4, 6)
    z, state = torch.zeros(1, ENHANCED, 8, 12), torch.zeros(1, WIDTHS[2], 16, 24)
    hw, xhw, zhw, shw = ({2: f"{name}h", 3: f"{name}w"} for name in ("", "x", "z", "s"))
    layer = [] if enhance is None else [z]
    files = {
        "front.onnx": (MergedFront(front), (x,), ["x"], ["y"], {"x": xhw, "y": hw}),
        "squeezed.onnx": (SqueezedPicture(front), (x,), ["x"], ["x_s"], {"x": xhw, "x_s": shw}),
        "detect.onnx": (
            DetectGraph(detect),
            (torch.cat([y, y]),),
            ["y"],
            ["boxes", "scores"],
            {"y": {0: "n"} | hw, "boxes": {0: "n", 1: "anchors"}, "scores": {0: "n", 1: "anchors"}},
        ),
        "restore.onnx": (
            RestoreGraph(restore, enhance is not None, memory),
            (y, *layer, *([state] if memory else [])),
            ["y", *["z" for _ in layer], *(["state"] if memory else [])],
            ["picture", *(["next"] if memory else [])],
            {"y": hw, "z": zhw, "state": shw, "picture": {1: "xh", 2: "xw"}, "next": shw},
        ),
    }
    if enhance is not None:
        files["enhance.onnx"] = (EnhanceGraph(enhance), (x,), ["x"], ["z"], {"x": xhw, "z": zhw})
    return files


def write_graphs(front: Front, detect: Detect, restore: Restore, enhance: Enhance | None, out: Path, memory: bool = False) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for file, (module, example, inputs, outputs, axes) in graphs(front, detect, restore, enhance, memory).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks on Python numbers that are constants on purpose
            torch.onnx.export(
                module.eval(), example, str(out / file), opset_version=OPSET, input_names=inputs, output_names=outputs, dynamic_axes=axes
            )
    fold_pads(out / "front.onnx")
    for name in ("restore.onnx", "enhance.onnx"):
        if (out / name).exists():
            halve(out / name)
    if enhance is not None:
        (out / "transform.bin").write_bytes(transform_file(enhance.transform))
        _unused_input(out / "enhance.onnx", "y", [1, detect.family.latents, "h", "w"])
    _state_size(out / "detect.onnx", "scores", 2, len(detect.family.names))


def _unused_input(path: Path, name: str, shape: list[int | str]) -> None:
    """Declares an input that docs/bundle.md asks for and this network makes nothing of, which the exporter leaves out."""
    model = onnx.load(str(path))
    model.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    onnx.save(model, str(path))


def _state_size(path: Path, output: str, axis: int, size: int) -> None:
    """Writes a fixed size that the exporter could not infer into the graph's signature."""
    model = onnx.load(str(path))
    (port,) = (o for o in model.graph.output if o.name == output)
    port.type.tensor_type.shape.dim[axis].dim_value = size
    onnx.save(model, str(path))


def manifest(out: Path, family: Family, identity: str, version: str, description: str, source: str, others: list[dict]) -> str:
    """The text of manifest.toml for the files in `out`; `others` are the manifests of bundles whose streams it understands."""
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
    stride = family.latent_stride
    enhanced = (out / "enhance.onnx").exists()
    if enhanced:
        least, default, greatest = ENHANCE_QINDEX
        ports["restore"] += '\nenhanced = "z"'
        ports["enhance"] = 'input = "x"\nreceived = "y"\nlatents = "z"\nprior-file = "enhance-prior.bin"\ntransform-file = "transform.bin"\n'
        ports["enhance"] += f"channels = {ENHANCED}\nstride = {stride // 2}\nqindex-min = {least}\nqindex-max = {greatest}\nqindex-default = {default}"
    sizes = {"x": (256 * family.squeeze, 416 * family.squeeze), "y": (16, 26), "z": (32, 52), "state": (64, 104)}
    for name, text in ports.items():
        macs = multiply_accumulates(out / f"{name}.onnx", sizes)
        lines.append(f'\n[{name}]\nfile = "{name}.onnx"\n{text}\nmacs = {macs / 1e9:.3f}e9')
    if any(port.name == "state" for port in onnx.load(str(out / "restore.onnx"), load_external_data=False).graph.input):
        lines.append(f'\n[restore.state]\ninput = "state"\noutput = "next"\nchannels = {WIDTHS[2]}\nstride = {stride // 4}')
    lines.append('\n[prior]\nfile = "prior.bin"')
    lines.append(f"\n[classes]\nnames = {quote(family.names)}\ncoco-ids = {family.kept_coco_ids}")
    files = []
    for path in sorted(p for p in out.iterdir() if p.is_file() and p.name != "manifest.toml"):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        files.append(f'\n[[files]]\nname = "{path.name}"\nbytes = {len(data)}\nsha256 = "{digest}"\nlicense = "{WEIGHTS_LICENSE}"')
    head, tail = ("\n".join(part) + "\n" for part in (lines, files))
    return head + decodes(tomllib.loads(head + tail), others) + tail


def write_manifest(out: Path, family: Family, identity: str, version: str, description: str, source: str, others: list[dict] | None = None) -> None:
    (out / "manifest.toml").write_text(manifest(out, family, identity, version, description, source, others or []))


def load(model: Path, restore: Path | None, weights: Path) -> tuple[Front, Detect, Restore, Enhance | None]:
    """Networks of two checkpoints, ready for inference. Without one of the view there is no enhancement layer, and restored pictures show nothing."""
    state = torch.load(model, map_location="cpu")
    family = Family.of(state["family"])
    front, detect, view = Front(family, weights), Detect(family, weights), Restore(family)
    front.load_state_dict(state["front"])
    detect.load_state_dict(state["detect"])
    if restore is None:
        return front.eval(), detect.eval(), view.eval(), None
    view.load_state_dict(torch.load(restore, map_location="cpu")["restore"])
    return front.eval(), detect.eval(), view.eval(), Enhance(view.transform).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("weights", "model", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--restore", type=Path)
    for layer, name in (("detection's", "prior"), ("the enhancement", "enhance-prior")):
        parser.add_argument(f"--{name}", type=Path, help=f"initial state of the entropy coder for {layer} layer; an empty file when not given")
    parser.add_argument("--decodes", type=Path, action="append", default=[], metavar="MANIFEST", help="manifest.toml of a bundle with the same front, whose streams this one understands; may be repeated")
    parser.add_argument("--memory", action="store_true", help="the restoration remembers the picture before: for one whose training saw more than pairs")
    parser.add_argument("--card", type=Path, help="model card to copy; the one in the folder is kept when not given")
    for name in ("id", "version", "description", "source"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    networks = load(args.model, args.restore, args.weights)
    write_graphs(*networks, args.out, args.memory)
    priors = {"prior.bin": args.prior} | ({"enhance-prior.bin": args.enhance_prior} if args.restore else {})
    for name, prior in priors.items():
        (args.out / name).write_bytes(prior.read_bytes() if prior else b"")
    if args.card:
        (args.out / "README.md").write_text(args.card.read_text())
    others = [tomllib.loads(path.read_text()) for path in args.decodes]
    write_manifest(args.out, networks[1].family, args.id, args.version, args.description, args.source, others)


if __name__ == "__main__":
    main()
