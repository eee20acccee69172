"""The path of this project, through its real elements: clip -> cisencode -> .cis -> cisparse -> cisdetect -> cisjson."""

import json
import math
import pathlib
import tomllib

from . import cpu


class Elements:
    """Runs cis on one uncompressed clip; what does not depend on qindex is measured once."""

    def __init__(self, source, frames, folder, **properties):
        self.frames, self.folder = frames, pathlib.Path(folder)
        self.reader = ["filesrc", f"location={source}", "!", "y4mdec", "!"]
        self.properties = properties
        self._before = None

    def run(self, qindex):
        """(lines of cisjson, CPU milliseconds a frame at the camera). Detections come at a threshold of 0.01, as average precision wants them."""
        stream, lines = self.folder / "ours.cis", self.folder / "ours.jsonl"
        encode = ["cisencode", f"qindex={qindex}", *(f"{k.replace('_', '-')}={v}" for k, v in self.properties.items()), "!", "filesink", f"location={stream}"]
        one = ["identity", "eos-after=2", "!"]
        if self._before is None:
            self._before = [launch(self.reader + one + encode), launch([*self.reader, "fakesink"]), launch([*self.reader, *one, "fakesink"])]
        ms = cpu.per_frame_ms(self.frames, launch(self.reader + encode), *self._before)
        return self.detect(["filesrc", f"location={stream}", "!", "cisparse"], lines), ms

    def detect(self, source, lines):
        """cisjson's lines for the coded frames of `source`."""
        model = [f"model={self.properties['model']}"] if "model" in self.properties else []
        launch([*source, "!", "cisdetect", *model, "threshold=0.01", "!", "cisjson", "stream=bench", "!", "filesink", f"location={lines}"])
        return [json.loads(row) for row in lines.read_text().splitlines()]


def launch(line):
    """CPU seconds of a pipeline."""
    return cpu.seconds(["gst-launch-1.0", "-q", *line])


class StillElements:
    """The same for PNG files `pattern` (printf style, from 1): each becomes a key frame, all in one pipeline."""

    def __init__(self, pattern, pictures, folder, **properties):
        self.pattern, self.pictures, self.elements = pattern, pictures, Elements(None, 0, folder, **properties)
        self._before = None

    def reader(self, *more):
        return ["multifilesrc", f"location={self.pattern}", "start-index=1", *more, "caps=image/png,framerate=1/1", "!", "pngdec", "!", "videoconvert", "!",
                "video/x-raw,format=I420", "!"]

    def run(self, qindex):
        """(lines of cisjson, CPU milliseconds a picture at the camera)."""
        coder = ["cisencode", f"qindex={qindex}", "key-interval=1", *(f"{k.replace('_', '-')}={v}" for k, v in self.elements.properties.items())]
        if self._before is None:
            one = self.reader("stop-index=1")
            self._before = [launch([*one, *coder, "!", "fakesink"]), launch([*self.reader(), "fakesink"]), launch([*one, "fakesink"])]
        ms = cpu.per_frame_ms(self.pictures, launch([*self.reader(), *coder, "!", "fakesink"]), *self._before)
        return self.elements.detect([*self.reader(), *coder], self.elements.folder / "ours.jsonl"), ms


def detections(units, frame_of, coco_ids):
    """COCO result rows; `frame_of` turns a unit into its image id, `coco_ids` has the category of each class of the bundle, 0 for none."""
    return [
        {"image_id": frame_of(unit), "category_id": coco_ids[thing["class_id"]], "bbox": thing["box"], "score": thing["confidence"]}
        for unit in units for thing in unit["objects"] if coco_ids[thing["class_id"]]
    ]


class Bundle:
    """The facts of a model bundle that a report needs."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.manifest = tomllib.loads((self.folder / "manifest.toml").read_text())
        self.id = self.manifest["id"]
        self.default_qindex = self.manifest["latents"]["qindex-default"]
        self.input_size = self.manifest["input"]["default-size"]
        self.coco_ids = self.manifest["classes"]["coco-ids"]

    def x(self, width, height, input_size):
        """(width, height) of the network's input for a source of this size (docs/bundle.md, "Geometry")."""
        long, multiple = input_size * self.manifest["input"]["squeeze"], self.manifest["input"]["multiple"]
        sides = (max(1, math.floor(side * long / max(width, height) + 0.5)) for side in (width, height))
        return tuple(-(-side // multiple) * multiple for side in sides)

    def front_macs(self, width, height, input_size):
        """MACs of the front for a source of this size, counted in its graph."""
        from . import macs
        return macs.count(self.folder / self.manifest["front"]["file"], *self.x(width, height, input_size))
