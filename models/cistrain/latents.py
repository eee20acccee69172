"""Dumps the latents of clips for the tool cis-latents: to code them, or to learn the entropy coder's prior from them.

    python -m cistrain.latents --bundle bundles/default --data DATA --out FOLDER
    cis-latents prior --output prior.bin FOLDER/*.f32

With `--enhancement QINDEX` the latents are those of the enhancement layer, for a receiver that has the others at that qindex.

A dump is `<name>.f32`, little-endian [frames][channels][h][w], with a `.json` beside it. Only training material is dumped
here: a prior must not know the clips that judge it.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from .bundle import Bundle
from .clips import frames, picture, thinned
from .data import CLIPS, STILLS
from .quantise import sequence


def dump(latents: np.ndarray, path: Path, fps: float) -> None:
    """Writes one clip [frames, c, h, w]."""
    n, c, h, w = latents.shape
    latents.astype("<f4").tofile(path)
    path.with_suffix(".json").write_text(json.dumps({"frames": n, "channels": c, "h": h, "w": w, "fps": fps}))


def of_pictures(bundle: Bundle, pictures: list[np.ndarray], input_size: int, enhancement: int | None) -> np.ndarray:
    """Latents [frames, c, h, w] of one layer."""
    latents = np.stack([bundle.front(rgb, input_size)[0] for rgb in pictures])
    if enhancement is None:
        return latents
    symbols = sequence(latents, enhancement, 0.125)
    return np.stack([bundle.enhance(rgb, input_size, q, enhancement) for rgb, q in zip(pictures, symbols, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("bundle", "data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--input-size", type=int, help="the bundle's own if left out")
    parser.add_argument("--frames", type=int, default=40, help="of each clip, about 0.1 s apart, from its middle")
    parser.add_argument("--stills", type=int, default=150)
    parser.add_argument("--enhancement", type=int, metavar="QINDEX")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(args.bundle)
    args.input_size = args.input_size or bundle.default_size
    for name in CLIPS:
        path = args.data / "video" / name
        every, fps = thinned(path)
        numbered = [rgb for _, rgb in frames(path, every=every)]
        first = max(0, (len(numbered) - args.frames) // 2)
        latents = of_pictures(bundle, numbered[first : first + args.frames], args.input_size, args.enhancement)
        dump(latents, args.out / f"{Path(name).stem}.f32", fps)
    paths = [p for s in STILLS for p in sorted((args.data / "images" / s).iterdir())]
    for i, path in enumerate(random.Random(1).sample(paths, min(args.stills, len(paths)))):
        latents = of_pictures(bundle, [picture(path)], args.input_size, args.enhancement)
        dump(latents, args.out / f"still{i:03}.f32", 1.0)


if __name__ == "__main__":
    main()
