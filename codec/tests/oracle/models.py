"""Numbers, checksum, models, prior and arithmetic coder of docs/bitstream.md, for decode.py."""

import functools
import struct

TABLE_BITS = [10, 12, 10, 11]
COLD_WEIGHT = 7000
WEIGHT_BOUND = 2**19
PLAIN_LIMIT = 60
PRIOR_COUNTS = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 255]


class Corrupt(Exception):
    """What is read breaks a rule of the page."""


def require(condition, what):
    """Raises unless the condition holds."""
    if not condition:
        raise Corrupt(what)


class Reader:
    """Numbers of the page's head: bytes, varints and svarints, one after the other."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def take(self, count):
        """The next `count` bytes."""
        require(self.at + count <= len(self.data), "ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self):
        """A byte."""
        return self.take(1)[0]

    def varint(self):
        """LEB128."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def svarint(self):
        """A varint with the sign in its lowest bit."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)


def octave(e):
    """Latents: F, what the eighths of `e` beyond whole octaves make."""
    return round(2 ** ((e % 8) / 8) * 2**30)


def crc_entry(byte):
    """Unit, checksum: what one byte does."""
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [crc_entry(byte) for byte in range(256)]


def crc32c(data, before=0):
    """Unit, checksum: CRC-32C, going on from `before`."""
    crc = before ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def squash_table():
    """Models, squash: its values for x in 0..=2943."""
    table = []
    power = 1 << 60
    for _ in range(2944):
        table.append(min(65535, (1 << 76) // ((1 << 60) + power)))
        power = power * 1148426689630428643 >> 60
    return table


SQUASH = squash_table()


def squash(x):
    """Models, squash: from the logistic domain to a probability."""
    if x >= 0:
        return SQUASH[min(x, 2943)]
    return 65536 - SQUASH[min(-x, 2943)]


def stretch_table():
    """Models, stretch: its value for every cell `p >> 4`."""
    table = [0] * 4096
    x = 0
    for cell in range(2048, 4096):
        while x < 2943 and SQUASH[x] < 16 * cell + 8:
            x += 1
        table[cell] = x
        table[4095 - cell] = -x
    return table


STRETCH = stretch_table()
TRUST = [256 * n // (n + 1) + (0 if n == 0 else 256 // (n + 1) // 2) for n in range(256)]
RATE = [131072 // (2 * n + 3) for n in range(256)]


def opinion(counter):
    """Models, counter: its opinion."""
    return STRETCH[counter[0] >> 4] * TRUST[counter[1]] >> 8


def learn(counter, yes, limit):
    """Models, counter: what it learns from a decision."""
    p, n = counter
    target = 65535 if yes else 0
    counter[0] = min(65535, max(0, p + (((target - p) >> 1) * RATE[n] >> 15)))
    if n < limit:
        counter[1] = n + 1


def learn_plain(coder, counter):
    """Models, escape contexts: one decision with the `p` of a counter itself, and what is learnt from it."""
    yes = coder.decide(max(1, counter[0]))
    learn(counter, yes, PLAIN_LIMIT)
    return yes


def bounded_weight(weight):
    """Models, mixing: the bounds of a weight."""
    return max(-WEIGHT_BOUND, min(WEIGHT_BOUND, weight))


class Bank:
    """Models: the counters of 8 inputs and two tables of weight vectors."""

    def __init__(self, kind):
        self.counters = [[[32768, 0] for _ in range(1 << TABLE_BITS[kind])] for _ in range(8)]
        self.weights = [[[COLD_WEIGHT] * 8 for _ in range(64)] for _ in range(2)]


class Models:
    """Models: eight banks, those of key frames first, and the escape counters."""

    def __init__(self):
        self.banks = [Bank(k % 4) for k in range(8)]
        self.escape = [[32768, 0] for _ in range(64)]


def read_counters(reader, total):
    """prior.bin: counters as runs of untouched and touched ones."""
    counters = []
    while len(counters) < total:
        untouched, touched = reader.varint(), reader.varint()
        require(0 < untouched + touched <= total - len(counters), "prior: bad run")
        counters += [[32768, 0] for _ in range(untouched)]
        for _ in range(touched):
            (value,) = struct.unpack("<H", reader.take(2))
            require(value & 15, "prior: index 0")
            counters.append([value & ~15 | 8, PRIOR_COUNTS[value & 15]])
    return counters


def read_bank(reader, kind):
    """prior.bin: one bank."""
    bank = Bank(kind)
    size = 1 << TABLE_BITS[kind]
    counters = read_counters(reader, 8 * size)
    bank.counters = [counters[j * size : (j + 1) * size] for j in range(8)]
    for table in bank.weights:
        for vector in table:
            vector[:] = [COLD_WEIGHT + 64 * reader.svarint() for _ in range(8)]
    return bank


@functools.lru_cache
def read_prior(data):
    """prior.bin: pairs of qindex and models."""
    if not data:
        return [(0, Models())]
    require(crc32c(data[:-4]) == struct.unpack("<I", data[-4:])[0], "prior: checksum")
    reader = Reader(data[:-4])
    require(reader.take(9) == b"cisprior\x01", "prior: head")
    prior = []
    for _ in range(reader.u8()):
        qindex, models = reader.u8(), Models()
        models.banks = [read_bank(reader, k % 4) for k in range(8)]
        models.escape = read_counters(reader, 64)
        prior.append((qindex, models))
    require(reader.at == len(reader.data), "prior: bytes left over")
    return prior


class ArithmeticDecoder:
    """Arithmetic coder, the reader's side."""

    def __init__(self, payload):
        self.payload = payload
        self.taken = 0
        self.low = 0
        self.high = 0xFFFFFFFF
        self.value = 0
        for _ in range(4):
            self.value = self.value << 8 | self.byte()

    def byte(self):
        """The next byte, zero beyond the payload."""
        self.taken += 1
        return self.payload[self.taken - 1] if self.taken <= len(self.payload) else 0

    def decide(self, p):
        """One decision with probability `p` of yes."""
        mid = self.low + ((self.high - self.low) * p >> 16)
        yes = self.value <= mid
        if yes:
            self.high = mid
        else:
            self.low = mid + 1
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = (self.high << 8 | 255) & 0xFFFFFFFF
            self.value = (self.value << 8 | self.byte()) & 0xFFFFFFFF
        return yes
