"""Faults of a network between a camera and a receiver, real processes both: measured, or tested in short."""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import sys
import tempfile

from . import cases, controllers, durable, endpoints, measure, network, report, rivals, source

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = pathlib.Path(__file__).with_name("results.json")
# Status that says: nothing was tested, because this machine does not allow it.
SKIPPED = 77
PARTS = ("faults", "enhanced", "rivals", "controllers", "drop")


def checks(frames, options):
    """The tests of ./check; status 1 if one fails."""
    failed = 0
    for function, conditions in durable.CHECKS:
        if options.case and function.__name__ not in options.case:
            continue
        folder = tempfile.mkdtemp(prefix="link-faults-")
        try:
            print(f"{function.__name__}: {durable.check(function, conditions, folder, frames)}", flush=True)
        except Exception as error:
            failed += 1
            print(f"{function.__name__}: FAILED: {error} (logs: {folder})", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(folder)
    return 1 if failed else 0


def faults(folder, frames, options, among=cases.CASES):
    rows = []
    for n, case in enumerate(among):
        if options.case and case.name not in options.case:
            continue
        if case.needs and not os.path.exists(case.needs):
            row = {"name": case.name, "skipped": f"skipped: no {case.needs}"}
        else:
            place = folder / f"{n:02}"
            place.mkdir(parents=True)
            try:
                row = dataclasses.asdict(cases.measure(case, place, frames))
            except endpoints.Failed as error:
                row = {"name": case.name, "skipped": f"FAILED: {error}"}
        print(row, flush=True)
        rows.append(row)
    return rows


def rival_sets(folder, frames, _):
    link = {"rate": 64e3, "delay": 0.1, "loss": 0.05}
    sets = []
    for n, (name, seconds, outage) in enumerate([("64 kbit/s, 100 ms, loss 5 %", 20, 0), ("the same, and an outage of 10 s", 35, 10)]):
        fault = rivals.cut(outage) if outage else None
        rows = []
        for way in ("cis, spool", *rivals.WAYS):
            place = folder / f"{n}-{len(rows)}"
            place.mkdir(parents=True)
            if way in rivals.WAYS:
                found, gap = rivals.measure(way, 36, link, fault, seconds, place, frames)
            else:
                found, gap = rivals.ours(36, link, fault, seconds, place, frames)
            rows.append({**dataclasses.asdict(found), "gap": gap})
            print(rows[-1], flush=True)
        sets.append({"link": f"{name}; coders at 36 kbit/s", "rows": rows})
    return sets


def controller_rows(folder, frames, _):
    rows = []
    for link, kind, found in controllers.compare(folder, frames):
        rows.append([link, kind, dataclasses.asdict(found)])
        print(rows[-1], flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(prog="benches/link-faults", description=__doc__)
    parser.add_argument("--check", action="store_true", help="the short tests of ./check, no figures")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this part only and keep the others; may be given again")
    parser.add_argument("--case", action="append", help="this fault or check only, by its name, the other rows stay; may be given again")
    parser.add_argument("--keep", type=pathlib.Path, help="folder that keeps the logs of all processes")
    parser.add_argument("--report", action="store_true", help="write docs/faults.md out of the figures that there are")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if options.report:
        report.write(results, source, measure.WARM_UP)
        return 0
    try:
        network.Network().close()
    except network.Unsupported as error:
        print(f"link-faults: SKIPPED, nothing of the link's faults is tested here: {error}", file=sys.stderr)
        return SKIPPED
    frames = source.clip(ROOT / ".cis/clips/bikes.mp4")
    if options.check:
        return checks(frames, options)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        ways = {
            "faults": faults, "enhanced": lambda *of: faults(*of, cases.ENHANCED), "rivals": rival_sets, "controllers": controller_rows,
            "drop": lambda folder, frames, _: controllers.drop(folder, frames),
        }
        for part in options.part or PARTS:
            found = ways[part](folder / part, frames, options)
            # Another part may have been measured meanwhile.
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            if options.case and part in ("faults", "enhanced"):
                again = {row["name"]: row for row in found}
                found = [again.get(row["name"], row) for row in results.get(part, found)]
            results[part] = found
            build = os.environ.get("CIS_PROFILE", "release")
            results["made"] = {"machine": report.machine(), "build": f"{build} build", "commit": report.commit()}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            report.write(results, source, measure.WARM_UP)
    return 0


if __name__ == "__main__":
    sys.exit(main())
