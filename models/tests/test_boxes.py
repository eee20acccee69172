"""Average precision against cases worked out by hand."""

import numpy as np
import pytest

from cistrain.boxes import average_precision, iou, nms


def box(x, y, side=10):
    return [x, y, x + side, y + side]


def test_overlap():
    assert iou(np.array([box(0, 0)]), np.array([box(5, 0), box(20, 0)]))[0] == pytest.approx([1 / 3, 0])


def test_suppression_keeps_the_best_of_a_heap():
    boxes = np.array([box(0, 0), box(1, 0), box(50, 0)], float)
    assert nms(boxes, np.array([0.5, 0.9, 0.1])).tolist() == [1, 2]


def test_precision_counts_misses_false_alarms_and_ignored():
    truth = [(np.array([box(0, 0), box(100, 0), box(200, 0)], float), np.array([False, False, True]))]
    perfect = [(np.array([box(0, 0), box(100, 0), box(200, 0)], float), np.array([0.9, 0.8, 0.95]))]
    assert average_precision(perfect, truth) == 1.0
    half = [(np.array([box(0, 0)], float), np.array([0.9]))]
    assert average_precision(half, truth) == pytest.approx(51 / 101)
    alarm = [(np.array([box(300, 0), box(0, 0), box(100, 0)], float), np.array([0.99, 0.9, 0.8]))]
    assert average_precision(alarm, truth) == pytest.approx(2 / 3)
    twice = [(np.array([box(0, 0), box(1, 0)], float), np.array([0.9, 0.8]))]
    assert average_precision(twice, truth) == pytest.approx(51 / 101)
