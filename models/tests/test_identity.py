"""Which bundle understands whose streams: the same digests as the receiver's, and groups of classes in a back-end of their own."""

import copy
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from cistrain.identity import decodes, enhance_id, front_id
from regroup import regroup

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.fixture
def manifest():
    return tomllib.loads((BUNDLES / "default" / "manifest.toml").read_text())


def test_the_default_bundle_says_its_own_front(manifest):
    assert {other["front-id"] for other in manifest["decodes"]} == {front_id(manifest)}


def test_a_new_back_end_takes_over_what_the_old_one_understood(manifest):
    new = copy.deepcopy(manifest) | {"id": "new"}
    entries = tomllib.loads(decodes(new, [manifest]))["decodes"]
    assert [entry["id"] for entry in entries] == ["cis-nanodet-v2.5", "cis-nanodet-v2.4", "cis-nanodet-v2.3", "cis-nanodet-v2.2", "cis-nanodet-v2", "cis-nanodet-v2.1"]
    assert [entry.get("enhance-id") for entry in entries] == [enhance_id(manifest), enhance_id(manifest), enhance_id(manifest, moving=False), None, None, None]
    assert decodes(manifest, [manifest]).count("[[decodes]]") == 5


def test_another_front_is_refused(manifest):
    other = copy.deepcopy(manifest) | {"id": "other"}
    other["input"]["pad"] = 0
    with pytest.raises(ValueError, match="other has front-id"):
        decodes(manifest, [other])


def test_a_group_is_as_sure_as_the_surest_of_its_classes():
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "anchors", 4]) for name in ("y", "scores")]
    graph = helper.make_graph([helper.make_node("Identity", ["y"], ["scores"])], "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    scores = np.random.default_rng(1).random((2, 5, 4), dtype=np.float32)
    (grouped,) = ReferenceEvaluator(regroup(model, "scores", [[2], [0, 3]])).run(None, {"y": scores})
    assert np.array_equal(grouped, np.stack([scores[..., 2], scores[..., [0, 3]].max(-1)], -1))
    onnx.checker.check_model(model)
