"""What a run found as Markdown, and the figures that follow from its rows."""

from collections import defaultdict

from .delta import delta_rate

CIS, CODEC = "cis", "video codec"


def markdown(run):
    """The rows as a table, and the delta rates of cis."""
    unit = "picture" if run["kind"] == "stills" else "frame"
    lines = [headline(run), "", f"| path | setting | AP50 | AP50:95 | bytes a {unit} | kbit/s | camera CPU ms a {unit} | camera GMAC a {unit} |", "|---|---|---|---|---|---|---|---|"]
    for r in run["rows"]:
        cells = [r["path"], r.get("setting", "-"), f"{r['ap50']:.3f}", f"{r['ap']:.3f}"]
        cells += [format(r[key], form) if key in r else "-" for key, form in (("bytes", ".0f"), ("kbps", ".1f"), ("cpu_ms", ".1f"), ("gmac", ".3f"))]
        if r.get("cached"):
            cells[6] += " (kept)"
        lines.append("| " + " | ".join(cells) + " |")
    for accuracy, title in (("ap50", "AP50"), ("ap", "AP50:95")):
        found = deltas(run, accuracy)
        if found:
            lines += ["", f"Bits of cis at equal {title}:", "", *(f"* against {name}: {said(delta)}" for name, delta in found.items())]
    return "\n".join(lines)


def headline(run):
    if run["kind"] == "stills":
        what = f"{run['frames']} pictures, long side {run['long_side']} (median), each coded alone"
    else:
        what = f"{run['width']}x{run['height']}, {run['frames']} frames at {run['fps']:g} fps" + (f" (every {run['thin']}. of the clip)" if run["thin"] > 1 else "")
        what += f", {run['judged']} judged"
    return f"**{run['clip']}**: {what}; reference: {run['reference']}; {run['machine']}; commit {run['commit']}; bundle {run['bundle']}, {run['build']} build."


def said(found):
    """A delta rate in words."""
    if found is None:
        return "no shared accuracy range"
    return f"{found[0]:+.0f} % (over {found[1]:.3f} to {found[2]:.3f})"


def curves(run, accuracy="ap50", kind=None):
    """path -> [(bytes a frame, accuracy)] of the paths that have a rate."""
    found = defaultdict(list)
    for r in run["rows"]:
        if "bytes" in r and kind in (None, r["kind"]):
            found[r["path"]].append((r["bytes"], r[accuracy]))
    return dict(found)


def deltas(run, accuracy="ap50"):
    """rival -> (per cent, from, to) or None, for each rival, and for the best of the codecs at each accuracy."""
    ours = [point for points in curves(run, accuracy, CIS).values() for point in points]
    rivals = {name: points for name, points in curves(run, accuracy).items() if name not in curves(run, accuracy, CIS)}
    codecs = [point for points in curves(run, accuracy, CODEC).values() for point in points]
    if codecs:
        rivals = {"the best codec, whichever it is": codecs, **rivals}
    return {name: delta_rate(ours, points) for name, points in rivals.items()} if ours else {}
