"""Tables of docs/view.md from rows of view.py."""

from view_tables import best, on_a_link, read_off, table


def row(path: str, setting: str, rate: float, vgg: float, alex: float) -> dict:
    return {"path": path, "setting": setting, "kbit/s": rate, "vgg": vgg, "alex": alex}


ROWS = [
    row("cis", "12+12 kbit/s", 23.9, 0.05, 0.3),
    row("cis", "12+28 kbit/s", 39.8, 0.02, 0.1),
    *(row(f"{codec}, full size", f"crf {k}", 10.0 * 4**k, 0.1 / (k + 1), 0.2) for codec in ("x264 veryfast", "x265 medium") for k in range(3)),
    row("x264 veryfast, 416 wide", "crf 1", 20.0, 0.09, 0.1),
    row("x264 veryfast, 416 wide", "crf 2", 80.0, 0.01, 0.1),
    row("x264 veryfast, full size", "link of 40 kbit/s", 41.0, 0.5, 0.05),
    row("x264 veryfast, 416 wide", "link of 40 kbit/s", 41.0, 0.4, 0.06),
]


def test_measures_are_read_off_between_rows():
    assert abs(read_off([r for r in ROWS if r["path"] == "x265 medium, full size"], 20.0, "vgg") - 0.075) < 1e-9
    assert read_off([r for r in ROWS if r["path"] == "x265 medium, full size"], 5.0, "vgg") is None
    assert abs(best(ROWS, "x264 veryfast", 40.0, "vgg") - 0.05) < 1e-9, "both sizes have it"
    assert on_a_link(ROWS, "x264 veryfast", 40.0, "vgg") == 0.4 and on_a_link(ROWS, "x264 veryfast", 24.0, "vgg") is None


def test_ours_is_bold_where_it_is_nearer_than_all():
    lines = table({"clip": ROWS}, best, ("x264 veryfast", "x265 medium"))
    assert lines[2].startswith("| clip | 24 | **0.050** / 0.300 | 0.0")
    assert lines[3].startswith("| clip | 40 | **0.020** / 0.100 | 0.050 / 0.100 |")
    assert table({"clip": ROWS}, on_a_link, ("x264 veryfast",))[3] == "| clip | 40 | **0.020** / 0.100 | 0.400 / 0.050 |"
