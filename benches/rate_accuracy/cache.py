"""Results of rivals and teacher, kept on this machine: they do not change when the model does."""

import gzip
import hashlib
import json
import os
import pathlib

DEFAULT = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "cis-rate-accuracy"


class Cache:
    """A folder of JSON values under the hash of everything that they depend on; without a folder nothing is kept."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) if folder else None

    def get(self, key, make):
        """(value, whether it was kept): the value for `key`, a JSON-able dictionary; made and kept when there is none."""
        if self.folder is None:
            return make(), False
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        path = self.folder / f"{name}.json.gz"
        if path.exists():
            with gzip.open(path, "rt") as file:
                return json.load(file)["value"], True
        value = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        with gzip.open(part, "wt") as file:
            json.dump({"key": key, "value": value}, file)
        part.rename(path)
        return value, False


def pack(rows):
    """Detections as short lists."""
    return [[d["image_id"], d["category_id"], *(round(v, 2) for v in d["bbox"]), round(d["score"], 5)] for d in rows]


def unpack(rows):
    """The opposite of `pack`."""
    return [{"image_id": r[0], "category_id": r[1], "bbox": r[2:6], "score": r[6]} for r in rows]
