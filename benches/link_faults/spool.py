"""Reads a sender's spool as docs/spool.md describes it: what a process that was killed has left on the disk."""

import pathlib
import struct
import zlib

HEADER, HEAD = 112, 28
UNIT, STORED = 1, 2


def records(folder):
    """(kind, serial, number, data) of every whole record, oldest first."""
    for path in sorted(pathlib.Path(folder).glob("*.seg")):
        data = path.read_bytes()
        if data[:8] != b"cisspool" or zlib.crc32(data[:108]) != struct.unpack_from("<I", data, 108)[0]:
            continue
        at = HEADER
        while at + HEAD <= len(data):
            kind, serial, number, size, crc, own = struct.unpack_from("<B3xQIIII", data, at)
            if zlib.crc32(data[at:at + 24]) != own or at + HEAD + size > len(data):
                break
            body = data[at + HEAD:at + HEAD + size]
            if kind == UNIT and zlib.crc32(body) != crc:
                break
            yield kind, serial, number, body
            at += HEAD + size


def key_number(unit):
    """The number of the frame in a key unit (docs/bitstream.md)."""
    # Behind sync, flags, magic and layer: length and bundle id.
    at = 6
    while unit[at] & 0x80:
        at += 1
    at += 1
    at += 1 + unit[at]
    number = shift = 0
    while True:
        number |= (unit[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not unit[at - 1] & 0x80:
            return number


def waiting(folder):
    """Numbers of the frames that are on the disk and not stored by the receiver, oldest first."""
    first, units, stored = {}, {}, set()
    for kind, serial, number, body in records(folder):
        if kind == STORED:
            stored.add(serial)
        else:
            if number == 0:
                first[serial] = key_number(body)
            units[serial] = number + 1
    return [first[serial] + n for serial in sorted(first) if serial not in stored for n in range(units[serial])]
