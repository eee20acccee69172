"""What decisions look at: section Contexts of docs/bitstream.md, for decode.py."""


def W(v, k):
    """Contexts: a value within ±k, from 0 up."""
    return min(max(v, -k), k) + k


def U(v, k):
    """Contexts: a magnitude up to k."""
    return min(abs(v), k)


def first_at_least(value, bounds):
    """The index of the first bound that is not below the value."""
    for index, bound in enumerate(bounds):
        if value <= bound:
            return index
    return len(bounds)


def O(v):  # noqa: E743
    """Contexts: the class of a number."""
    return first_at_least(v, (0, 1, 2, 4, 8, 16, 32))


def P(age):
    """Contexts: the class of an age."""
    return first_at_least(age, (1, 2, 4, 8, 16, 64, 254))


def ones(bits):
    """Contexts: `#b`."""
    return bin(bits).count("1")


def half(v):
    """Contexts: `v / 2`, which rounds towards zero."""
    return -(-v // 2) if v < 0 else v // 2


class Symbol:
    """Contexts, symbols: what decisions about one symbol look at, under the names of the page."""

    def __init__(self, fields, place, run):
        x, y, channel = place
        self.c = channel % 64

        def cur(dx, dy):
            return fields.cur.get((x + dx, y + dy, channel), 0)

        def ref(dx, dy):
            return fields.ref.get((x + dx, y + dy, channel), 0)

        self.L, self.T, self.C, self.R = cur(-1, 0), cur(0, -1), cur(-1, -1), cur(1, -1)
        self.dL, self.dT = self.L - ref(-1, 0), self.T - ref(0, -1)
        self.dC, self.dR = self.C - ref(-1, -1), self.R - ref(1, -1)
        self.r, self.E, self.S = ref(0, 0), ref(1, 0), ref(0, 1)
        self.o = fields.older.get(place, 0)
        self.age = fields.age.get(place, 255)
        self.n, self.s, self.w = run.n, run.s, O(run.n)
        self.d1, self.d2, self.d3 = run.differences
        self.v1, self.v2, self.v3 = run.values
        self.NL, self.NT, self.page = run.NL, run.NT, run.page


class Run:
    """Contexts, symbols: what is carried from channel to channel of one position."""

    def __init__(self, NL, NT, page):
        self.NL, self.NT, self.page = NL, NT, page
        self.n = self.s = 0
        self.differences = self.values = (0, 0, 0)

    def push(self, difference, value):
        """One more channel is known."""
        self.differences = (difference,) + self.differences[:2]
        self.values = (value,) + self.values[:2]
        if difference:
            self.n += 1
            self.s += abs(difference)


def position_contexts(fields, x, y, m, previous):
    """Contexts, position; `m` and `previous` are m and m'."""

    def now(dx, dy):
        return fields.now.get((x + dx, y + dy), 0)

    def before(dx, dy):
        return fields.before.get((x + dx, y + dy), 0)

    L, T, C, R = now(-1, 0), now(0, -1), now(-1, -1), now(1, -1)
    B, BE, BS, BL, BT = before(0, 0), before(1, 0), before(0, 1), before(-1, 0), before(0, -1)
    k = 8 * (L > 0) + 4 * (T > 0) + 2 * (R > 0) + (C > 0)
    b = 16 * (B > 0) + 8 * (BE > 0) + 4 * (BS > 0) + 2 * (BL > 0) + (BT > 0)
    a = P(fields.page.get((x, y), 255))
    u = fields.unrest.get((x, y), 0) // 16
    f = O(fields.filled.get((x, y), 0))
    h = O(L + T)
    contexts = (
        32 * k + b,
        64 * a + 8 * ones(k) + ones(b),
        64 * f + 8 * O(L) + O(T),
        64 * O(B) + 8 * O(L) + O(T),
        32 * u + 16 * (L > 0) + 8 * (T > 0) + a,
        64 * O(m) + 8 * O(previous) + ones(k),
        64 * h + 8 * O(R + C) + f,
        64 * u + 8 * h + O(BE + BS),
    )
    return contexts, (4 * k + min(ones(b), 3), 8 * a + h)


def inter_change_contexts(at):
    """Contexts, change, inter frames."""
    c, w, r, L, T = at.c, at.w, at.r, at.L, at.T
    k = 8 * (at.dL != 0) + 4 * (at.dT != 0) + 2 * (at.dR != 0) + (at.dC != 0)
    a = P(at.age)
    l, t = O(at.NL) // 2, O(at.NT) // 2  # noqa: E741
    e = 8 * (L == r) + 4 * (T == r) + 2 * (at.E == r) + (at.S == r)
    around = abs(at.dL) + abs(at.dT) + abs(at.dR) + abs(at.dC)
    near = 25 * W(L - r, 2) + 5 * W(T - r, 2) + W(r, 2)
    contexts = (
        64 * c + 16 * U(r, 3) + k,
        64 * c + 8 * a + w,
        32 * near + 16 * (at.dL != 0) + 8 * (at.dT != 0) + w,
        128 * (9 * W(at.d1, 1) + 3 * W(at.d2, 1) + W(at.d3, 1)) + 16 * w + 4 * l + t,
        64 * c + 8 * U(around, 7) + min(at.s // 2, 7),
        256 * (c // 4) + 32 * w + 8 * l + P(at.page),
        64 * c + 32 * (a == 0) + 8 * W(at.o - r, 1) + W(r, 2),
        256 * e + 32 * W(r, 2) + 4 * U((abs(L) + abs(T)) // 2, 7) + l,
    )
    return contexts, (c, 8 * w + 2 * min(ones(k), 3) + (r != 0))


def key_change_contexts(at):
    """Contexts, change, key frames."""
    c, w, L, T, C, R = at.c, at.w, at.L, at.T, at.C, at.R
    g = 2 * (abs(L) + abs(T)) + abs(C) + abs(R)
    contexts = (
        64 * c + 16 * U(L, 3) + 4 * U(T, 3) + U(R, 3),
        64 * c + 4 * U(g, 15) + w // 2,
        64 * c + 16 * U(at.v1, 3) + 4 * U(at.v2, 3) + U(at.v3, 3),
        512 * w + 64 * O(at.NL) + 8 * O(at.NT) + c // 8,
        64 * c + 8 * O(at.s) + O(g),
        64 * c + 16 * U(C, 3) + 4 * U(R, 3) + U(L + T, 3),
        32 * (25 * W(L, 2) + 5 * W(T, 2) + W(at.v1, 2)) + 4 * O(at.s) + w // 2,
        64 * c + 8 * O((at.NL + at.NT) // 2) + w,
    )
    return contexts, (c, 8 * w + O(g))


def sign_contexts(at):
    """Contexts, sign."""
    c, r, L, T, C = at.c, at.r, at.L, at.T, at.C
    slope = W(L + T - 2 * r, 4)
    contexts = (
        16 * c + 4 * W(r, 1) + W(at.dL, 1),
        64 * W(L - r, 3) + 8 * W(T - r, 3) + W(r, 3),
        16 * c + 4 * W(at.o - r, 1) + W(at.dT, 1),
        27 * W(at.dL, 1) + 9 * W(at.dT, 1) + 3 * W(at.dR, 1) + W(at.dC, 1),
        16 * c + 4 * W(at.d1, 1) + W(at.d2, 1),
        64 * W(L + T - C - r, 3) + 16 * W(at.E - r, 1) + 4 * W(at.S - r, 1) + W(r, 1),
        16 * c + slope,
        c,
    )
    return contexts, (c, 16 * W(r, 1) + slope)


def more_contexts(at, sign, m):
    """Contexts, more."""
    c, r, L, T = at.c, at.r, at.L, at.T
    v = r + sign * m
    k = m - 1
    t = sign * (half(L + T) - v)
    contexts = (
        16 * c + k,
        64 * k + 8 * U(L - r, 7) + U(T - r, 7),
        64 * k + 4 * W(sign * v, 7) + U(r, 3),
        16 * k + W(t, 7),
        32 * c + 4 * W(t, 3) + min(k, 3),
        16 * k + 4 * U(at.d1, 3) + U(at.d2, 3),
        32 * c + 4 * min(k, 7) + W(sign * (at.o - v), 1),
        64 * k + 8 * U(at.dL, 7) + U(at.dT, 7),
    )
    return contexts, (k, c)
