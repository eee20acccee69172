"""Bjontegaard delta rate: mean difference in bits at equal accuracy (VCEG-M33), by piecewise cubic interpolation (PCHIP)."""

import numpy as np
from scipy.interpolate import PchipInterpolator


def monotone(points):
    """The upper hull of (rate, accuracy) points: those where no cheaper point is at least as accurate, by rising rate."""
    best, kept = -np.inf, []
    for rate, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if accuracy > best:
            best = accuracy
            kept.append((rate, accuracy))
    return kept


def delta_rate(ours, rival):
    """Per cent of bits that `ours` needs more (below 0: fewer) than `rival`, over the accuracies that both reach.

    Points are (bits, accuracy). None where fewer than two points of either span a shared range."""
    ours, rival = monotone(ours), monotone(rival)
    if len(ours) < 2 or len(rival) < 2:
        return None
    low = max(ours[0][1], rival[0][1])
    high = min(ours[-1][1], rival[-1][1])
    if high <= low:
        return None
    areas = []
    for points in (ours, rival):
        rate, accuracy = np.log([p[0] for p in points]), [p[1] for p in points]
        areas.append(PchipInterpolator(accuracy, rate).integrate(low, high))
    return float(100 * (np.exp((areas[0] - areas[1]) / (high - low)) - 1)), low, high
