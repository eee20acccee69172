"""The tables of docs/view.md, from the rows that view.py wrote.

    python view_tables.py ../benches/results/view

For every clip and total rate of ours: VGG / AlexNet distance of ours and of each codec, the better of its two sizes, at constant quality (read off between its rows, over the logarithm of the rate) and, where it was limited to a link of that rate, so.
Bold: nearer than all of them.
"""

import argparse
import json
import math
from pathlib import Path

DISTANCES = ("vgg", "alex")
RATES = ("12+12 kbit/s", "12+28 kbit/s")
CODECS = ("x264 veryfast", "x265 medium", "SVT-AV1 preset 9")
LIMITED = CODECS[:2]  # those that keep to a rate: SVT-AV1's constant rate at low delay exceeds it by a third here


def link(rate: int) -> str:
    """The setting of a codec that is held to the rate of a link, in kbit/s."""
    return f"link of {rate} kbit/s"


def held(row: dict) -> bool:
    """Whether a codec was held to the rate of a link, rather than to a quality."""
    return row["setting"].startswith("link")


def read_off(rows: list[dict], rate: float, key: str) -> float | None:
    """A measure at a rate between two rows of one path; none beyond them."""
    points = sorted((r["kbit/s"], r[key]) for r in rows)
    for (low, a), (high, b) in zip(points, points[1:]):
        if low <= rate <= high:
            share = math.log(rate / low) / math.log(high / low) if high > low else 0.0
            return a + (b - a) * share
    return None


def best(rows: list[dict], codec: str, rate: float, key: str) -> float | None:
    """Of a codec at constant quality, at the better of its sizes."""
    paths = {r["path"] for r in rows if r["path"].startswith(f"{codec},")}
    found = [read_off([r for r in rows if r["path"] == path and not held(r)], rate, key) for path in paths]
    return min((v for v in found if v is not None), default=None)


def on_a_link(rows: list[dict], codec: str, rate: float, key: str) -> float | None:
    """Of a codec on a link of that rate, at the better of its sizes."""
    of_link = [r for r in rows if r["path"].startswith(f"{codec},") and r["setting"] == link(round(rate))]
    return min((r[key] for r in of_link), default=None)


def cells(ours: dict, others: list[list[float | None]]) -> list[str]:
    """Our cell and the others', each of both distances; ours is bold where it is nearer than all."""
    mine = []
    for k, key in enumerate(DISTANCES):
        rivals = [pair[k] for pair in others if pair[k] is not None]
        text = f"{ours[key]:.3f}"
        mine.append(f"**{text}**" if rivals and ours[key] < min(rivals) else text)
    show = lambda v: "" if v is None else f"{v:.3f}"
    return [" / ".join(mine), *(" / ".join(map(show, pair)) if pair[0] is not None else "" for pair in others)]


def table(clips: dict[str, list[dict]], pick, codecs: tuple[str, ...]) -> list[str]:
    """Lines of a table of all clips; `pick` reads a codec's distance."""
    lines = ["| clip | kbit/s | cis | " + " | ".join(codecs) + " |", "|---" * (3 + len(codecs)) + "|"]
    for clip, rows in clips.items():
        for setting in RATES:
            ours = next(r for r in rows if r["path"] == "cis" and r["setting"] == setting)
            rate = sum(map(int, setting.split(" ")[0].split("+")))
            others = [[pick(rows, codec, rate, key) for key in DISTANCES] for codec in codecs]
            lines.append(f"| {clip} | {rate} | " + " | ".join(cells(ours, others)) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    clips = {path.stem: json.loads(path.read_text()) for path in sorted(args.folder.glob("*.json"))}
    clips = {name: rows for name, rows in clips.items() if any(not r["path"].startswith(("cis", "PSNR")) for r in rows)}
    print("At constant quality:\n")
    print("\n".join(table(clips, best, CODECS)))
    print("\nOn a link of that rate, with a buffer of one second:\n")
    print("\n".join(table(clips, on_a_link, LIMITED)))


if __name__ == "__main__":
    main()
