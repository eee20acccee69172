"""Delta rate on curves whose answer is known."""

import pytest

from rate_accuracy.delta import delta_rate, monotone

CURVE = [(10, 0.5), (20, 0.6), (40, 0.7), (80, 0.8)]


def test_half_the_bits_everywhere_is_minus_fifty_per_cent():
    per_cent, low, high = delta_rate([(r / 2, a) for r, a in CURVE], CURVE)
    assert per_cent == pytest.approx(-50)
    assert (low, high) == (0.5, 0.8)


def test_a_curve_against_itself_is_zero():
    assert delta_rate(CURVE, CURVE)[0] == pytest.approx(0)


def test_only_the_shared_range_counts():
    per_cent, low, high = delta_rate(CURVE, [(2 * r, a) for r, a in CURVE if a > 0.65])
    assert (low, high) == (0.7, 0.8)
    assert per_cent == pytest.approx(-50)


def test_exponential_rates_are_integrated_exactly():
    # log(rate) is linear in accuracy, so a cubic through it is exact: rates 2^(10a) and 3 * 2^(10a).
    ours = [(3 * 2 ** (10 * a), a) for a in (0.2, 0.3, 0.5, 0.6)]
    rival = [(2 ** (10 * a), a) for a in (0.1, 0.25, 0.4, 0.7)]
    assert delta_rate(ours, rival)[0] == pytest.approx(200)


@pytest.mark.parametrize("ours", [[(1, 0.1), (2, 0.2)], [(1, 0.9), (2, 0.95)], [(1, 0.6)], []])
def test_no_shared_range_is_none(ours):
    assert delta_rate(ours, CURVE) is None


def test_points_that_cost_more_for_less_are_left_out():
    assert monotone([(40, 0.7), (10, 0.5), (30, 0.45), (50, 0.7), (10, 0.4)]) == [(10, 0.5), (40, 0.7)]
