"""A folder of pictures: each is a key frame of cis, through the real elements; the rivals are JPEG and WebP."""

import pathlib
import sys
import time

import cv2
import numpy as np

from . import boxes, cache, ours, rivals, score
from .bench import BOXES, CIS, SENT, SURE, VIDEO

CODECS = {
    "JPEG": (".jpg", cv2.IMWRITE_JPEG_QUALITY, (4, 8, 14, 22, 35, 55, 75)),
    "WebP": (".webp", cv2.IMWRITE_WEBP_QUALITY, (0, 3, 8, 16, 30, 50, 75)),
}
# Quality 0 of the smallest WebP is still larger than 1 kB, so that pictures are made smaller too, as a user would.
LONG_SIDES = (None, 256, 160)


class Stills:
    """The pictures, and every path that is judged on them."""

    def __init__(self, item, args, teacher, kept, folder):
        self.item, self.args, self.teacher, self.kept, self.folder = item, args, teacher, kept, pathlib.Path(folder)
        ids = {pathlib.Path(image["file_name"]).name: image["id"] for image in item.truth["images"]} if item.truth else {}
        self.ids = [ids.get(path.name, n) for n, path in enumerate(item.pictures, 1)]
        self.pictures = []
        for n, path in enumerate(item.pictures, 1):
            picture = cv2.imread(str(path))
            if picture is None:
                raise SystemExit(f"{path}: no picture that OpenCV reads")
            picture = picture[:picture.shape[0] // 2 * 2, :picture.shape[1] // 2 * 2]
            cv2.imwrite(str(self.folder / f"{n:06}.png"), picture)
            self.pictures.append(picture)
        self.rows = []
        self._key = {"version": 2, "pictures": item.digest()}

    def facts(self):
        sides = sorted(max(p.shape[:2]) for p in self.pictures)
        return {"kind": "stills", "clip": self.item.name, "frames": len(self.pictures), "long_side": sides[len(sides) // 2], "reference": self.reference}

    def run(self):
        found = None
        if self.teacher:
            value, cached = self.kept.get(self._key | {"teacher": self.teacher.digest, "what": "source"}, lambda: self.judge(self.pictures))
            found = cache.unpack(value["rows"])
        if self.item.truth:
            self.truth, self.reference = self.item.truth, "human labels"
        else:
            self.truth = score.as_truth(found, self.ids, SURE, self.args.bundle.coco_ids)
            self.reference = f"{self.teacher.name} on the source pictures, confidence {SURE} and above (favours pixel codecs at high rates)"
        if found:
            self.add(f"{self.teacher.name}, source pictures", "teacher", found)
        if not self.args.no_ours:
            self.run_ours()
        if self.args.rivals:
            self.run_boxes(found, value["cpu_ms"], cached)
            self.run_rivals()

    def judge(self, pictures):
        """The teacher on pictures (BGR) of any size, boxes in pixels of the originals."""
        rows, spent = [], 0.0
        for image, original, picture in zip(self.ids, self.pictures, pictures):
            scale = [original.shape[1] / picture.shape[1], original.shape[0] / picture.shape[0]] * 2
            started = time.thread_time()
            found = self.teacher.detect(np.ascontiguousarray(picture[:, :, ::-1]))
            spent += time.thread_time() - started
            rows += [dict(d, image_id=image, bbox=[v * k for v, k in zip(d["bbox"], scale)]) for d in found]
        return {"rows": cache.pack(rows), "cpu_ms": 1000 * spent / len(self.ids)}

    def add(self, path, kind, found, total=None, **more):
        ap50, ap = score.average_precision(self.truth, found, self.ids)
        self.rows.append({"path": path, "kind": kind, **more, "ap50": ap50, "ap": ap} | ({"bytes": total / len(self.ids)} if total is not None else {}))
        print(f"  {path} {more.get('setting', '')}: AP50 {ap50:.3f}, AP {ap:.3f}" + (f", {total / len(self.ids):.0f} bytes" if total is not None else ""), file=sys.stderr, flush=True)

    def run_ours(self):
        bundle, size = self.args.bundle, self.args.input_size
        more = {"model": bundle.folder.resolve()} if self.args.own_bundle else {}
        macs = np.mean([count for count in self._macs(bundle, size)])
        elements = ours.StillElements(self.folder / "%06d.png", len(self.ids), self.folder, input_size=size, **more)
        for qindex in self.args.qindex:
            units, ms = elements.run(qindex)
            if len(units) != len(self.ids):
                raise SystemExit(f"cisjson has {len(units)} lines for {len(self.ids)} pictures")
            image = {id(unit): self.ids[n] for n, unit in enumerate(units)}
            self.add(bundle.id, CIS, ours.detections(units, lambda unit: image[id(unit)], bundle.coco_ids), sum(unit["bytes"] for unit in units),
                     setting=f"qindex {qindex}", qindex=qindex, default=qindex == bundle.default_qindex, cpu_ms=ms, gmac=macs / 1e9)

    def _macs(self, bundle, size):
        known = {}
        for picture in self.pictures:
            shape = picture.shape[1], picture.shape[0]
            x = bundle.x(*shape, size)
            if x not in known:
                known[x] = bundle.front_macs(*shape, size)
            yield known[x]

    def run_boxes(self, found, cpu_ms, cached):
        macs = self.teacher.macs()
        for sent in SENT:
            rows, total = [], 0
            for image, picture in zip(self.ids, self.pictures):
                height, width, _ = picture.shape
                data = boxes.encode(image, 0, [d for d in found if d["image_id"] == image], width, height, sent)
                total += len(data)
                rows += [dict(d, image_id=image) for d in boxes.decode(data, width, height)[1]]
            self.add(f"{self.teacher.name} on the camera", BOXES, rows, total, setting=f"boxes from {sent}", cpu_ms=cpu_ms, gmac=macs / 1e9, cached=cached)

    def run_rivals(self):
        for name, (suffix, flag, qualities) in CODECS.items():
            for side in LONG_SIDES:
                for quality in rivals.some(qualities, self.args.points):
                    key = self._key | {"teacher": self.teacher.digest, "codec": name, "side": side, "quality": quality, "opencv": cv2.__version__}
                    value, cached = self.kept.get(key, lambda: self._code(suffix, flag, quality, side))
                    size = f"{side} long" if side else "full size"
                    self.add(f"{name}, {size}", VIDEO, cache.unpack(value["rows"]), value["bytes"], setting=f"quality {quality}", cpu_ms=value["cpu_ms"], cached=cached)

    def _code(self, suffix, flag, quality, side):
        total, spent, decoded = 0, 0.0, []
        for picture in self.pictures:
            scale = side / max(picture.shape[:2]) if side else 1
            small = picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            started = time.thread_time()
            done, data = cv2.imencode(suffix, small, [flag, quality])
            spent += time.thread_time() - started
            assert done, f"OpenCV cannot write {suffix}"
            total += len(data)
            decoded.append(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return self.judge(decoded) | {"bytes": total, "cpu_ms": 1000 * spent / len(self.ids)}
