"""Average precision, by COCO's own code."""

import collections
import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(truth, detections, image_ids):
    """(AP50, AP50:95) of detections [{image_id, category_id, bbox, score}] on the given images of COCO-format `truth`.

    Only the categories that the labels hold count."""
    ids = set(image_ids)
    categories = {c["id"] for c in truth["categories"]}
    rows = [dict(d) for d in detections if d["image_id"] in ids and d["category_id"] in categories]
    if not rows or not any(a["image_id"] in ids for a in truth["annotations"]):
        return 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(rows), "bbox")
        run.params.imgIds = sorted(ids)
        run.params.catIds = sorted(categories)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return max(0.0, float(run.stats[1])), max(0.0, float(run.stats[0]))


# A class with a smaller share of the reference's boxes is left out: one doubtful box would weigh as much as all cars.
LEAST_SHARE = 0.05


def as_truth(detections, image_ids, sure, coco_ids):
    """COCO-format labels of the detections that are at least this sure, of the classes that are among `coco_ids` and not rare."""
    held = [d for d in detections if d["score"] >= sure and d["category_id"] in coco_ids]
    count = collections.Counter(d["category_id"] for d in held)
    classes = {c for c, n in count.items() if n >= LEAST_SHARE * len(held)}
    held = [dict(d, id=i, area=d["bbox"][2] * d["bbox"][3], iscrowd=0) for i, d in enumerate((d for d in held if d["category_id"] in classes), 1)]
    return {"images": [{"id": i} for i in image_ids], "annotations": held, "categories": [{"id": c} for c in sorted(classes)]}
