"""A bundle with another back-end: the detector's classes put together to groups, in a detect.onnx of its own. The front stays as it is, so recordings of the
bundle it is made of can be looked at anew (docs/replay.md).

    python models/regroup.py models/bundles/default --out /tmp/traffic --id traffic-3 \\
        --group person=person --group cycle=bicycle,motorcycle --group vehicle=car,bus,truck

A group is as sure as the surest of its classes. Needs onnx alone, no torch.
"""

import argparse
import hashlib
import json
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from cistrain.identity import decodes

ALL = "scores_of_all_classes"


def regroup(model: onnx.ModelProto, scores: str, groups: list[list[int]]) -> onnx.ModelProto:
    """The network with one column of scores a group."""
    graph = model.graph
    for node in graph.node:
        node.output[:] = [ALL if name == scores else name for name in node.output]
        node.input[:] = [ALL if name == scores else name for name in node.input]
    columns = []
    for number, classes in enumerate(groups):
        indices, picked, best = (f"group{number}_{part}" for part in ("indices", "picked", "best"))
        graph.initializer.append(numpy_helper.from_array(np.array(classes, dtype=np.int64), indices))
        graph.node.append(helper.make_node("Gather", [ALL, indices], [picked], axis=2))
        graph.node.append(helper.make_node("ReduceMax", [picked], [best], axes=[2], keepdims=1))
        columns.append(best)
    graph.node.append(helper.make_node("Concat", columns, [scores], axis=2))
    (port,) = (output for output in graph.output if output.name == scores)
    port.type.tensor_type.shape.dim[2].dim_value = len(groups)
    onnx.checker.check_model(model)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--group", action="append", required=True, metavar="NAME=CLASS,CLASS")
    args = parser.parse_args()
    text = (args.bundle / "manifest.toml").read_text()
    old = tomllib.loads(text)
    known = old["classes"]["names"]
    groups = {}
    for group in args.group:
        name, _, classes = group.partition("=")
        if unknown := [c for c in classes.split(",") if c not in known]:
            parser.error(f"{group}: {old['id']} has no class {', '.join(unknown)}")
        groups[name] = [known.index(c) for c in classes.split(",")]

    shutil.copytree(args.bundle, args.out, ignore=shutil.ignore_patterns("manifest.toml"))
    file = args.out / old["detect"]["file"]
    onnx.save(regroup(onnx.load(str(file)), old["detect"]["scores"], list(groups.values())), str(file))

    text = re.sub(r"(?m)^id = .*$", f"id = {json.dumps(args.id)}", text, count=1)
    text = re.sub(r"(?m)^source = .*$", f"source = {json.dumps('models/regroup.py, of ' + old['id'])}", text, count=1)
    text = re.sub(r"(?m)^names = .*$", f"names = {json.dumps(list(groups))}", text, count=1)
    text = re.sub(r"(?m)^coco-ids = .*\n", "", text)
    text = re.sub(r"\n\[\[decodes\]\]\n(?:[a-z-]+ = .*\n)+", "", text)
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    entry = rf'(name = "{re.escape(file.name)}"\nbytes = )\d+(\nsha256 = ")[0-9a-f]+'
    text = re.sub(entry, rf"\g<1>{len(data)}\g<2>{digest}", text)
    head, files, tail = text.partition("\n[[files]]")
    text = head + decodes(tomllib.loads(text), [old]) + files + tail
    (args.out / "manifest.toml").write_text(text)


if __name__ == "__main__":
    main()
