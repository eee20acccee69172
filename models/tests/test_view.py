"""Parts of view.py: measures of pictures."""

import json

import numpy as np

from cistrain.judges import Finder, psnr, ssim
from view import resized, sheet, told


def test_measures_of_pictures():
    random = np.random.default_rng(0)
    a = random.integers(0, 256, (64, 80), np.uint8)
    b = np.clip(a.astype(int) + 10, 0, 255).astype(np.uint8)
    assert psnr(a, a) == 99.0 and ssim(a, a) > 0.9999
    flat = np.full((64, 80), 100, np.uint8)
    assert abs(psnr(flat, flat + 10) - 20 * np.log10(25.5)) < 1e-9
    assert ssim(a, random.integers(0, 256, a.shape, np.uint8)) < 0.1 < ssim(a, b)


def test_sheet_has_a_row_for_every_rate_of_ours():
    source = np.zeros((40, 60, 3), np.uint8)
    rows = [{"path": p, "setting": s, "kbit/s": r} for p, s, r in (("cis", "a", 10), ("cis", "b", 30), ("x", "1", 20), ("x", "2", 40))]
    seen = {f"{r['path']} {r['setting']}": source for r in rows}
    assert sheet(rows, seen, source).shape == (80, 180, 3)
    assert resized(np.stack([source]), (30, 20)).shape == (1, 20, 30, 3)


def test_what_could_not_be_judged_is_null():
    assert json.loads(told([{"path": "cis", "psnr": 30.5, "ap50 teacher": float("nan")}])) == [{"path": "cis", "psnr": 30.5, "ap50 teacher": None}]


class Blind:
    """A detector that finds what is bright."""

    def objects(self, rgb: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        ys, xs = np.nonzero(rgb[..., 0] > 128) if index == 0 else ([], [])
        if not len(xs):
            return np.zeros((0, 4)), np.zeros(0)
        return np.array([[min(xs), min(ys), max(xs) + 1, max(ys) + 1]], float), np.array([0.9])


def test_what_is_not_labelled_is_what_is_found_in_the_source():
    source = np.zeros((3, 40, 60, 3), np.uint8)
    source[:, 10:20, 10:30] = 255
    finder = Finder(Blind(), source, range(3), None, 2.0)
    assert finder(source) > 0.99 and finder(np.zeros_like(source)) == 0.0
    persons = [(np.array([[5.0, 5.0, 15.0, 10.0]]), np.zeros(1, bool))] * 3
    assert Finder(Blind(), source, range(3), persons, 2.0)(source) > 0.99, "labels are in pixels of the source, pictures twice as large"
