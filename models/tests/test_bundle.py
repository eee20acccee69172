"""Exported bundles: ONNX answers are PyTorch's at two sizes, and the manifest keeps docs/bundle.md."""

import hashlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from cistrain.bundle import Bundle
from cistrain.export import write_graphs, write_manifest
from cistrain.families import Family
from cistrain.networks import Detect, Front
from cistrain.enhance import Enhance
from cistrain.restore import WIDTHS, Restore

DEFAULT = Path(__file__).parents[1] / "bundles" / "default"


KINDS = [("yolox-nano", {}), ("nanodet-plus-m-1.5x", {}), ("traffic-320", {}), ("nanodet-plus-m-1.5x", {"squeeze": 4, "latents": 16})]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join([kind[0], *map(str, kind[1].values())]))
def exported(request, weights, tmp_path_factory):
    """A bundle of tiny networks whose silent residuals were given a voice, and the networks."""
    torch.manual_seed(3)
    name, changes = request.param
    family = replace(Family.of(name), **changes)
    restore = Restore(family).eval()
    torch.nn.init.normal_(restore.transform.basis, 0, 0.05)
    networks = [m(family, weights).eval() for m in (Front, Detect)] + [restore, Enhance(restore.transform).eval()]
    for network in networks:
        for p in network.parameters():
            if not p.any():
                torch.nn.init.normal_(p, 0, 0.05)
    out = tmp_path_factory.mktemp("bundle")
    write_graphs(*networks, out, memory=True)
    for name in ("prior.bin", "enhance-prior.bin"):
        (out / name).write_bytes(b"")
    write_manifest(out, family, "cis-tiny", "0.0.0", 'a "tiny" one', "seeded random weights")
    return out, networks


@pytest.mark.parametrize(("height", "width"), [(128, 192), (192, 64)])
def test_graphs_agree_with_pytorch(exported, height, width):
    folder, (front, detect, restore, enhance) = exported
    family = front.family
    height, width = height * family.squeeze // 2, width * family.squeeze // 2
    x = np.random.default_rng(height).integers(0, 256, (1, 3, height, width), np.uint8)
    run = lambda name, feed: onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"]).run(None, feed)
    with torch.no_grad():
        y, squeezed = front(torch.from_numpy(x).float())
        boxes, scores = detect.boxes(y)
        z = enhance(torch.from_numpy(x).float())
        shown, state = zip(restore(y, z), restore(y, None, torch.ones(1, WIDTHS[2], 4 * y.shape[2], 4 * y.shape[3])))
        pictures = [p.round().clamp(0, 255).permute(0, 2, 3, 1).numpy() for p in shown]
    (latents,), (seen,) = run("front.onnx", {"x": x}), run("squeezed.onnx", {"x": x})
    assert latents.shape == (1, family.latents, height // family.latent_stride, width // family.latent_stride)
    assert seen.shape == (1, 3, height // family.squeeze, width // family.squeeze)
    np.testing.assert_allclose(latents, y, atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(seen, squeezed, atol=1e-2, rtol=1e-4)
    found = run("detect.onnx", {"y": np.concatenate([y, y])})
    for got, expected in zip(found, (boxes, scores), strict=True):
        np.testing.assert_allclose(got[1], expected[0], atol=1e-2, rtol=1e-3)
    (layer,) = run("enhance.onnx", {"x": x, "y": y.numpy()})
    np.testing.assert_allclose(layer, z, atol=2e-2, rtol=1e-2)
    ones = np.ones(state[0].shape, np.float32)
    given = [{"z": z.numpy(), "state": 0 * ones}, {"z": 0 * layer, "state": ones}]
    for feed, picture, kept in zip(given, pictures, state, strict=True):
        seen, following = run("restore.onnx", {"y": y.numpy()} | feed)
        assert seen.dtype == np.uint8 and seen.shape == (1, height, width, 3)
        # Their weights are stored as 16-bit floats.
        assert np.abs(seen.astype(int) - picture).max() <= 2
        np.testing.assert_allclose(following, kept, atol=2e-2, rtol=1e-2)


@pytest.mark.parametrize("name", ["default", "exported"])
def test_manifest_is_valid(name, exported):
    folder = DEFAULT if name == "default" else exported[0]
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    assert manifest["format"] == 1 and re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", manifest["id"])
    # Only a back-end that follows others on the same front lists whose streams it understands.
    assert set(manifest) - {"decodes"} == {
        "format", "id", "version", "description", "license", "source",
        "input", "latents", "front", "detect", "restore", "enhance", "prior", "classes", "files",
    }  # fmt: skip
    listed = {f["name"]: f for f in manifest["files"]}
    assert set(listed) == {p.name for p in folder.iterdir()} - {"manifest.toml"}
    for file, entry in listed.items():
        data = (folder / file).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest()), file
        assert entry["license"]
    assert len(manifest["classes"]["names"]) == len(manifest["classes"]["coco-ids"]) in (5, 80)
    assert all(manifest[g]["macs"] > 0 for g in ("front", "detect", "restore", "enhance"))
    assert sum(f["bytes"] for f in listed.values()) < 20e6


def test_default_bundle_runs_and_its_front_is_cheap():
    bundle = Bundle(DEFAULT)
    assert bundle.manifest["front"]["macs"] < 0.15e9
    rgb = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    y, geometry = bundle.front(rgb, 160)
    assert y.shape == (bundle.manifest["latents"]["channels"], 6, 10) and geometry.content == (320, 180)
    symbols = np.rint(y).astype(np.int16)
    boxes, scores = bundle.detect(symbols, 32, geometry)
    assert boxes.shape == (len(scores), 4) and scores.shape[1] == 80
    assert 0 <= scores.min() and scores.max() <= 1 and boxes[:, 2].max() <= 160
    plain = bundle.restore(symbols, 32, geometry)
    assert plain.shape == (180, 320, 3)
    z = np.rint(bundle.enhance(rgb, 160, symbols, 32)).astype(np.int16)
    assert z.shape == (bundle.manifest["enhance"]["channels"], 12, 20)
    bundle.forget()
    shown = bundle.restore(symbols, 32, geometry, (z, 32))
    bundle.forget()
    assert (shown != plain).any() and (bundle.restore(symbols, 32, geometry) == plain).all()
