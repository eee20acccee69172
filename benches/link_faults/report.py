"""docs/faults.md out of results.json."""

import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEAD = """# The link under faults

Written by `benches/link-faults` (benches/README.md says how it works); the figures are in `benches/link_faults/results.json`. Do not edit.

A camera (`gst-launch-1.0 ... ! cisencode ! cisquicsink` with a spool) and `cis-receiver` are processes in two network namespaces. Each has a TUN device, and a
program between them loses, delays, overtakes and slows down packets, in both directions alike, and plays the NAT; `tc netem` is not needed, and the same seed gives the same losses. A link
with a rate has a buffer of one second, or at least 12 kB, before it. {fps} frames a second of bikes.mp4 at {width}x{height}, `input-size=256`.

Machine and build: {machine}; {build}; commit {commit}. Little else ran. Latencies hold the time of
both ends' networks, about 20 ms here (`detect.queue = 1`: a frame that finds the detector busy has a line without objects).

*Sent*: frames that left the encoder. *Left out*: frames that it did not code because the link was too slow. *Late*: came out of the spool. Latencies run from the camera's input to the
frame's line of JSON, live frames alone, the first {warm} left out (networks are loaded). *Live again*: from the end of the fault to the first live result of a frame taken after it. *All there*: to the last
late frame. A camera sends from its start: what it takes before it is connected comes late. At 20 % loss connecting is a matter of luck, 3 to 9 s in five runs.
"""


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{model}, {len(open('/proc/cpuinfo').read().split('processor')) - 1} cores"


def commit():
    git = lambda *a: subprocess.run(["git", "-C", str(ROOT), *a], capture_output=True, text=True).stdout.strip()
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")


def ms(value):
    return "-" if value is None or value < 0 else f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(str, row)) + " |" for row in rows)]) + "\n"


def faults(rows):
    head = ["fault", "sent", "left out", "delivered", "late", "lost", "twice", "p50", "p95", "p99", "live again", "all there", "new connections", "kB up, down"]
    def row(r):
        if r.get("skipped"):
            return [r["name"], r["skipped"], *[""] * 12]
        return [r["name"], r["sent"], r["fed"] - r["sent"], r["delivered"], r["late"], r["sent"] - r["delivered"], r["duplicates"],
                ms(r["p50"]), ms(r["p95"]), ms(r["p99"]), ms(r["live_again"]), ms(r["all_there"]), r["rebound"],
                f"{r['bytes_up'] / 1000:.0f}, {r['bytes_down'] / 1000:.0f}"]
    return table(head, map(row, rows))


def enhanced(rows):
    head = ["fault", "sent", "left out", "delivered", "late", "lost", "p50", "p95", "layer 1 coded", "sent", "yielded", "lost", "kB", "kB up"]
    def row(r):
        if r.get("skipped"):
            return [r["name"], r["skipped"], *[""] * 12]
        layer = r["enhancement"]
        return [r["name"], r["sent"], r["fed"] - r["sent"], r["delivered"], r["late"], r["sent"] - r["delivered"], ms(r["p50"]), ms(r["p95"]),
                layer["coded"], layer["units"], layer["dropped"], layer["lost"], f"{layer['bytes'] / 1000:.0f}", f"{r['bytes_up'] / 1000:.0f}"]
    return table(head, map(row, rows))


def rivals(sets):
    head = ["way", "sent", "delivered", "of them late", "p50", "p95", "longest gap", "live again", "kB up, down"]
    text = ""
    for item in sets:
        text += f"\n**{item['link']}**\n\n" + table(head, (
            [r["name"], r["sent"], r["delivered"], r["late"], ms(r["p50"]), ms(r["p95"]), ms(r["gap"]), ms(r["live_again"]),
             f"{r['bytes_up'] / 1000:.0f}, {r['bytes_down'] / 1000:.0f}"] for r in item["rows"]))
    return text


def controllers(rows):
    head = ["link", "controller", "sent", "left out", "delivered", "late", "p50", "p95", "p99", "kB up"]
    return table(head, ([link, kind, r["sent"], r["fed"] - r["sent"], r["delivered"], r["late"], ms(r["p50"]), ms(r["p95"]), ms(r["p99"]), f"{r['bytes_up'] / 1000:.0f}"]
                        for link, kind, r in rows))


def drop(found):
    kbit = lambda v: "no bound" if v is None else f"{v / 1000:.0f} kbit/s"
    second = lambda v: "never" if v is None else f"{v * 1000:.0f} ms"
    over = [s for s, target, *_ in found["seconds"] if s >= 0 and (target is None or target > 40e3)]
    head = ["second", "what the encoder is told", "median latency", "longest", "live frames"]
    return (
        f"Bound before: {kbit(found['before'])}. After the change of the link: the first lower bound after {second(found['first_lower'])}, at most 32 kbit/s after "
        f"{second(found['at_most_32'])}, below 40 kbit/s for good from second {max(over, default=-1) + 1} on.\n\n"
        + table(head, ([s, kbit(t), ms(p50), ms(worst), n] for s, t, p50, worst, n in found["seconds"])))


def write(results, source, warm):
    text = HEAD.format(fps=source.FPS, width=source.WIDTH, height=source.HEIGHT, warm=warm, **results["made"])
    if "faults" in results:
        text += "\n## Faults\n\n" + faults(results["faults"])
    if "enhanced" in results:
        text += ("\n## With the enhancement layer\n\nThe receiver asks for layer 1 all along (`view.enhance = \"always\"`, `enhancement-bitrate` at its default). The first columns are those of detection, layer 0, as above. Units of layer 1 "
                 "*yield* where the link has no room for them: the encoder goes without or the sender drops them. They are in no spool, and what of them is on its way when a connection breaks is lost.\n\n" + enhanced(results["enhanced"]))
    if "rivals" in results:
        text += ("\n## Beside x264 over SRT and RTP\n\nThe same clip, the same link, one after the other in one run. `bitrate` is the coder's, in kbit/s; for x264 a result is the decoded picture (a detector would "
                 "come on top), for cis the detections. x264 has a key frame every 5 s. The number of each picture is painted into it, and latency is from input to decoded picture; MPEG-TS, which SRT carries, shows the end of a picture by the next one and so adds 200 ms at this frame rate.\n" + rivals(results["rivals"]))
    if "controllers" in results:
        text += "\n## Congestion controllers\n\n`qindex=8`, no bitrate asked for: the link sets the rate where it is the narrower one.\n\n" + controllers(results["controllers"])
    if "drop" in results:
        text += "\n## A link that becomes slow\n\n256 kbit/s, after 15 s 32 kbit/s; `qindex=0`, `latency-budget=500`, cubic. Second 0 begins with the change.\n\n" + drop(results["drop"])
    (ROOT / "docs/faults.md").write_text(text)
