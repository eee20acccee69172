"""Average precision on cases small enough to work out by hand."""

import pytest

from rate_accuracy.coco import OFFICIAL_IDS
from rate_accuracy.score import as_truth, average_precision


def box(image, bbox, category=1, score=0.9):
    return {"image_id": image, "category_id": category, "bbox": bbox, "score": score}


TRUTH = as_truth([box(1, [10, 10, 100, 100]), box(2, [50, 50, 40, 80])], [1, 2], 0.4, OFFICIAL_IDS)


def test_the_truth_itself_is_perfect():
    assert average_precision(TRUTH, [box(1, [10, 10, 100, 100]), box(2, [50, 50, 40, 80])], [1, 2]) == pytest.approx((1.0, 1.0))


def test_one_of_two_found_is_half_of_the_recall_points():
    ap50, _ = average_precision(TRUTH, [box(1, [10, 10, 100, 100])], [1, 2])
    assert ap50 == pytest.approx(51 / 101)


def test_a_box_that_overlaps_by_two_thirds_counts_at_some_thresholds_only():
    # Intersection over union 50/75: above .50, .55, .60 and .65 of the ten thresholds.
    found = [box(1, [10, 10, 100, 100]), box(2, [50, 50, 40, 80])]
    found[0]["bbox"] = [10, 30, 100, 100]  # 8000 / 12000
    found[1]["bbox"] = [58, 50, 40, 80]  # 32 / 48
    ap50, ap = average_precision(TRUTH, found, [1, 2])
    assert ap50 == 1.0
    assert ap == pytest.approx(0.4)


def test_images_that_are_not_judged_do_not_count():
    assert average_precision(TRUTH, [box(1, [10, 10, 100, 100]), box(2, [0, 0, 5, 5])], [1]) == pytest.approx((1.0, 1.0))


def test_classes_that_the_labels_do_not_hold_do_not_count():
    found = [box(1, [10, 10, 100, 100]), box(2, [50, 50, 40, 80]), box(1, [0, 0, 9, 9], category=3, score=0.99)]
    assert average_precision(TRUTH, found, [1, 2]) == pytest.approx((1.0, 1.0))


def test_nothing_found_and_nothing_to_find_are_zero():
    assert average_precision(TRUTH, [], [1, 2]) == (0.0, 0.0)
    assert average_precision(as_truth([], [1], 0.4, OFFICIAL_IDS), [box(1, [0, 0, 9, 9])], [1]) == (0.0, 0.0)


def test_the_reference_takes_only_sure_detections():
    truth = as_truth([box(1, [0, 0, 9, 9], score=0.39), box(1, [1, 1, 9, 9], score=0.4)], [1], 0.4, OFFICIAL_IDS)
    assert [a["bbox"] for a in truth["annotations"]] == [[1, 1, 9, 9]]


def test_a_rare_class_is_no_part_of_the_reference():
    many = [box(1, [n, 0, 9, 9]) for n in range(30)]
    truth = as_truth([*many, box(1, [50, 50, 9, 9], category=8)], [1], 0.4, OFFICIAL_IDS)
    assert [c["id"] for c in truth["categories"]] == [1]
    assert len(truth["annotations"]) == 30


def test_the_reference_has_the_classes_of_the_bundle_alone():
    truth = as_truth([box(1, [0, 0, 9, 9]), box(1, [50, 50, 9, 9], category=8)], [1], 0.4, [8, 0])
    assert [a["bbox"] for a in truth["annotations"]] == [[50, 50, 9, 9]]
