"""One clip: its reference, and every path that is judged against it."""

import pathlib
import sys
import time

from . import boxes, cache, clips, ours, rivals, score

# Detections of the teacher at least this sure are the reference where no human labelled.
SURE = 0.4
# The least sure boxes that the detector on the camera sends: one point of its curve each.
SENT = (0.05, 0.2, 0.4, 0.6)
VIDEO, BOXES, CIS = "video codec", "boxes", "cis"


class Bench:
    """A clip, thinned and cut as asked. `teacher` is None where human labels are all that is needed."""

    def __init__(self, item, args, teacher, kept, folder):
        self.item, self.args, self.teacher, self.kept, self.folder = item, args, teacher, kept, pathlib.Path(folder)
        _, _, rate, total = clips.probe(item.path)
        self.thin = args.thin or (max(1, round(rate / args.fps)) if args.fps else 1)
        count = min(-(-total // self.thin), max(1, round(args.seconds * rate / self.thin)) if args.seconds else total)
        self.source = self.folder / "source.y4m"
        self.width, self.height, self.fps, self.frames = clips.raw(item.path, self.source, self.thin, count)
        self.interval = max(1, round(10 * self.fps))  # a key frame every 10 s, for everyone
        self.judged = [self.image(n) for n in range(0, self.frames, args.every)]
        self.rows = []
        self._key = {"version": 2, "clip": item.digest(), "thin": self.thin, "frames": self.frames, "every": args.every}
        self._small = None

    def image(self, n):
        """Image id, which is the source's frame number from 1, of coded frame n from 0."""
        return 1 + n * self.thin

    def facts(self):
        return {"kind": "clip", "clip": self.item.name, "width": self.width, "height": self.height, "fps": self.fps, "frames": self.frames,
                "thin": self.thin, "every": self.args.every, "judged": len(self.judged), "reference": self.reference}

    def run(self):
        found = self.watch()
        self.set_reference(found)
        if found:
            self.add(f"{self.teacher.name}, source frames", "teacher", found["rows"])
        self.run_ours()
        if self.args.rivals:
            self.run_boxes(found)
            self.run_rivals()

    def watch(self):
        """What the teacher finds on the source frames, and the CPU time that this takes."""
        if self.teacher is None:
            return None
        value, cached = self.kept.get(self._key | {"teacher": self.teacher.digest, "what": "source"}, lambda: self.judge(self.source, self.width, self.height, 1))
        return {"rows": cache.unpack(value["rows"]), "cpu_ms": value["cpu_ms"], "cached": cached}

    def set_reference(self, found):
        if self.item.truth:
            self.truth, self.reference = self.item.truth, "human labels"
            return
        tiles = self.args.reference_tiles
        if tiles > 1:
            key = self._key | {"teacher": self.teacher.digest, "what": "source", "tiles": tiles}
            value, _ = self.kept.get(key, lambda: self.judge(self.source, self.width, self.height, 1, tiles))
            found = {"rows": cache.unpack(value["rows"])}
        self.truth = score.as_truth(found["rows"], self.judged, SURE, self.args.bundle.coco_ids)
        how = f", in {tiles}x{tiles} overlapping parts and as a whole" if tiles > 1 else " (favours pixel codecs at high rates)"
        self.reference = f"{self.teacher.name} on the source frames, confidence {SURE} and above{how}"

    def judge(self, path, width, height, every=None, tiles=1):
        """The teacher on judged frames, boxes in source pixels; every coded frame is in `path`."""
        rows, spent = [], 0.0
        scale = (self.width / width, self.height / height)
        for n, frame in enumerate(clips.frames(path, width, height, self.args.every)):
            started = time.thread_time()
            found = self.teacher.detect(frame, tiles)
            spent += time.thread_time() - started
            rows += [dict(d, image_id=self.image(n * self.args.every), bbox=[v * scale[i % 2] for i, v in enumerate(d["bbox"])]) for d in found]
        return {"rows": cache.pack(rows), "cpu_ms": 1000 * spent / max(1, len(self.judged))}

    def add(self, path, kind, found, total=None, **more):
        ap50, ap = score.average_precision(self.truth, found, self.judged)
        row = {"path": path, "kind": kind, **more, "ap50": ap50, "ap": ap}
        if total is not None:
            row |= {"bytes": total / self.frames, "kbps": total * 8 * self.fps / self.frames / 1000}
        self.rows.append(row)
        print(f"  {path} {more.get('setting', '')}: AP50 {ap50:.3f}" + (f", {row['kbps']:.1f} kbit/s" if total is not None else ""), file=sys.stderr, flush=True)

    def run_ours(self):
        if self.args.no_ours:
            return
        bundle, size = self.args.bundle, self.args.input_size
        model = {"model": bundle.folder.resolve()} if self.args.own_bundle else {}
        elements = ours.Elements(self.source, self.frames, self.folder, input_size=size, key_interval=self.interval, **model)
        macs = bundle.front_macs(self.width, self.height, size)
        for qindex in self.args.qindex:
            units, ms = elements.run(qindex)
            found = ours.detections(units, lambda unit: self.image(round(unit["pts_ns"] * self.fps / 1e9)), bundle.coco_ids)
            self.add(bundle.id, CIS, found, sum(unit["bytes"] for unit in units), setting=f"qindex {qindex}", qindex=qindex,
                     default=qindex == bundle.default_qindex, cpu_ms=ms, gmac=macs / 1e9)

    def run_boxes(self, found):
        """The teacher as the detector on the camera. It is judged on the judged frames, so its bytes are theirs times the rest."""
        macs = self.teacher.macs()
        for sent in SENT:
            rows, total = [], 0
            for image in self.judged:
                data = boxes.encode(image, round(1000 * image / self.fps), [d for d in found["rows"] if d["image_id"] == image], self.width, self.height, sent)
                total += len(data)
                rows += [dict(d, image_id=image) for d in boxes.decode(data, self.width, self.height)[1]]
            self.add(f"{self.teacher.name} on the camera", BOXES, rows, total * self.frames / len(self.judged), setting=f"boxes from {sent}",
                     cpu_ms=found["cpu_ms"], gmac=macs / 1e9, cached=found["cached"])

    def small(self):
        if self._small is None:
            path = self.folder / "small.y4m"
            self._small = path, *clips.raw(self.source, path, width=self.args.input_size)[:2]
        return self._small

    def run_rivals(self):
        sizes = [(self.source, self.width, self.height)]
        if self.width > 1.1 * self.args.input_size:
            sizes.append(self.small())
        for raw, width, height in sizes:
            encoder = rivals.Encoder(raw, self.frames, self.interval, self.folder)
            for rival in rivals.RIVALS:
                for quality in rivals.some(rival.qualities, self.args.points):
                    self.run_rival(encoder, rival, quality, width, height)

    def run_rival(self, encoder, rival, quality, width, height):
        def make():
            path, total, ms = encoder.run(rival, quality)
            return self.judge(path, width, height) | {"bytes": total, "cpu_ms": ms}

        key = self._key | {"teacher": self.teacher.digest, "size": [width, height], "line": " ".join(rival.line(quality, self.interval)), "encoder": self.args.ffmpeg}
        value, cached = self.kept.get(key, make)
        if cached and self.args.fresh_cpu:
            value, cached = value | {"cpu_ms": encoder.run(rival, quality)[2]}, False
        self.add(f"{rival.name}, {width} wide", VIDEO, cache.unpack(value["rows"]), value["bytes"], setting=f"crf {quality}", cpu_ms=value["cpu_ms"], cached=cached)
