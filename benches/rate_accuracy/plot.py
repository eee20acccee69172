"""Plots of runs: accuracy over rate. The same figures give the same bytes."""

from . import report


def curves(run, path):
    """AP50 over the rate, one line a path; `path` ends in .svg or .png."""
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "cis", "svg.fonttype": "none"})
    from matplotlib import pyplot

    scale, unit = (1, "bytes a picture") if run["kind"] == "stills" else (run["fps"] * 8 / 1000, "kbit/s, headers included")
    kinds = {r["path"]: r["kind"] for r in run["rows"]}
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, points in report.curves(run).items():
        rate, accuracy = zip(*sorted(points))
        style = {"cis": {"linewidth": 2.8, "color": "black"}, "boxes": {"linestyle": "--", "linewidth": 1}}.get(kinds[name], {"linewidth": 1.1})
        axes.plot([r * scale for r in rate], accuracy, marker="o", markersize=4, label=name, **style)
    for r in run["rows"]:
        if r["kind"] == "teacher":
            axes.axhline(r["ap50"], color="grey", linestyle=":", label=r["path"])
    labels = "human labels" if run["reference"] == "human labels" else "the teacher on source frames"
    axes.set(xscale="log", xlabel=unit, ylabel="AP50", title=f"{run['clip']}; reference: {labels}")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)
    pyplot.close(figure)
