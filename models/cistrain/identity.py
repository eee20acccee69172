"""What of a bundle gives latents their meaning (docs/bundle.md, "Identity"), from its manifest as `tomllib` reads it."""

import hashlib
import json


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def front_id(manifest: dict) -> str:
    """Of the camera's network, the entropy coder's initial state and the geometry."""
    sha256 = {file["name"]: file["sha256"] for file in manifest["files"]}
    x, y, front = manifest["input"], manifest["latents"], manifest["front"]
    return _digest(
        [
            f"front {sha256[front['file']]}",
            f"prior {sha256[manifest['prior']['file']]}",
            f"x {x['squeeze']} {x['multiple']} {x['pad']} {x.get('layout', 'interleaved')} {front['input']}",
            f"y {y['channels']} {y['stride']} {front['latents']}",
        ]
    )


def enhance_id(manifest: dict, moving: bool = True) -> str | None:
    """The same of the enhancement layer, if there is one; without `moving` of the layer as it would be if it were not predicted along the motion."""
    if (layer := manifest.get("enhance")) is None:
        return None
    sha256 = {file["name"]: file["sha256"] for file in manifest["files"]}
    return _digest(
        [
            f"front {front_id(manifest)}",
            f"enhance {sha256[layer['file']]}",
            f"prior {sha256[layer['prior-file']]}",
            f"x {layer['input']} {layer['received']}",
            f"z {layer['channels']} {layer['stride']} {layer['latents']}",
            *([f"transform {sha256[layer['transform-file']]}"] if moving and "transform-file" in layer else []),
        ]
    )


def decodes(own: dict, others: list[dict]) -> str:
    """The `[[decodes]]` of a manifest that says to understand the streams of other bundles, and of those that these understand; refuses bundles with another front."""
    front, enhance, entries = front_id(own), enhance_id(own), {}
    for other in others:
        if front_id(other) != front:
            raise ValueError(f"{other['id']} has front-id {front_id(other)}, {own['id']} has {front}: its streams mean something else")
        theirs = enhance_id(other)
        same = theirs is not None and theirs in (enhance, enhance_id(own, moving=False))
        entries[other["id"]] = theirs if same else None
        for earlier in other.get("decodes", []):
            entries.setdefault(earlier["id"], earlier.get("enhance-id") if same else None)
    entries.pop(own["id"], None)
    text = ""
    for identity, layer in entries.items():
        text += f"\n[[decodes]]\nid = {json.dumps(identity)}\nfront-id = \"{front}\"\n"
        if layer:
            text += f"enhance-id = \"{layer}\"\n"
    return text
