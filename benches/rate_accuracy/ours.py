"""The path of this project, through its real elements: clip -> cisencode -> units -> cisdetect -> cisjson."""

import json
import pathlib
import re
import subprocess
import tempfile

from .coco import OFFICIAL_IDS


def run(clip, **properties):
    """Encodes `clip` with these properties of cisencode; returns (units, camera) where `units` are cisjson's lines and
    `camera` is what cisencode counted. Detections come at a threshold of 0.01, as average precision wants them."""
    encode = " ".join(f"{name.replace('_', '-')}={value}" for name, value in properties.items())
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.jsonl"
        line = (f"filesrc location={clip} ! decodebin ! videoconvert ! cisencode {encode} ! cisdetect threshold=0.01 ! "
                f"cisjson stream=bench ! filesink location={out}")
        log = subprocess.run(["gst-launch-1.0", "-m", *line.split()], check=True, capture_output=True, text=True).stdout
        units = [json.loads(row) for row in out.read_text().splitlines()]
    return units, camera_statistics(log)


def camera_statistics(log):
    """The last `cisencode-stats` message in gst-launch's log as a dictionary of numbers."""
    found = re.findall(r"cisencode-stats, (.*?);", log)
    if not found:
        raise SystemExit("cisencode posted no cisencode-stats message: plugin and bench are of different versions")
    return {k: float(v) for k, v in re.findall(r"([a-z0-9-]+)=\([a-z0-9]+\)([-0-9.e+]+)", found[-1])}


def detections(units, frame_of):
    """COCO result rows; `frame_of` turns a unit into its image id."""
    return [
        {"image_id": frame_of(unit), "category_id": OFFICIAL_IDS[thing["class_id"]], "bbox": thing["box"], "score": thing["confidence"]}
        for unit in units for thing in unit["objects"]
    ]
