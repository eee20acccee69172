"""Dumps quantised latents of training material: what the entropy coder's prior is made from.

    python -m cistrain.latents --bundle bundles/default --data DATA --out FOLDER

Writes one file per clip and quantiser index, `<name>_q<qindex>.bin` (little-endian i16 [frames][channels][h][w]), with a
`.json` beside it; stills are clips of one frame.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from .bundle import Bundle
from .clips import frames, picture, rate_of
from .data import CLIPS, STILLS
from .quantise import sequence


def dump(latents: np.ndarray, name: str, qindexes: list[int], margin: float, fps: float, out: Path) -> None:
    """Writes one clip [frames, c, h, w] at several quantiser indexes."""
    n, c, h, w = latents.shape
    for qindex in qindexes:
        sequence(latents, qindex, margin).astype("<i2").tofile(out / f"{name}_q{qindex}.bin")
        about = {"frames": n, "channels": c, "h": h, "w": w, "fps": fps, "qindex": qindex, "sticky": margin, "dtype": "i16"}
        (out / f"{name}_q{qindex}.json").write_text(json.dumps(about))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("bundle", "data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--input-size", type=int, default=416)
    parser.add_argument("--qindex", type=int, nargs="+", default=[24, 28, 32, 36, 40, 44, 48])
    parser.add_argument("--sticky", type=float, default=0.25)
    parser.add_argument("--frames", type=int, default=40, help="of each clip, about 0.1 s apart, from its middle")
    parser.add_argument("--stills", type=int, default=150)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(args.bundle)
    for name in CLIPS:
        path = args.data / "video" / name
        fps = rate_of(path)
        every = max(1, round(fps / 10))
        numbered = [rgb for _, rgb in frames(path, every=every)]
        first = max(0, (len(numbered) - args.frames) // 2)
        latents = [bundle.front(rgb, args.input_size)[0] for rgb in numbered[first : first + args.frames]]
        dump(np.stack(latents), Path(name).stem, args.qindex, args.sticky, fps / every, args.out)
    paths = [p for s in STILLS for p in sorted((args.data / "images" / s).iterdir())]
    for i, path in enumerate(random.Random(1).sample(paths, min(args.stills, len(paths)))):
        latents = bundle.front(picture(path), args.input_size)[0]
        dump(latents[None], f"still{i:03}", [args.qindex[i % len(args.qindex)]], args.sticky, 0.0, args.out)


if __name__ == "__main__":
    main()
