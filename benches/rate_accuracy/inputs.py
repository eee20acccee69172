"""What is to be measured: clips, folders of pictures, and lists of them; and the labels that lie beside them."""

import dataclasses
import hashlib
import json
import pathlib

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


@dataclasses.dataclass
class Input:
    """A clip (`pictures` is None) or a folder of pictures, with its COCO-format labels if there are any."""

    path: pathlib.Path
    pictures: list | None = None
    truth: dict | None = None

    @property
    def name(self):
        return self.path.name

    def digest(self):
        """Identifies the content."""
        sha = hashlib.sha256()
        for file in self.pictures or [self.path]:
            sha.update(pathlib.Path(file).read_bytes())
        return sha.hexdigest()[:16]


def resolve(paths, labels=None):
    """Inputs of the command line: a clip, a folder of pictures, or a text file that names some, one a line."""
    found = []
    for path in map(pathlib.Path, paths):
        if path.suffix == ".txt":
            lines = [line.strip() for line in path.read_text().splitlines()]
            found += resolve([path.parent / line for line in lines if line and not line.startswith("#")])
        elif path.is_dir():
            found.append(folder(path, labels))
        elif path.is_file():
            beside = path.with_suffix(".gt.json")
            held = labels or (beside if beside.exists() else None)
            found.append(Input(path, truth=load(held) if held else None))
        else:
            raise SystemExit(f"{path}: no such clip, folder or list")
    if labels and len(found) != 1:
        raise SystemExit("--labels goes with one input; several take their labels from files beside them")
    return found


def load(path):
    """COCO-format ground truth."""
    truth = json.loads(pathlib.Path(path).read_text())
    for key in ("images", "annotations", "categories"):
        if key not in truth:
            raise SystemExit(f"{path}: no '{key}': not COCO-format labels")
    return truth


def folder(path, labels=None):
    """The pictures of a folder; labels come from annotations.json in it or beside it, whose file names are relative to that file."""
    pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
    if not pictures:
        raise SystemExit(f"{path}: no pictures ({', '.join(sorted(PICTURES))})")
    held = labels or next((p for p in (path / "annotations.json", path.parent / "annotations.json") if p.exists()), None)
    if held is None:
        return Input(path, pictures)
    held = pathlib.Path(held)
    truth = load(held)
    names = {(held.parent / image["file_name"]).resolve(): image for image in truth["images"]}
    kept = [(p, names[p.resolve()]) for p in pictures if p.resolve() in names]
    if not kept:
        raise SystemExit(f"{held}: names none of the pictures in {path}")
    if any(image.get("labels") in ("none", "partial") for _, image in kept):
        return Input(path, pictures)
    ids = {image["id"] for _, image in kept}
    truth = {"images": [image for _, image in kept], "categories": truth["categories"],
             "annotations": [a for a in truth["annotations"] if a["image_id"] in ids]}
    return Input(path, [p for p, _ in kept], truth)
