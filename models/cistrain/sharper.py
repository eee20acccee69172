"""A sharper look at the training material: what the teacher finds in pictures of twice the size that the split detector gets.

    python -m cistrain.sharper --data DATA --weights WEIGHTS --out sharper.json

x_s has half the resolution of x. The teacher on x itself sees smaller objects; its boxes are labels for `answers.py`, so that information squeezing has
something to carry over. The file maps `images/...` and `video/...#frame` to rows of x1 y1 x2 y2 (source pixels), class, confidence.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from .boxes import of_class
from .clips import PAD, picture
from .data import CLIPS, STILLS, bursts
from .detector import Back, Normalise, Trunk, decode
from .families import Family

LEAST = 0.4  # confidence of a box that counts


class Sharper:
    """The unsplit detector at any size, in ONNX Runtime."""

    MULTIPLE = 64

    def __init__(self, family: Family, weights: Path):
        class Graph(nn.Module):
            def __init__(self):
                super().__init__()
                self.normalise, self.trunk, self.back = Normalise(family), Trunk(family, weights), Back(family, weights)

            def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
                return decode(family, self.back(self.trunk(self.normalise(x.permute(0, 3, 1, 2).float()))))

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/detector.onnx"
            axes = {"x": {1: "h", 2: "w"}, "boxes": {1: "n"}, "scores": {1: "n"}}
            example = torch.zeros(1, 128, 192, 3, dtype=torch.uint8)
            torch.onnx.export(Graph().eval(), example, path, opset_version=11, input_names=["x"], output_names=["boxes", "scores"], dynamic_axes=axes)
            self.graph = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, rgb: np.ndarray) -> list[list[float]]:
        """Boxes in pixels of the picture, class, confidence."""
        height, width = rgb.shape[:2]
        padded = np.full((1, *(-(-side // self.MULTIPLE) * self.MULTIPLE for side in (height, width)), 3), PAD, np.uint8)
        padded[0, :height, :width] = rgb
        boxes, scores = (v[0] for v in self.graph.run(None, {"x": padded}))
        boxes = np.clip(boxes, 0, [width, height] * 2)
        found = []
        for c in np.flatnonzero(scores.max(0) >= LEAST):
            for box, score in zip(*of_class(boxes, scores, c, LEAST), strict=True):
                found.append([*(round(float(v), 1) for v in box), int(c), round(float(score), 3)])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "weights", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--detector", type=Family.of, default="nanodet-plus-m-1.5x", help="any that knows the 80 classes of COCO")
    args = parser.parse_args()
    look, table = Sharper(args.detector, args.weights), {}
    for clip in CLIPS:
        for burst in bursts(args.data / "video" / clip, 416 * args.detector.squeeze):
            for number, rgb in burst:
                table[f"video/{clip}#{number}"] = look(rgb)
    for source in STILLS:
        for path in sorted((args.data / "images" / source).iterdir()):
            table[f"images/{source}/{path.name}"] = look(picture(path))
    args.out.write_text(json.dumps(table))
    print(f"{sum(map(len, table.values()))} boxes in {len(table)} pictures")


if __name__ == "__main__":
    main()
