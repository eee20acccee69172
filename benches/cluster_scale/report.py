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
    way_in = results["ingest"]
    result = {key: sum(run[key] for run in results["drain"]) / len(results["drain"])
              for key in ("result_bytes", "result_header_bytes", "worker_cpu_ms_per_frame")}
    rows += [
        "",
        f"Machine: {results['machine']}, load {results['load_before']:.1f} before and {results['load_after']:.1f} after; profile `{results['profile']}`; clip {results['clip']}; "
        f"drain: {first['frames']} frames; live: {live['cameras']} cameras at {live['fps']} fps.",
        "",
        "| of one frame | bytes | headers | processor time, ms |",
        "|---|---|---|---|",
        f"| gateway, from QUIC to the broker's confirmation ({way_in['units']} units) | {way_in['unit_bytes']:.0f} | {way_in['header_bytes']:.0f} | {way_in['gateway_cpu_ms']:.2f} |",
        f"| broker, a unit stored and delivered once | {way_in['unit_bytes']:.0f} | {way_in['header_bytes']:.0f} | {way_in['broker_cpu_ms']:.2f} |",
        f"| worker, unit to result | {result['result_bytes']:.0f} | {result['result_header_bytes']:.0f} | {result['worker_cpu_ms_per_frame']:.1f} |",
    ]
    return "\n".join(rows)


def write(path, results):
    text = path.read_text()
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    path.write_text(f"{head}{BEGIN}{table(results)}\n{END}{tail}")
