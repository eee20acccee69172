"""The product's camera, in front of pictures."""

from pathlib import Path

import numpy as np


def camera(pictures: np.ndarray, fps: float, rates: str, source: Path, options: list[str]) -> str:
    """The pipeline, without its end, that codes pictures [n, h, w, 3] at `BASE+ENHANCEMENT` kbit/s (0: without the layer); they are written to `source`. `options` are `cisencode`'s besides."""
    base, enhancement = rates.split("+")
    layer = ["enhancement=always", f"enhancement-bitrate={enhancement}"] if int(enhancement) else []
    pictures.tofile(source)
    raw = f"rawvideoparse format=rgb width={pictures.shape[2]} height={pictures.shape[1]} framerate={round(fps * 1000)}/1000"
    return f"filesrc location={source} ! {raw} ! {' '.join(['cisencode', f'bitrate={base}', *layer, *options])}"
