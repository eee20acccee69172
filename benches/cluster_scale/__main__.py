"""What gateways and workers do with 1 to N workers on this machine, all of it real: broker, QUIC, networks, processes.

*Ingest*: cameras give their units as fast as they are taken, no worker works; the broker stores each and delivers it once, to this program.
For each number of workers two runs. *Drain*: the broker holds the units of all cameras before the first worker works; the time from
the first result to the last is what the workers can do. *Live*: cameras at their pace; the latency is that from the unit at the broker
to its result there, as a subscriber of both sees it. Processor seconds are those of the processes themselves, which a busy machine
does not falsify as it does the clock.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile

from .nats import Listener
from .processes import Site
from .report import table, write

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benches/results/cluster/scale.json"


def record(clip, frames, rate, path):
    """The clip as `cisencode` makes it, at a frame rate."""
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={clip}", "!", "decodebin", "!", "videoconvert", "!", "videorate", "!",
                    f"video/x-raw,framerate={rate}/1", "!", "identity", f"eos-after={frames + 1}", "!", "cisencode", "key-interval=50",
                    "!", "filesink", f"location={path}"], check=True, stdout=subprocess.DEVNULL)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def cpu_between(processes, before):
    return [process.cpu() - start for process, start in zip(processes, before)]


def ingest(site, args, recording):
    prefix = "ingest"
    gateway, port = site.gateway(prefix)
    units = Listener(site.port, f"{prefix.upper()}_UNITS")
    before = [gateway.cpu(), site.broker.cpu()]
    cameras = site.cameras(prefix, port, recording, args.cameras, sync=False)
    total = args.cameras * args.ingest_frames
    seen = units.wait(total)
    gateway_cpu, broker_cpu = cpu_between([gateway, site.broker], before)
    for process in [cameras, gateway]:
        process.end()
    return {
        "units": total,
        "seconds": seen[-1][0] - seen[0][0],
        "gateway_cpu_ms": 1e3 * gateway_cpu / total,
        "broker_cpu_ms": 1e3 * broker_cpu / total,
        "unit_bytes": sum(len(body) for _, _, _, body in seen) / total,
        "header_bytes": sum(len(head) for _, _, head, _ in seen) / total,
    }


def drain(site, args, workers, recording):
    prefix = f"drain{workers}"
    gateway, port = site.gateway(prefix)
    results, units = (Listener(site.port, f"{prefix.upper()}_{stream}") for stream in ("RESULTS", "UNITS"))
    cameras = site.cameras(prefix, port, recording, args.cameras, sync=False)
    total = args.cameras * args.frames
    units.wait(total)
    cameras.end()
    pool = [site.worker(prefix, f"worker-{n}") for n in range(workers)]
    for worker in pool:
        worker.says("worker worker-")
    # Loading the model is over when the first result is there.
    results.wait(1)
    before = [process.cpu() for process in pool]
    began = len(results.seen)
    seen = results.wait(total)
    cpu = cpu_between(pool, before)
    measured = seen[began:]
    frames = {(subject, json.loads(body)["frame"]) for _, subject, _, body in seen}
    assert len(frames) == len(seen) == total, "a frame has no result, or two"
    for process in [*pool, gateway]:
        process.end()
    seconds = measured[-1][0] - seen[began - 1][0]
    return {
        "workers": workers,
        "frames": total,
        "seconds": seconds,
        "frames_per_second": len(measured) / seconds,
        "worker_cpu_ms_per_frame": 1e3 * sum(cpu) / len(measured),
        "worker_cpu_share": [share / sum(cpu) for share in cpu],
        "cpu_seconds_per_second": sum(cpu) / seconds,
        "result_bytes": sum(len(body) for _, _, _, body in seen) / total,
        "result_header_bytes": sum(len(head) for _, _, head, _ in seen) / total,
    }


def live(site, args, workers, recording):
    prefix = f"live{workers}"
    gateway, port = site.gateway(prefix)
    both = Listener(site.port, f"{prefix.upper()}_UNITS", f"{prefix.upper()}_RESULTS")
    pool = [site.worker(prefix, f"worker-{n}") for n in range(workers)]
    for worker in pool:
        worker.says(f"{workers} workers")
    cameras = site.cameras(prefix, port, recording, args.live_cameras, sync=True)
    total = args.live_cameras * args.live_frames
    seen = both.wait(2 * total)
    for process in [cameras, *pool, gateway]:
        process.end()
    stored, answered = {}, {}
    for time, subject, head, body in seen:
        words = subject.split(".")
        if words[1] == "units":
            number = head.partition("Cis-Unit: ")[2].split()[3]
            stored[words[2], int(number)] = time
        else:
            answered[words[2], json.loads(body)["frame"]] = time
    assert stored.keys() == answered.keys() and len(stored) == total, "a frame has no result, or two"
    latency = [1e3 * (answered[frame] - time) for frame, time in stored.items()]
    return {
        "workers": workers,
        "cameras": args.live_cameras,
        "fps": args.live_rate,
        "latency_ms_p50": percentile(latency, 0.5),
        "latency_ms_p95": percentile(latency, 0.95),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=pathlib.Path, default=ROOT / ".cis/clips/bikes.mp4")
    parser.add_argument("--profile", default="release", help="build profile, told with the results; CIS_PROFILE sets it")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--cameras", type=int, default=12, help="cameras of the drain run")
    parser.add_argument("--frames", type=int, default=60, help="frames of each")
    parser.add_argument("--ingest-frames", type=int, default=250)
    parser.add_argument("--ingest-only", action="store_true", help="measure the way in anew, and keep the committed rest")
    parser.add_argument("--live-cameras", type=int, default=4)
    parser.add_argument("--live-rate", type=int, default=5)
    parser.add_argument("--live-frames", type=int, default=50, help="frames of each; the clip of set-up has 10 s")
    parser.add_argument("--write", action="store_true", help="write benches/results/cluster/scale.json and the table of docs/cluster.md")
    parser.add_argument("--table", action="store_true", help="measure nothing: the table out of the committed results")
    args = parser.parse_args()
    if args.table:
        results = json.loads(RESULTS.read_text())
    else:
        results = measure(args)
        if args.write:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    if args.write:
        write(ROOT / "docs/cluster.md", results)


def measure(args):
    results = {
        "machine": f"{os.cpu_count()} cores, {cpu_model()}",
        "profile": args.profile,
        "clip": args.clip.name,
        "load_before": os.getloadavg()[0],
        "drain": [],
        "live": [],
    }
    with tempfile.TemporaryDirectory(prefix="cis-cluster-") as name:
        folder = pathlib.Path(name)
        record(args.clip, args.frames, 10, folder / "drain.cis")
        record(args.clip, args.live_frames, args.live_rate, folder / "live.cis")
        record(args.clip, args.ingest_frames, 25, folder / "ingest.cis")
        site = Site(folder, shutil.which("cis-receiver"))
        try:
            results["ingest"] = ingest(site, args, folder / "ingest.cis")
            if args.ingest_only:
                return json.loads(RESULTS.read_text()) | {"ingest": results["ingest"]}
            for workers in args.workers:
                results["drain"].append(drain(site, args, workers, folder / "drain.cis"))
                results["live"].append(live(site, args, workers, folder / "live.cis"))
                print(f"{workers} workers: {results['drain'][-1]['frames_per_second']:.1f} frames/s", flush=True)
        finally:
            site.end()
    results["load_after"] = os.getloadavg()[0]
    return results


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


main()
