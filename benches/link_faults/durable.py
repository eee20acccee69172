"""Processes that are killed and a disk that is full: what was promised is there afterwards. Every check raises `Failed`."""

import datetime
import json
import pathlib
import re
import signal
import subprocess

from . import source, spool
from .cases import Case, Run, clock_step, faked
from .endpoints import Failed, stop, wait_for
from .measure import sessions


def need(condition, text):
    if not condition:
        raise Failed(text)


def recorded(site):
    """Frame numbers of every recording, in the order of the files, late ones last; by cisparse and cisjson."""
    found = {}
    for path in sorted(pathlib.Path(site.folder, "recordings", "gate-1").glob("*.cis")):
        text = subprocess.run(
            ["gst-launch-1.0", "-q", "filesrc", f"location={path}", "!", "cisparse", "!", "cisjson", "!", "fdsink", "fd=1"],
            check=True, capture_output=True, text=True).stdout
        found[path.name] = [json.loads(line)["frame"] for line in text.splitlines()]
    return found


def whole(numbers, count, what):
    """Every number once, none missing."""
    need(sorted(numbers) == list(range(count)), f"{what}: {len(numbers)} frames, {len(set(numbers))} different, of {count}: "
         f"missing {sorted(set(range(count)) - set(numbers))[:20]}, twice {sorted({n for n in numbers if numbers.count(n) > 1})[:20]}")


def in_order(rows, what):
    """Live frames in order, late frames in order."""
    for late in (False, True):
        numbers = [row["frame"] for row in rows if row.get("late", False) == late]
        need(numbers == sorted(numbers), f"{what}: {'late' if late else 'live'} frames came as {numbers}")


def storm(run):
    """Loss, a rebinding, an outage and a receiver that is killed, one after the other: everything comes, once and in order."""
    camera = run.camera(100)
    wait_for("the first frames", lambda: run.arrived() >= 3)
    run.take(2)
    run.network.rebind(2)
    seen = run.arrived()
    wait_for("frames from the new address", lambda: run.arrived() >= seen + 5)
    run.network.both(up=False)
    run.take(5)
    seen = run.arrived()
    run.network.both(up=True)
    wait_for("frames after the outage", lambda: run.arrived() >= seen + 30)
    run.receiver.signal(signal.SIGKILL)
    run.receiver.end(expected=-signal.SIGKILL)
    before = len(run.lines.found)
    run.receiver = run.site.receiver(run.network)
    camera.feeder.thread.join()
    camera.end()
    stop(run.receiver)
    rows = run.lines.end()
    # A line may wait for its turn when the process is killed; the recording has the frame.
    need(len(rows) == len({row["frame"] for row in rows}), "a frame has two lines")
    in_order(rows[:before], "before the kill")
    in_order(rows[before:], "after the kill")
    files = recorded(run.site)
    need(set().union(*files.values()) == set(range(camera.coded())), f"the recordings lack frames: {files}")
    live = [n for name, numbers in files.items() if "-late-" not in name for n in numbers]
    need(len(live) == len(set(live)), f"live recordings have frames twice: {files}")
    return f"{camera.coded()} frames sent, {len(rows)} lines, {sum(row.get('late', False) for row in rows)} of them late"


def thin(run):
    """16 kbit/s: connects, and everything that was sent comes, what the link was too slow for out of the spool."""
    camera = run.camera(40)
    wait_for("the first frames", lambda: run.arrived() >= 3)
    camera.feeder.thread.join()
    camera.end()
    stop(run.receiver)
    rows = run.lines.end()
    whole([row["frame"] for row in rows], camera.coded(), "16 kbit/s")
    return f"{len(camera.feeder.times)} frames taken, {camera.coded()} sent, all delivered"


def clock(run):
    """The camera's wall clock jumps an hour ahead, then an hour behind: nothing is lost, comes twice or waits for it."""
    camera = run.camera(60, environment=faked(run.folder))
    wait_for("the first frames", lambda: run.arrived() >= 5)
    for seconds in (3600, -3600):
        clock_step(seconds)(run)
        seen = run.arrived()
        wait_for(f"frames after a step to {seconds:+d} s", lambda: run.arrived() >= seen + 15)
    camera.feeder.thread.join()
    camera.end()
    stop(run.receiver)
    rows = run.lines.end()
    whole([row["frame"] for row in rows], camera.coded(), "a clock that jumps")
    in_order(rows, "a clock that jumps")
    hours = {datetime.datetime.fromisoformat(row["capture_utc"]).replace(minute=0, second=0, microsecond=0) for row in rows}
    need(max(hours) - min(hours) >= datetime.timedelta(hours=2), f"the clock did not jump: {sorted(hours)}")
    return f"{camera.coded()} frames sent, all delivered once, captured over {max(hours) - min(hours)} by the camera's clock"


def sender_killed(run):
    """`kill -9` of the camera in the middle of an outage: the next process delivers what it had taken."""
    camera = run.camera(1000, encoder="key-interval=10")
    wait_for("the first frames", lambda: run.arrived() >= 5)
    run.network.both(up=False)
    taken = len(camera.feeder.times)
    wait_for("frames in the outage", lambda: len(camera.feeder.times) >= taken + 20)
    camera.signal(signal.SIGKILL)
    camera.end(expected=-signal.SIGKILL)
    kept = spool.waiting(run.site.folder / "spool" / "gate-1")
    need(len(kept) >= 15, f"the spool of the killed process holds {len(kept)} frames only")
    run.network.both(up=True)
    second = run.camera(15)
    second.end()
    stop(run.receiver)
    old, new = sessions(run.lines.end(), [camera.spawned, second.spawned])
    whole([row["frame"] for row in old], kept[-1] + 1, "the killed camera")
    whole([row["frame"] for row in new], second.coded(), "the next camera")
    in_order(old, "the killed camera")
    need(all(row.get("late") for row in old if row["frame"] >= kept[0] + 10), "frames out of the spool are not marked late")
    return f"{len(kept)} frames in the spool of the killed process, all delivered by the next one"


def disk_full(run):
    """A disk that takes no more: said once and clearly, oldest whole groups dropped and counted, the stream goes on."""
    folder = run.site.folder / "spool"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], check=True)
    try:
        camera = run.camera(1000, encoder="key-interval=5 qindex=0", sink="spool-max-bytes=262144")
        wait_for("the first frames", lambda: run.arrived() >= 5)
        run.network.both(up=False)
        wait_for("the warning", lambda: camera.said("spool: the disk") or not camera.alive())
        run.take(4)
        need(camera.alive(), "the camera ended with the disk")
        run.network.both(up=True)
        seen = run.arrived()
        wait_for("frames after the outage", lambda: run.arrived() >= seen + 20)
        camera.feeder.stop()
        camera.end()
        stop(run.receiver)
        rows = run.lines.end()
    finally:
        subprocess.run(["umount", folder], check=True)
    sent = camera.coded()
    numbers = [row["frame"] for row in rows]
    need(len(numbers) == len(set(numbers)), "a frame came twice")
    in_order(rows, "full disk")
    missing = sorted(set(range(sent)) - set(numbers))
    need(missing, "the disk was never too small")
    keys = {row["frame"] for row in rows if row["key"]}
    cut = [n + 1 for n in missing if n + 1 not in missing and n + 1 not in keys and n + 1 < sent]
    need(not cut, f"groups without their beginning: from {cut} on; missing {missing}")
    stats = re.findall(r"cisquicsink-stats, .*", "".join(line for _, line in camera.lines))[-1]
    counted = sum(int(re.search(rf"\b{name}=\(\w+\)(\d+)", stats)[1]) for name in ("spool-dropped", "units-dropped"))
    # Nothing is lost in silence. More may be counted than is missing: what came just before the outage without its receipt, and a unit that the full disk
    # refused, which counts once as refused and once with its group.
    need(len(missing) <= counted, f"{len(missing)} frames are missing and {counted} counted")
    warned = sum(line.startswith("spool: the disk") for _, line in camera.lines)
    need(warned == 1, f"the full disk was told {warned} times")
    return f"{sent} frames sent, {counted} dropped and counted, told once"


CHECKS = [
    (storm, {"loss": 0.05, "delay": 0.02}),
    (thin, {"rate": 16e3, "delay": 0.05}),
    (clock, {"delay": 0.02}),
    (sender_killed, {"delay": 0.02}),
    (disk_full, {"delay": 0.02}),
]


def check(function, conditions, folder, frames):
    run = Run(Case(function.__name__, conditions), folder, frames)
    try:
        return function(run)
    finally:
        run.close()
