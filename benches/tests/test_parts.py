"""Boxes on the wire, kept results, inputs, CPU time of a frame, choice of qualities."""

import json

import pytest

from rate_accuracy import boxes, cpu, inputs, ours, rivals
from rate_accuracy.cache import Cache, pack, unpack


def test_boxes_survive_the_wire_within_half_a_step():
    found = [{"category_id": 1, "bbox": [10.0, 20.0, 300.0, 400.0], "score": 0.5}, {"category_id": 90, "bbox": [0, 0, 640, 480], "score": 1.0}]
    data = boxes.encode(7, 123, found, 640, 480, 0.4)
    assert len(data) == 9 + 2 * 7
    number, out = boxes.decode(data, 640, 480)
    assert number == 7
    assert [d["category_id"] for d in out] == [90, 1]  # the surest first
    assert out[1]["bbox"] == pytest.approx(found[0]["bbox"], abs=640 / 1023 / 2 + 1e-9)
    assert out[1]["score"] == pytest.approx(0.5, abs=0.5 / 255)


def test_unsure_boxes_are_not_sent_and_many_are_cut():
    one = {"category_id": 3, "bbox": [1, 1, 2, 2], "score": 0.1}
    assert len(boxes.encode(0, 0, [one], 64, 64, 0.2)) == 9
    assert len(boxes.decode(boxes.encode(0, 0, [one] * 300, 64, 64, 0.05), 64, 64)[1]) == 255


def test_values_are_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"bytes": 5}

    kept = Cache(tmp_path / "kept")
    assert kept.get({"crf": 30}, make) == ({"bytes": 5}, False)
    assert kept.get({"crf": 30}, make) == ({"bytes": 5}, True)
    assert kept.get({"crf": 31}, make) == ({"bytes": 5}, False)
    assert len(made) == 2
    assert Cache(None).get({"crf": 30}, make) == ({"bytes": 5}, False)


def test_packed_detections_come_back():
    rows = [{"image_id": 4, "category_id": 2, "bbox": [1.25, 2.0, 3.0, 4.5], "score": 0.125}]
    assert unpack(pack(rows)) == rows


def test_a_frame_costs_what_is_left_without_start_and_reading():
    # Start-up 1 s, encoding 10 ms, reading 2 ms a frame, start of the reader 0.1 s; 101 frames.
    assert cpu.per_frame_ms(101, 1 + 101 * 0.012, 1 + 0.012, 0.1 + 101 * 0.002, 0.1 + 0.002) == pytest.approx(10)


def test_qualities_are_spread():
    assert rivals.some((1, 2, 3, 4, 5, 6, 7), 4) == [1, 3, 5, 7]
    assert rivals.some((1, 2, 3), None) == [1, 2, 3]


def test_lists_folders_and_labels_are_found(tmp_path):
    clip = tmp_path / "a.avi"
    clip.write_bytes(b"clip")
    labels = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "a.gt.json").write_text(json.dumps(labels))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("1.webp", "2.webp", "notes.md"):
        (folder / name).write_bytes(b"")
    labels = {"images": [{"id": 9, "file_name": "pictures/2.webp", "labels": "full"}], "annotations": [{"image_id": 9}, {"image_id": 10}], "categories": []}
    (tmp_path / "annotations.json").write_text(json.dumps(labels))
    (tmp_path / "list.txt").write_text("# comment\na.avi\n\npictures\n")
    first, second = inputs.resolve([tmp_path / "list.txt"])
    assert (first.name, first.pictures, first.truth["annotations"]) == ("a.avi", None, [])
    assert [p.name for p in second.pictures] == ["2.webp"]
    assert second.truth["annotations"] == [{"image_id": 9}]
    assert first.digest() != second.digest()


@pytest.mark.parametrize("missing", ["no.mp4", "empty"])
def test_what_is_not_there_is_named(tmp_path, missing):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=missing):
        inputs.resolve([tmp_path / missing])


def test_classes_of_a_bundle_become_the_categories_that_it_names():
    objects = [{"class_id": n, "box": [n, 0, 9, 9], "confidence": 0.5} for n in range(3)]
    found = ours.detections([{"number": 4, "objects": objects}], lambda unit: unit["number"], [1, 0, 8])
    assert [(d["image_id"], d["category_id"], d["bbox"][0]) for d in found] == [(4, 1, 0), (4, 8, 2)]
