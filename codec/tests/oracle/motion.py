"""What versions 3 and 4 add: section Motion of docs/bitstream.md, for decode.py."""

import collections
import functools

from models import Reader, learn_plain, octave, require

BLOCK = 16
SAMPLES = 3 * BLOCK * BLOCK
SQUARES_BOUND = 68157440
VALUE_BOUND = 14336
VECTOR_BOUND = 255
LARGER_BOUND = 9
STILL = (0, 0)
TAPS = [(0, 64, 0, 0), (-4, 54, 16, -2), (-4, 36, 36, -4), (-2, 16, 54, -4)]


def within(value, low, high):
    """A value, or the bound that it is beyond."""
    return max(low, min(high, value))


def read_transform(data):
    """Motion, transform.bin: the rows of B."""
    reader = Reader(data)
    require(reader.take(9) == b"cistrans\x01", "transform: head")
    n = int.from_bytes(reader.take(2), "little")
    require(1 <= n <= 256, "transform: number of coefficients")
    rows = [read_row(reader) for _ in range(n)]
    require(reader.at == len(data), "transform: bytes left over")
    for line in rows + list(zip(*rows)):
        require(sum(b * b for b in line) <= SQUARES_BOUND, "transform: sum of squares")
    return rows


def read_row(reader):
    """Motion, transform.bin: one row."""
    data = reader.take(2 * SAMPLES)
    return [int.from_bytes(data[i : i + 2], "little", signed=True) for i in range(0, len(data), 2)]


@functools.lru_cache
def step_of(qindex):
    """Motion, values: S."""
    e = qindex - 32
    s = 14 - e // 8
    return octave(e) + (1 << (s - 1)) >> s


def value_of(q, step):
    """Motion, values: V(q)."""
    return q * step + 128 >> 8


def symbol_of(value, step):
    """Motion, values: the symbol of a value."""
    magnitude = min(2047, (512 * abs(value) + step) // (2 * step))
    return magnitude if value >= 0 else -magnitude


def transformed(rows, samples):
    """Motion, reference: the values of a block."""
    return [sum(map(int.__mul__, row, samples)) + (1 << 10) >> 11 for row in rows]


def drawn(rows, values):
    """Motion, canvas: the samples of a block."""
    sums = [1 << 14] * SAMPLES
    for row, value in zip(rows, values):
        if value:
            v = within(value, -VALUE_BOUND, VALUE_BOUND)
            sums = [total + b * v for total, b in zip(sums, row)]
    return bytes(within(128 + (total >> 15), 0, 255) for total in sums)


def filtered(lines, quarters):
    """Motion, reference: between lines of samples, which are three more than those that come out."""
    a, b, c, d = TAPS[quarters]
    four = zip(lines, lines[1:], lines[2:], lines[3:])
    return [[a * i + b * j + c * k + d * m for i, j, k, m in zip(*group)] for group in four]


def turned(lines):
    """Rows of samples as columns, or the other way round."""
    return list(zip(*lines))


class Plane:
    """Motion, canvas: one of its planes."""

    def __init__(self, width, height):
        self.rows = [bytearray(b"\x80" * width) for _ in range(height)]

    def put(self, x, y, block):
        """The samples of a position that is drawn."""
        for i in range(BLOCK):
            self.rows[BLOCK * y + i][BLOCK * x : BLOCK * (x + 1)] = block[BLOCK * i : BLOCK * (i + 1)]

    def get(self, x, y, vector):
        """Motion, reference: the block where the vector of a position points, row by row."""
        left, top = (BLOCK * at + (v >> 2) - 1 for at, v in zip((x, y), vector))
        columns = [within(left + i, 0, len(self.rows[0]) - 1) for i in range(BLOCK + 3)]
        rows = [self.rows[within(top + i, 0, len(self.rows) - 1)] for i in range(BLOCK + 3)]
        across = filtered([[row[column] for row in rows] for column in columns], vector[0] & 3)
        block = filtered(turned(across), vector[1] & 3)
        return [within(total + 2048 >> 12, 0, 255) for row in block for total in row]


class Vectors:
    """Motion, vectors: decodes those of a frame, and keeps what decisions about them look at."""

    def __init__(self, width, height, version):
        self.width, self.height, self.version = width, height, version
        self.now, self.before = {}, {}
        self.counters = collections.defaultdict(lambda: [32768, 0])

    def ask(self, *context):
        """One decision; its name and contexts tell its counter."""
        return learn_plain(self.coder, self.counters[context])

    def frame(self, coder):
        """Motion, vectors, 1: those of a frame, of the positions that move."""
        self.coder = coder
        self.before, self.now = self.now, {}
        if self.ask("any", bool(self.before)):
            for y in range(self.height):
                for x in range(self.width):
                    self.position(x, y)

    def position(self, x, y):
        """Motion, vectors, 2 and 3: that of one position."""
        around = [self.now.get(place, STILL) for place in ((x - 1, y), (x, y - 1), (x + 1, y - 1))]
        moving = [vector for vector in around if vector != STILL]
        m = len(moving)
        if not self.ask("moves", 3 * m + self.moved(x, y), around[0] != STILL):
            return
        vector = self.chosen(x, y, around, moving)
        if vector != STILL:
            self.now[x, y] = vector

    def chosen(self, x, y, around, moving):
        """Motion, vectors, 3 and 4: the vector of a position that moves."""
        m, own, middle = len(moving), self.at_before(x, y, 0), self.middle(moving)
        if self.version == 3:
            first = middle if m else own
            candidates, apart = [(first, m)], 3
        else:
            k = sum(self.goes_on(*place) for place in ((x - 1, y), (x, y - 1)))
            g, apart = (k if m else 3), self.apart(middle, own)
            both = [own, middle] if own != STILL and (k or not m) else [middle, own]
            first = both[0]
            rest = around + [self.at_before(x, y, step) for step in (1, self.width, -1, -self.width)]
            candidates = [(vector, ("two", i, apart, g)) for i, vector in enumerate(both)]
            others = [vector for vector in dict.fromkeys(rest) if vector not in (STILL, *both)]
            candidates += [(vector, ("others", i, g)) for i, vector in enumerate(others)]
            if both[0] == both[1]:
                del candidates[1]
        for vector, context in candidates:
            if vector != STILL and self.ask("same", context):
                return vector
        return self.other(first, apart)

    def at_before(self, x, y, step):
        """Motion, vectors, 3: B of the position so many further on in raster order."""
        row, column = divmod(y * self.width + x + step, self.width)
        return self.before.get((column, row), STILL)

    def goes_on(self, x, y):
        """Motion, vectors, 3: whether a position moves, and as it did."""
        return (x, y) in self.now and self.now[x, y] == self.before.get((x, y))

    def apart(self, one, other):
        """Motion, vectors, 3: a."""
        if STILL in (one, other):
            return 3
        off = max(abs(i - j) for i, j in zip(one, other))
        return 0 if off == 0 else 1 if off <= 2 else 2

    def moved(self, x, y):
        """Motion, vectors, 2: w."""
        if (x, y) in self.before:
            return 2
        after = (x + 1, y) if x + 1 < self.width else (0, y + 1)
        return int(after in self.before or (x, y + 1) in self.before)

    def middle(self, moving):
        """Motion, vectors, 3: M."""
        if len(moving) == 3:
            return tuple(sorted(component)[1] for component in zip(*moving))
        return moving[0] if moving else STILL

    def other(self, first, apart):
        """Motion, vectors, 4: one that is coded as difference to the first candidate."""
        x = self.difference(0, 0, apart)
        y = self.difference(1, 1 if x else 2, apart)
        vector = (first[0] + x, first[1] + y)
        require(all(abs(component) <= VECTOR_BOUND for component in vector), "vector out of range")
        return vector

    def difference(self, axis, context, apart):
        """Motion, vectors, 4: one component."""
        if self.ask("zero", apart, context):
            return 0
        sign = -1 if self.ask("negative", axis) else 1
        n = 0
        while self.ask("larger", axis, apart < 2, n):
            n += 1
            require(n <= LARGER_BOUND, "vector out of range")
        magnitude = 1
        for i in reversed(range(n)):
            magnitude = magnitude << 1 | self.ask("bit", axis, i)
        return sign * magnitude


class Motion:
    """Motion: the values, the canvas and the vectors of a group."""

    def __init__(self, rows, latents, version):
        require(len(rows) == latents.channels, "transform: not of as many channels")
        self.rows = rows
        self.vectors = Vectors(latents.width, latents.height, version)
        self.planes = [Plane(BLOCK * latents.width, BLOCK * latents.height) for _ in range(3)]
        self.rests = {}

    def places(self, latents, x, y):
        """The symbols of a position."""
        return [(x, y, channel) for channel in range(latents.channels)]

    def values(self, latents, x, y, qindex):
        """Motion, values: those of a position."""
        step = step_of(qindex)
        places = self.places(latents, x, y)
        return [value_of(latents.cur.get(at, 0), step) + self.rests.get(at, 0) for at in places]

    def set_values(self, latents, x, y, values):
        """Motion, values: symbols and rests that stand for values."""
        step = step_of(latents.qindex)
        for place, value in zip(self.places(latents, x, y), values):
            latents.cur[place] = symbol_of(value, step)
            self.rests[place] = value - value_of(latents.cur[place], step)

    def clear_rests(self, latents, x, y):
        """Motion, values: where a change or a vector, but not a new qindex, leaves no symbol but zeros, no rests."""
        places = self.places(latents, x, y)
        if not any(latents.cur.get(place, 0) for place in places):
            self.rests.update(dict.fromkeys(places, 0))

    def rescale(self, latents, before):
        """Motion, values: when qindex changes from `before`."""
        for x, y in {place[:2] for place in latents.cur}:
            self.set_values(latents, x, y, self.values(latents, x, y, before))

    def move(self, latents):
        """Motion, vectors and reference of a position that moves: before the latents of an inter frame."""
        self.vectors.frame(latents.coder)
        for (x, y), vector in self.vectors.now.items():
            block = [sample - 128 for plane in self.planes for sample in plane.get(x, y, vector)]
            self.set_values(latents, x, y, transformed(self.rows, block))
            self.clear_rests(latents, x, y)
            for place in self.places(latents, x, y):
                latents.older[place] = latents.cur[place]
            latents.count_filled(x, y)

    def draw(self, latents):
        """Motion, canvas: when a frame is coded."""
        for x, y in latents.now.keys() | self.vectors.now.keys():
            if (x, y) in latents.now:
                self.clear_rests(latents, x, y)
            block = drawn(self.rows, self.values(latents, x, y, latents.qindex))
            for i, plane in enumerate(self.planes):
                plane.put(x, y, block[BLOCK * BLOCK * i : BLOCK * BLOCK * (i + 1)])

    def canvas(self):
        """Motion, canvas: all its bytes."""
        return b"".join(row for plane in self.planes for row in plane.rows)
