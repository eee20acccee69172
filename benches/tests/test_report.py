"""The report: the same figures give the same text and plots, and README holds what benches/results say."""

import copy
import pathlib

from rate_accuracy import plot, readme, report

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def row(path, kind, setting, size, ap50, **more):
    return {"path": path, "kind": kind, "setting": setting, "bytes": size, "kbps": size * 0.08, "ap50": ap50, "ap": ap50 / 2, "cpu_ms": 5.0, **more}


RUN = {
    "kind": "clip", "clip": "street.mp4", "width": 640, "height": 360, "fps": 10.0, "frames": 100, "thin": 1, "every": 5, "judged": 20, "reference": "human labels",
    "bundle": "model-v1", "input_size": 416, "machine": "a machine", "build": "release", "encoders": "ffmpeg", "commit": "abc",
    "rows": [
        {"path": "teacher, source frames", "kind": "teacher", "ap50": 0.9, "ap": 0.45},
        *(row("model-v1", "cis", f"qindex {q}", s, a, gmac=0.1, qindex=q, default=q == 40) for q, s, a in ((32, 400, 0.9), (40, 200, 0.8), (48, 100, 0.7))),
        *(row("x264 veryfast, 640 wide", "video codec", f"crf {q}", s, a) for q, s, a in ((30, 1600, 0.9), (40, 800, 0.8), (48, 400, 0.7))),
        *(row("x264 veryfast, 416 wide", "video codec", f"crf {q}", s, a) for q, s, a in ((30, 800, 0.6), (40, 400, 0.5))),
        row("teacher on the camera", "boxes", "boxes from 0.4", 60, 0.9, gmac=1.5),
    ],
}


def test_delta_rates_name_a_missing_range():
    text = report.markdown(RUN)
    assert "against x264 veryfast, 640 wide: -75 %" in text
    assert "against x264 veryfast, 416 wide: no shared accuracy range" in text
    assert "against teacher on the camera: no shared accuracy range" in text


def test_the_best_codec_is_the_hull_of_all_of_them():
    run = copy.deepcopy(RUN)
    run["rows"] += [row("cheap", "video codec", f"crf {q}", s, a) for q, s, a in ((30, 400, 0.8), (40, 200, 0.7))]
    found = report.deltas(run)
    assert round(found["cheap"][0]) == -50
    assert found["the best codec, whichever it is"][0] > found["x264 veryfast, 640 wide"][0]


def test_kept_times_are_marked():
    run = copy.deepcopy(RUN)
    run["rows"][-1]["cached"] = True
    assert report.markdown(run).count("(kept)") == 1


def test_the_table_shows_rates_costs_and_deltas():
    text = readme.table([RUN])
    assert "0.900 at 32.0, 0.800 at 16.0, 0.700 at 8.0" in text
    assert "5.0, 5.0, 5.0" in text
    assert "0.100, 1.500" in text
    assert "-75 % (0.70 to 0.90)" in text


def test_the_same_figures_give_the_same_plot(tmp_path):
    for name in ("a.svg", "b.svg"):
        plot.curves(copy.deepcopy(RUN), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "street.mp4" in (tmp_path / "a.svg").read_text()


def test_readme_is_what_the_results_say():
    text = (ROOT / "README.md").read_text()
    found = readme.runs(ROOT / "benches/results")
    assert found, "benches/results is empty"
    assert readme.updated(text, found) == text, "README.md is older than benches/results: run benches/report"


def test_every_result_has_its_plot():
    for run in readme.runs(ROOT / "benches/results"):
        assert (ROOT / "docs/images" / f"rate-{pathlib.Path(run['clip']).stem}.svg").exists(), "run benches/report"


def test_results_name_machine_commit_and_reference():
    for run in readme.runs(ROOT / "benches/results"):
        assert all(run[key] for key in ("machine", "build", "commit", "reference", "bundle", "encoders")), run["clip"]
