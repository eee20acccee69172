"""What a run found as Markdown and as a plot."""

from collections import defaultdict

from .delta import delta_rate


def markdown(report):
    """The rows as a table, and the delta rates of cis against each rival."""
    judged = f"every {report['every']}. frame judged" if report["every"] > 1 else "every frame judged"
    coded = "only judged frames coded" if report["thin"] else "all frames coded"
    lines = [f"**{report['clip']}**: {report['width']}x{report['height']}, {report['fps']:g} fps, {report['frames']} frames, {coded}, {judged}; "
             f"reference: {report['reference']}; {report['machine']}; commit {report['commit']}.", "",
             "| path | setting | AP50 | AP50:95 | bytes a frame | kbit/s | camera CPU ms a frame | camera GMAC a frame |", "|---|---|---|---|---|---|---|---|"]
    for r in report["rows"]:
        cells = [r["path"], r.get("setting", "-"), f"{r['ap50']:.3f}", f"{r['ap']:.3f}"]
        cells += [format(r[key], form) if key in r else "-" for key, form in (("bytes", ".0f"), ("kbps", ".1f"), ("cpu_ms", ".1f"), ("gmac", ".3f"))]
        lines.append("| " + " | ".join(cells) + " |")
    for name, found in deltas(report):
        if found is None:
            lines.append(f"\nBits against {name} at equal AP50: no shared accuracy range.")
        else:
            lines.append(f"\nBits against {name} at equal AP50: {found[0]:+.0f} % (over AP50 {found[1]:.3f} to {found[2]:.3f}).")
    return "\n".join(lines)


def curves(report):
    """path -> [(kbit/s, AP50)] of the paths that have a rate."""
    found = defaultdict(list)
    for r in report["rows"]:
        if "kbps" in r and r.get("curve", True):
            found[r["path"]].append((r["kbps"], r["ap50"]))
    return found


def deltas(report):
    """(rival, delta rate or None) for each rival with a curve."""
    found = curves(report)
    ours = found.pop("cis", None)
    return [(name, delta_rate(ours, points)) for name, points in found.items()] if ours else []


def plot(report, path):
    """AP50 over kbit/s, one line a path; `path` ends in .svg or .png."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, points in curves(report).items():
        rate, accuracy = zip(*sorted(points))
        axes.plot(rate, accuracy, marker="o", linewidth=2.5 if name == "cis" else 1.2, label=name)
    for r in report["rows"]:
        if "kbps" not in r:
            axes.axhline(r["ap50"], color="grey", linestyle=":", label=r["path"])
    axes.set(xscale="log", xlabel="kbit/s on the wire", ylabel="AP50", title=f"{report['clip']}, {report['fps']:g} fps; reference: {report['reference']}")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
