"""Parts of view.py: measures of pictures."""

import numpy as np

from view import psnr, resized, sheet, ssim


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
