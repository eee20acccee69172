"""The detector on the camera that sends boxes: a compact encoding of them, so that its bytes are counted like everybody's.

A frame is 9 bytes (frame number u32, capture time in ms modulo 2^32, number of boxes u8: at most 255, the surest) and a box 7 bytes: class u8,
score in 255ths u8, then x, y, w, h with 10 bits each, in 1023rds of the frame's sides. No link header, as for the other paths."""

import struct

from .coco import OFFICIAL_IDS

MOST = 255
_CLASS = {category: i for i, category in enumerate(OFFICIAL_IDS)}


def encode(number, time_ms, found, width, height, threshold):
    """Bytes of one frame's detections [{category_id, bbox, score}] that are at least `threshold` sure."""
    sure = sorted((d for d in found if d["score"] >= threshold), key=lambda d: -d["score"])[:MOST]
    out = struct.pack("<IIB", number & 0xFFFFFFFF, time_ms & 0xFFFFFFFF, len(sure))
    for d in sure:
        packed = 0
        for value, side in zip(d["bbox"], (width, height, width, height)):
            packed = packed << 10 | min(1023, max(0, round(value / side * 1023)))
        out += struct.pack("<BB", _CLASS[d["category_id"]], min(255, max(0, round(d["score"] * 255)))) + packed.to_bytes(5, "little")
    return out


def decode(data, width, height):
    """(frame number, detections) of the bytes that `encode` made."""
    number, _, count = struct.unpack_from("<IIB", data)
    found = []
    for i in range(count):
        kind, score = struct.unpack_from("<BB", data, 9 + 7 * i)
        packed = int.from_bytes(data[11 + 7 * i:16 + 7 * i], "little")
        box = [(packed >> shift & 1023) / 1023 * side for shift, side in zip((30, 20, 10, 0), (width, height, width, height))]
        found.append({"category_id": OFFICIAL_IDS[kind], "bbox": box, "score": score / 255})
    return number, found
