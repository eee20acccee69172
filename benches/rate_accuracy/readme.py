"""The results table of README.md, made of the committed runs in benches/results."""

import json
import pathlib

from . import report

BEGIN, END = "<!-- results: written by benches/report -->", "<!-- /results -->"


def runs(folder):
    """The runs of a folder of JSON files, clips first, by name."""
    found = [json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))]
    return sorted(found, key=lambda run: (run["kind"] == "stills", run["clip"]))


def table(found):
    """Everything between the markers."""
    clips = [run for run in found if run["kind"] == "clip"]
    stills = [run for run in found if run["kind"] == "stills"]
    return "\n\n".join([*clip_table(clips), *still_table(stills), *provenance(found)])


def clip_table(found):
    if not found:
        return
    lines = ["| clip | frames coded, reference | teacher on source, AP50 | cis: AP50 at kbit/s | bits against the best codec at equal AP50 | against x264 veryfast | camera CPU ms a frame: cis, x264 veryfast, detector | GMAC: cis, detector |",
             "|---|---|---|---|---|---|---|---|"]
    for run in found:
        reference = "human" if run["reference"] == "human labels" else "teacher"
        lines.append(row(run["clip"], f"{run['frames']} at {run['fps']:.3g} fps, {reference}", ceiling(run), points(run, "kbps", ".1f"), best(run), against(run, "x264 veryfast"),
                         costs(run, "cpu_ms", ".1f", ("x264 veryfast",)), costs(run, "gmac", ".3f", ())))
    yield "\n".join(lines)


def still_table(found):
    if not found:
        return
    lines = ["| pictures | reference | teacher on source, AP50 / AP | cis: AP50 / AP at bytes a picture | bytes against the best codec at equal AP50 | against WebP | against JPEG |", "|---|---|---|---|---|---|---|"]
    for run in found:
        reference = "human labels" if run["reference"] == "human labels" else "teacher"
        teacher = next((f"{r['ap50']:.3f} / {r['ap']:.3f}" for r in run["rows"] if r["kind"] == "teacher"), "-")
        ours = ", ".join(f"{r['ap50']:.3f} / {r['ap']:.3f} at {r['bytes']:.0f}" for r in spread(run))
        lines.append(row(f"{run['frames']} of {run['clip']}", reference, teacher, ours, best(run), against(run, "WebP"), against(run, "JPEG")))
    yield "\n".join(lines)


def provenance(found):
    sources = {}
    for run in found:
        sources.setdefault((run["bundle"], run["build"], run["machine"]), set()).add(run["commit"])
    for (bundle, build, machine), commits in sorted(sources.items()):
        yield f"Bundle {bundle}, {build} build; {machine}; commit{'s' * (len(commits) > 1)} {', '.join(sorted(commits))}."


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def spread(run):
    """Three points of cis at most: the finest, the default and the coarsest."""
    ours = sorted((r for r in run["rows"] if r["kind"] == "cis"), key=lambda r: r["qindex"])
    if len(ours) <= 3:
        return ours
    middle = next((r for r in ours[1:-1] if r["default"]), ours[len(ours) // 2])
    return [ours[0], middle, ours[-1]]


def points(run, key, form):
    return ", ".join(f"{r['ap50']:.3f} at {r[key]:{form}}" for r in spread(run)) or "-"


def ceiling(run):
    return next((f"{r['ap50']:.3f}" for r in run["rows"] if r["kind"] == "teacher"), "-")


def best(run):
    found = report.deltas(run)
    return short(found["the best codec, whichever it is"]) if "the best codec, whichever it is" in found else "not run"


def against(run, name):
    """Against the points of one codec at all its sizes."""
    rival = [(r["bytes"], r["ap50"]) for r in run["rows"] if r["kind"] == report.CODEC and r["path"].startswith(name)]
    ours = [(r["bytes"], r["ap50"]) for r in run["rows"] if r["kind"] == report.CIS]
    return short(report.delta_rate(ours, rival)) if rival else "not run"


def short(found):
    return f"{found[0]:+.0f} % ({found[1]:.2f} to {found[2]:.2f})" if found else "no shared range"


def costs(run, key, form, codecs):
    """Means of cis, of the codecs at full size, and of the detector on the camera."""
    groups = [[r for r in run["rows"] if r["kind"] == "cis"]]
    groups += [[r for r in run["rows"] if r["path"] == f"{name}, {run['width']} wide"] for name in codecs]
    groups.append([r for r in run["rows"] if r["kind"] == "boxes"])
    means = [[r[key] for r in group if key in r] for group in groups]
    return ", ".join(f"{sum(m) / len(m):{form}}" if m else "-" for m in means)


def updated(text, found):
    """README's text with the table of these runs between its markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"README.md needs the lines {BEGIN} and {END}, once each")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}"


def main():
    import sys

    from . import plot
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = runs(root / "benches/results")
    readme = root / "README.md"
    readme.write_text(updated(readme.read_text(), found))
    for run in found:
        plot.curves(run, root / "docs/images" / f"rate-{pathlib.Path(run['clip']).stem}.svg")
        print(report.markdown(run), end="\n\n")


if __name__ == "__main__":
    main()
