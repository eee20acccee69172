"""Which congestion controller does best on bad links, and how quickly the encoder follows a link that becomes slow."""

import time

from . import cases, source
from .endpoints import wait_for
from .measure import percentile, reaction

KINDS = ("cubic", "bbr", "newreno")
KBIT = 1000.0
LINKS = [
    ("loss 5 %", {"delay": 0.05, "loss": 0.05}),
    ("delay 600 ms", {"delay": 0.6}),
    ("64 kbit/s, 100 ms, loss 5 %", {"delay": 0.1, "rate": 64 * KBIT, "loss": 0.05}),
]


def compare(folder, frames):
    """(link, kind, Outcome) for each."""
    for n, (name, conditions) in enumerate(LINKS):
        for kind in KINDS:
            # Fine enough that the link, not the picture, sets the rate.
            case = cases.Case(name, conditions, sink=f"congestion-control={kind}", encoder="qindex=8", seconds=15)
            place = folder / f"{n}-{kind}"
            place.mkdir(parents=True)
            yield name, kind, cases.measure(case, place, frames)


def drop(folder, frames, kind="cubic"):
    """256 -> 32 kbit/s under a camera that sends as much as it may: what the encoder is told and how long frames take, by the second."""
    case = cases.Case("drop", {"rate": 256 * KBIT, "delay": 0.02}, encoder="qindex=0", sink=f"congestion-control={kind}")
    folder.mkdir(parents=True)
    run = cases.Run(case, folder, frames)
    try:
        camera = run.camera(40 * source.FPS)
        wait_for("the first frames", lambda: run.arrived() >= 3)
        run.take(15)
        changed = time.monotonic()
        run.network.both(rate=32 * KBIT)
        camera.feeder.thread.join()
        camera.end()
        rows = run.lines.end()
    finally:
        run.close()
    targets = camera.targets()
    told = [(when - changed, target) for when, target in targets]
    seconds = []
    for second in range(-5, 25):
        inside = [
            (row["arrived"] - camera.feeder.times[row["index"]]) * 1000 for row in rows
            if not row.get("late") and second <= camera.feeder.times[row["index"]] - changed < second + 1]
        target = next((t for when, t in reversed(told) if when <= second + 1), None)
        seconds.append((second, target, percentile(inside, 50), max(inside, default=None), len(inside)))
    before = next((t for when, t in reversed(told) if when < 0), None)
    return {
        "before": before,
        "first_lower": reaction(targets, changed, (before or 1e12) * 0.95),
        "at_most_32": reaction(targets, changed, 32e3),
        "seconds": seconds,
    }
