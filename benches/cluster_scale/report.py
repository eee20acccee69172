"""The table of docs/cluster.md, out of the results."""

BEGIN, END = "<!-- scale:begin -->\n", "<!-- scale:end -->"


def table(results):
    first = results["drain"][0]
    rows = [
        "| workers | frames/s | cores that the workers got | worker CPU, ms a frame | frames a second of worker CPU | largest share of a worker | latency p50, ms | p95, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for drain, live in zip(results["drain"], results["live"]):
        rows.append(
            f"| {drain['workers']} | {drain['frames_per_second']:.1f} | {drain['cpu_seconds_per_second']:.2f} "
            f"| {drain['worker_cpu_ms_per_frame']:.1f} | {1e3 / drain['worker_cpu_ms_per_frame']:.0f} | {100 * max(drain['worker_cpu_share']):.0f} % "
            f"| {live['latency_ms_p50']:.0f} | {live['latency_ms_p95']:.0f} |")
    live = results["live"][0]
    mean = {key: sum(run[key] for run in results["drain"]) / len(results["drain"]) for key in first if isinstance(first[key], float)}
    rows += [
        "",
        f"Machine: {results['machine']}, load {results['load_before']:.1f} before and {results['load_after']:.1f} after; profile `{results['profile']}`; clip {results['clip']}; "
        f"drain: {first['frames']} frames; live: {live['cameras']} cameras at {live['fps']} fps.",
        "",
        "| of one frame | bytes | headers | processor time, ms |",
        "|---|---|---|---|",
        f"| gateway, QUIC to broker | | | {mean['gateway_cpu_ms_per_unit']:.2f} |",
        f"| broker, unit in and stored | {mean['unit_bytes']:.0f} | {mean['unit_header_bytes']:.0f} | {mean['broker_cpu_ms_per_unit_stored']:.2f} |",
        f"| broker, unit out and result stored | {mean['result_bytes']:.0f} | {mean['result_header_bytes']:.0f} | {mean['broker_cpu_ms_per_frame_answered']:.2f} |",
        f"| worker | | | {mean['worker_cpu_ms_per_frame']:.1f} |",
    ]
    return "\n".join(rows)


def write(path, results):
    text = path.read_text()
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    path.write_text(f"{head}{BEGIN}{table(results)}\n{END}{tail}")
