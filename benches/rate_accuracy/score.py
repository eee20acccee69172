"""Average precision, by COCO's own code."""

import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(truth, detections, image_ids):
    """(AP50, AP50:95) of detections [{image_id, category_id, bbox, score}] on the given images of COCO-format `truth`.

    Only the categories that the labels hold count."""
    ids = set(image_ids)
    categories = {c["id"] for c in truth["categories"]}
    rows = [d for d in detections if d["image_id"] in ids and d["category_id"] in categories]
    if not rows:
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
    return float(run.stats[1]), float(run.stats[0])
