"""A decoder of the bitstream, written from docs/bitstream.md alone, that checks the golden streams.

    decode.py GOLDEN_FOLDER

It is for reading and comparing, not for speed. Sections named below are those of docs/bitstream.md.
"""

import copy
import hashlib
import json
import pathlib
import struct
import sys

from contexts import inter_change_contexts, key_change_contexts, more_contexts, position_contexts
from contexts import Run, Symbol, sign_contexts
from models import ArithmeticDecoder, Corrupt, Reader
from models import bounded_weight, crc32c, learn, learn_plain, octave, opinion, read_prior, require, squash
from motion import Motion, read_transform

KEY_FLAG, LATE, REPEAT, PTS_RESIDUAL, EXTRAS = 1, 2, 4, 8, 16
QINDEX_PRESENT, CAPTURE_PRESENT, LAYER_PRESENT = 1, 2, 4

POSITION, CHANGE, SIGN, MORE = range(4)
BANK_LIMITS = [60, 120, 120, 120, 60, 250, 120, 120]


class Latents:
    """Latents: decodes the payloads of a group and keeps the fields of section Contexts."""

    def __init__(self, prior, qindex, channels, width, height, transform, version):
        """Start of a group."""
        nearest = min(prior, key=lambda pair: (abs(pair[0] - qindex), pair[0]))
        self.models = copy.deepcopy(nearest[1])
        self.qindex, self.channels, self.width, self.height = qindex, channels, width, height
        self.cur, self.ref, self.older, self.age = {}, {}, {}, {}
        self.page, self.unrest, self.filled, self.now, self.before = {}, {}, {}, {}, {}
        self.motion = Motion(transform, self, version) if transform else None

    def decide(self, kind, contexts, selectors):
        """Models, mixing: one decision, and what is learnt from it."""
        index = kind + (0 if self.key else 4)
        bank = self.models.banks[index]
        counters = [bank.counters[j][contexts[j]] for j in range(8)]
        w1, w2 = bank.weights[0][selectors[0]], bank.weights[1][selectors[1]]
        opinions = [opinion(counter) for counter in counters]
        p = squash(sum(o * (a + b) for o, a, b in zip(opinions, w1, w2)) >> 16)
        yes = self.coder.decide(p)
        error = 65536 * yes - p
        for j in range(8):
            step = opinions[j] * error >> 17
            w1[j] = bounded_weight(w1[j] + step)
            w2[j] = bounded_weight(w2[j] + step)
            learn(counters[j], yes, BANK_LIMITS[index])
        return yes

    def escape(self, context):
        """Models, escape contexts: one decision."""
        return learn_plain(self.coder, self.models.escape[context])

    def rescale(self, b):
        """Latents: reference and older when qindex changes to b."""
        a, self.qindex = self.qindex, b
        e = a - b
        s = 30 - e // 8

        def scaled(q):
            magnitude = min(2047, (abs(q) * octave(e) + (1 << (s - 1))) >> s)
            return magnitude if q >= 0 else -magnitude

        if self.motion:
            self.motion.rescale(self, a)
        else:
            self.cur = {place: scaled(q) for place, q in self.cur.items()}
        self.older = {place: scaled(q) for place, q in self.older.items()}

    def start_frame(self):
        """Contexts: the fields at the start of a frame."""
        self.ref = dict(self.cur)
        self.age = {place: min(255, age + 1) for place, age in self.age.items()}
        self.page = {place: min(255, age + 1) for place, age in self.page.items()}
        self.unrest = {place: v - (v + 15) // 16 for place, v in self.unrest.items()}
        self.before, self.now = self.now, {}

    def frame(self, payload, key):
        """Latents: all positions of a frame in raster order."""
        self.coder, self.key = ArithmeticDecoder(payload), key
        if self.motion and not key:
            self.motion.move(self)
        self.start_frame()
        for y in range(self.height):
            for x in range(self.width):
                contexts = position_contexts(self, x, y, len(self.now), len(self.before))
                if self.decide(POSITION, *contexts):
                    self.position(x, y)
        require(self.coder.taken >= len(payload), "bytes left over in the payload")
        if self.motion:
            self.motion.draw(self)

    def position(self, x, y):
        """Latents, 2: the channels of a position that may have changed."""
        run = Run(self.now.get((x - 1, y), 0), self.now.get((x, y - 1), 0), self.page.get((x, y), 255))
        for channel in range(self.channels):
            place = (x, y, channel)
            at = Symbol(self, place, run)
            asked = run.n > 0 or channel < self.channels - 1
            change = key_change_contexts if self.key else inter_change_contexts
            difference = 0
            if not asked or self.decide(CHANGE, *change(at)):
                difference = self.difference(at)
                self.set_symbol(place, at.r, at.r + difference)
            run.push(difference, at.r + difference)
        self.now[x, y] = run.n
        self.page[x, y] = 0
        self.unrest[x, y] = min(255, self.unrest.get((x, y), 0) + 16)
        self.count_filled(x, y)

    def count_filled(self, x, y):
        """Contexts: `filled`."""
        self.filled[x, y] = sum(self.cur.get((x, y, ch), 0) != 0 for ch in range(self.channels))

    def set_symbol(self, place, reference, value):
        """Contexts: the fields of a symbol that changed."""
        require(abs(value) <= 2047, "symbol out of range")
        self.older[place] = reference
        self.age[place] = 0
        self.cur[place] = value

    def difference(self, at):
        """Latents, 3: sign and magnitude."""
        sign = -1 if self.decide(SIGN, *sign_contexts(at)) else 1
        for m in range(1, 16):
            if not self.decide(MORE, *more_contexts(at, sign, m)):
                return sign * m
        return sign * (16 + self.exp_golomb())

    def exp_golomb(self):
        """Latents, 3: the Exp-Golomb code of what is beyond 16."""
        n = 0
        while self.escape(n):
            n += 1
            require(n <= 12, "symbol out of range")
        v = 1
        for i in reversed(range(n)):
            v = v << 1 | self.escape(32 + n - 1 if i == n - 1 else 16 + i)
        return v - 1


def layer_of(data, start):
    """Unit: the layer of the one that starts there."""
    key = data[start] == 0xC5
    extras = data[start + 1] if not key and data[start] << 1 & EXTRAS else 0
    if key:
        return data[start + 5]
    return data[start + 2] if extras & LAYER_PRESENT else 0


class Layer:
    """Unit, layers: decodes the units of one layer, which build on each other."""

    def __init__(self, reader, prior, transform):
        self.reader = reader
        self.prior = prior
        self.transform = transform

    def unit(self):
        """Unit: its fields up to length, its checksum, and then what it carries."""
        reader = self.reader
        start = reader.at
        first = reader.u8()
        require(first == 0xC5 or first < 0x80, "sync")
        self.key = first == 0xC5
        flags = reader.u8() if self.key else first << 1
        self.version = flags >> 5
        require(self.version in ((3, 4) if self.transform else (2,)), "version")
        require(bool(flags & KEY_FLAG) == self.key, "key flag")
        require(not self.key or reader.take(3) == b"cis", "magic")
        extras = reader.u8() if flags & EXTRAS else 0
        if self.key or extras & LAYER_PRESENT:
            reader.u8()
        length = reader.varint()
        end = reader.at + length
        crc_size = 4 if self.key else 2
        require(crc_size <= length and end <= len(reader.data), "length")
        self.checksum(start, end - crc_size, end)
        if self.key:
            self.key_unit(end - crc_size)
        else:
            self.inter_unit(flags, extras, end - crc_size)
        reader.at = end

    def checksum(self, start, stop, end):
        """Unit, checksum: late taken as 0, an inter frame goes on from the unit before and stores the low half."""
        covered = bytearray(self.reader.data[start:stop])
        if self.key:
            covered[1] &= ~LATE
        else:
            covered[0] &= ~(LATE >> 1)
        self.crc = crc32c(covered, 0 if self.key else self.crc)
        stored = int.from_bytes(self.reader.data[stop:end], "little")
        require(self.crc % (1 << 8 * (end - stop)) == stored, "checksum")

    def key_unit(self, end):
        """Unit, key fields."""
        reader = self.reader
        reader.take(reader.u8())
        self.number, self.pts, self.capture = reader.varint(), reader.varint(), reader.varint()
        self.pts_step = 0
        reader.varint()
        reader.varint()
        channels, width, height = reader.varint(), reader.varint(), reader.varint()
        self.qindex = reader.u8()
        self.latents = Latents(self.prior, self.qindex, channels, width, height, self.transform, self.version)
        self.latents.frame(reader.take(end - reader.at), True)

    def inter_unit(self, flags, extras, end):
        """Unit: the fields of an inter frame; a repeat leaves the latents alone."""
        reader = self.reader
        self.number += 1
        self.pts_step += reader.svarint() if flags & PTS_RESIDUAL else 0
        self.pts += self.pts_step
        self.capture += self.pts_step + (reader.svarint() if extras & CAPTURE_PRESENT else 0)
        qindex = reader.u8() if extras & QINDEX_PRESENT else self.qindex
        if flags & REPEAT:
            require(reader.at == end, "a repeat with a payload")
            return
        if qindex != self.qindex:
            self.latents.rescale(qindex)
            self.qindex = qindex
        self.latents.frame(reader.take(end - reader.at), False)

    def digest(self, total):
        """What golden.json sums of each frame: number, time stamps, kind, qindex, latents, then any canvas."""
        times = [value % 2**64 for value in (self.number, self.pts, self.capture)]
        total.update(struct.pack("<QQQBB", *times, self.key, self.qindex))
        latents = self.latents
        for channel in range(latents.channels):
            for y in range(latents.height):
                for x in range(latents.width):
                    total.update(struct.pack("<h", latents.cur.get((x, y, channel), 0)))
        if latents.motion:
            total.update(latents.motion.canvas())


def decode(data, prior, transform):
    """The number of frames of a stream and their sum; with a transform it is of layer 1 alone, version 3 or 4."""
    reader = Reader(data)
    layers = [Layer(reader, prior, None), Layer(reader, prior, transform)]
    total = hashlib.sha256()
    frames = 0
    while reader.at < len(data):
        number = layer_of(data, reader.at)
        require(number < len(layers), "a layer that is not in the golden streams")
        layers[number].unit()
        layers[number].digest(total)
        frames += number == 0 or transform is not None
    return frames, total.hexdigest()


def verdict(folder, golden):
    """What became of one golden stream."""
    try:
        prior = read_prior((folder / golden["prior"]).read_bytes() if golden["prior"] else b"")
        transform = golden.get("transform")
        transform = read_transform((folder / transform).read_bytes()) if transform else None
        found = decode((folder / golden["file"]).read_bytes(), prior, transform)
    except (Corrupt, AttributeError, IndexError) as error:
        return f"does not decode: {error}"
    wanted = (golden["frames"], golden["sha256"])
    return "ok" if found == wanted else f"{found} instead of {wanted}"


def main():
    """One line for each stream of golden.json."""
    if len(sys.argv) != 2:
        sys.exit("usage: decode.py GOLDEN_FOLDER")
    folder = pathlib.Path(sys.argv[1])
    bad = 0
    streams = json.loads((folder / "golden.json").read_text())
    for golden in streams:
        result = verdict(folder, golden)
        print(f"{golden['file']}: {result}", flush=True)
        bad += result != "ok"
    sys.exit(1 if bad or not streams else 0)


if __name__ == "__main__":
    main()
