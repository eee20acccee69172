"""Corrections of the teacher's answers by labels, against cases worked out by hand; detectors of one's own."""

import pytest
import torch

from cistrain.answers import Answers, Labels, answer_loss, correct
from cistrain.families import Family
from cistrain.networks import Teacher

PERSON, CAR, BUS = 0, 2, 5
MIDDLES, STRIDES = torch.tensor([[8.0, 8.0], [40.0, 8.0], [8.0, 40.0]]), torch.full((3,), 8.0)


def answers(scores: list[tuple[int, int, float]], boxes=((0, 0, 16, 16), (32, 0, 48, 16), (0, 32, 16, 48))) -> Answers:
    classes = torch.zeros(1, 3, 80)
    for anchor, c, score in scores:
        classes[0, anchor, c] = score
    return Answers(torch.tensor([boxes], dtype=torch.float32), classes, None, torch.zeros(1, 3, 4, 8))


def labels(rows: list, covered: list[int]) -> list[Labels]:
    mask = torch.zeros(80, dtype=torch.bool)
    mask[covered] = True
    return [Labels(torch.tensor(rows, dtype=torch.float32).reshape(-1, 6), mask)]


def test_what_people_did_not_see_is_forgotten_only_where_they_looked():
    target = answers([(0, PERSON, 0.8), (1, PERSON, 0.8), (1, CAR, 0.7)])
    correct(target, answers([]), labels([[0, 0, 16, 16, PERSON, 1]], [PERSON]), MIDDLES, STRIDES)
    assert target.classes[0, 0, PERSON] >= 0.8  # a person is there
    assert target.classes[0, 1, PERSON] == 0  # nobody is there
    assert target.classes[0, 1, CAR] == pytest.approx(0.7)  # nobody looked for cars


def test_an_area_to_leave_alone_neither_raises_nor_forgets():
    target = answers([(0, PERSON, 0.6)])
    replaced = correct(target, answers([]), labels([[0, 0, 200, 200, PERSON, 0]], [PERSON]), MIDDLES, STRIDES)
    assert target.classes[0, 0, PERSON] == pytest.approx(0.6) and target.classes[0, 2, PERSON] == 0 and not replaced.any()


def test_a_missed_object_is_raised_at_the_anchor_that_fits():
    target = answers([])
    replaced = correct(target, answers([]), labels([[32, 0, 48, 18, CAR, 0.9]], []), MIDDLES, STRIDES)
    assert replaced.tolist() == [[False, True, False]]
    assert target.classes[0, 1, CAR] == pytest.approx(0.9 * 16 / 18, abs=1e-3)
    assert target.boxes[0, 1].tolist() == [32, 0, 48, 18]


@pytest.mark.parametrize("name", ["yolox-nano", "nanodet-plus-m-1.5x", "traffic-320"])
def test_a_perfect_copy_loses_nothing_and_labels_do(name, weights):
    family = Family.of(name)
    _, levels = Teacher(family, weights)(torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 255)
    assert sum(answer_loss(family, levels, levels).values()) == pytest.approx(0, abs=1e-3)
    known = labels([[10, 10, 40, 40, c, 1] for c in (PERSON, CAR, BUS)], [])
    assert sum(answer_loss(family, levels, levels, known).values()) > 0.01


def test_labels_follow_the_classes_that_are_kept():
    family = Family.of("traffic-320")
    (known,) = labels([[0, 0, 9, 9, CAR, 1], [0, 0, 9, 9, 77, 1]], [CAR, 77])
    mine = known.of(family)
    assert mine.boxes[:, 4].tolist() == [family.names.index("car")] == [2]
    assert mine.covered.tolist() == [False, False, True, False, False]


def test_only_kept_classes_come_out(weights):
    full, some = (Teacher(Family.of(n), weights) for n in ("nanodet-plus-m-1.5x", "traffic-320"))
    x = torch.zeros(1, 3, 128, 128)
    assert [level.shape[1] for level in full(x)[1]] == [80 + 32] * 4
    assert [level.shape[1] for level in some(x)[1]] == [5 + 32] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [({"kind": "ssd"}, "legal values: yolox, nanodet"), ({"keep": ["unicorn"]}, "unicorn"), ({"colour": 1}, "unknown fields"), ({"strides": [8]}, "4 heads for 1 strides")],
)
def test_a_wrong_description_says_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        Family.of({**Family.of("nanodet-plus-m-1.5x").table(), **change})
    with pytest.raises(FileNotFoundError, match="there are nanodet"):
        Family.of("resnet")
