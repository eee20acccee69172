"""What came of what was sent: counts, latencies, recovery. No processes, no clock."""

import dataclasses

# Frames at the start that have no latency: networks are loaded and run for the first time.
WARM_UP = 10


@dataclasses.dataclass
class Outcome:
    """One row of the table. Times in ms."""

    name: str
    fed: int                # frames that the camera took
    sent: int               # frames that the encoder sent; the others it left out, because the link was too slow
    delivered: int          # different frames that came
    late: int               # of them, out of the spool
    duplicates: int
    disorder: int           # live frames that came after a newer one, and late ones among their like
    p50: float | None       # from the camera's input to the result, live frames
    p95: float | None
    p99: float | None
    live_again: float | None = None     # from the end of the fault to the first live frame taken after it
    all_there: float | None = None      # from the end of the fault to the last late frame
    bytes_up: int = 0
    bytes_down: int = 0
    rebound: int | None = None          # new connections that the camera made
    enhancement: dict | None = None     # units of the enhancement layer, and their bytes

    @property
    def lost(self):
        return self.sent - self.delivered


def percentile(values, percent):
    """The value below which so many of them lie; None: there are none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def sessions(rows, starts):
    """The rows of each camera process, by when it was started (UTC)."""
    found = [[] for _ in starts]
    for row in rows:
        began = [n for n, start in enumerate(starts) if start <= row["capture"]]
        found[began[-1] if began else 0].append(row)
    return found


def outcome(name, rows, times, sent, healed=None):
    """An Outcome of one camera process: `rows` as they came, `times` of the frames taken, `healed` when the fault was over."""
    seen, duplicates, disorder = set(), 0, 0
    newest = {False: -1, True: -1}
    latencies, after, lates = [], [], []
    for row in rows:
        index, late = row["index"], row.get("late", False)
        if index in seen:
            duplicates += 1
            continue
        seen.add(index)
        if index < newest[late]:
            disorder += 1
        newest[late] = max(index, newest[late])
        if late:
            lates.append(row["arrived"])
        elif index < len(times):
            if index >= WARM_UP:
                latencies.append((row["arrived"] - times[index]) * 1000)
            if healed is not None and times[index] >= healed:
                after.append(row["arrived"])
    def since(moments, choose):
        return (choose(moments) - healed) * 1000 if healed is not None and moments else None
    return Outcome(
        name, len(times), sent, len(seen), len(lates), duplicates, disorder,
        *(percentile(latencies, p) for p in (50, 95, 99)),
        live_again=since(after, min), all_there=since([at for at in lates if healed is not None and at >= healed], max))


def reaction(targets, changed, at_most):
    """Seconds from a change of the link to the first word to the encoder of at most so many bit/s; None: there was none."""
    return next((when - changed for when, target in targets if when >= changed and target is not None and target <= at_most), None)

