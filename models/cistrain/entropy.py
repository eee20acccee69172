"""An estimate of the bytes of a clip for development; figures in reports come from the real coder.

Symbols are binarised (changed? sign, unary magnitude) and every decision is charged what an adaptive binary coder with
Krichevsky-Trofimov counts per context would spend, learning included. The real coder mixes several such models.
"""

import numpy as np
from scipy.special import gammaln


class Ledger:
    """Counts of zeros and ones per context, and what coding them adaptively costs."""

    def __init__(self):
        self.counts: dict[str, np.ndarray] = {}

    def add(self, name: str, size: int, context: np.ndarray, bit: np.ndarray) -> None:
        table = self.counts.setdefault(name, np.zeros((size, 2)))
        np.add.at(table, (context.ravel(), bit.ravel().astype(int)), 1)

    def bits(self) -> float:
        total = 0.0
        for table in self.counts.values():
            n0, n1 = table[:, 0], table[:, 1]
            total += (gammaln(n0 + n1 + 1) - gammaln(n0 + 0.5) - gammaln(n1 + 0.5) + np.log(np.pi)).sum()
        return total / np.log(2)


def clip_bits(symbols: np.ndarray, key_interval: int = 0, primer: np.ndarray | None = None) -> float:
    """Bits of a clip [frames, c, h, w]; `primer` is a clip that the counts have already learned from."""
    ledger = Ledger()
    if primer is not None:
        _count(ledger, primer, key_interval)
    before = ledger.bits()
    _count(ledger, symbols, key_interval)
    return ledger.bits() - before


def _count(ledger: Ledger, symbols: np.ndarray, key_interval: int) -> None:
    for i, frame in enumerate(symbols.astype(np.int64)):
        key = i == 0 or (key_interval > 0 and i % key_interval == 0)
        _frame(ledger, frame, np.zeros_like(frame) if key else symbols[i - 1].astype(np.int64), key)


def _frame(ledger: Ledger, q: np.ndarray, reference: np.ndarray, key: bool) -> None:
    channels = q.shape[0]
    delta = q - reference
    size = np.abs(delta)
    around = _shift(size, 0, 1) + _shift(size, 1, 0) + _shift(size, 1, -1)
    before = np.cumsum(size > 0, 0) - (size > 0)
    before = np.searchsorted([1, 2, 4, 8, 16], before, side="right")
    channel = np.broadcast_to(np.arange(channels)[:, None, None], q.shape)
    busy = np.searchsorted([1, 2, 3, 5, 9], around, side="right")
    plane = f"{'key' if key else 'inter'}"
    ledger.add(f"{plane} changed", channels * 36, (channel * 6 + busy) * 6 + before, size > 0)
    moved = size > 0
    towards = np.sign(reference)[moved] + 1
    ledger.add(f"{plane} sign", channels * 3, channel[moved] * 3 + towards, delta[moved] > 0)
    rest, where = size[moved] - 1, (channel * 6 + busy)[moved]
    for k in range(20):
        more = rest > k
        ledger.add(f"{plane} size {k}", channels * 6, where, more)
        rest, where = rest[more], where[more]
    if rest.size:
        ledger.add(f"{plane} escape", 1, np.zeros(rest.size * 16, int), np.arange(rest.size * 16) % 2)


def _shift(a: np.ndarray, down: int, right: int) -> np.ndarray:
    """The array moved by whole positions on its last two axes, zero filled: the neighbour above or to the left."""
    out = np.zeros_like(a)
    h, w = a.shape[-2:]
    out[..., down:, max(right, 0) : w + min(right, 0)] = a[..., : h - down, max(-right, 0) : w - max(right, 0)]
    return out
