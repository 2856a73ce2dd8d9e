"""Confidence sequences: how often they are wrong at any time, and how narrow they are."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw

from backhaul.arrays import FloatArray
from backhaul.measure.confidence_sequence import (
    LEAST_SPREAD,
    SHARPEST_AT,
    estimated_spread,
    half_widths,
    known_spread,
    values_until,
)

ALPHA = 0.05
ROUNDS = 200
RUNS = 2000

Draw = Callable[[np.random.Generator, tuple[int, int]], FloatArray]
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size) * math.sqrt(3),
    "heavy tails": lambda rng, size: rng.standard_t(4, size) / math.sqrt(2),
    "skewed": lambda rng, size: (rng.gamma(4, size=size) - 4) / 2,
}
"""Values of mean 0 and standard deviation 1."""


def paths(rng: np.random.Generator, shape: str, spread: float) -> FloatArray:
    return spread * SHAPES[shape](rng, (RUNS, ROUNDS))


def known_so_far(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return number, mean and standard deviation so far of each path, the plain way."""
    n = np.arange(1, ROUNDS + 1, dtype=float)
    mean = np.cumsum(values, axis=1) / n
    squares = np.cumsum(values**2, axis=1) - n * mean**2
    return n, mean, np.sqrt(np.maximum(squares, 0) / np.maximum(n - 1, 1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0.5 * LEAST_SPREAD, LEAST_SPREAD, 3 * LEAST_SPREAD])
def test_a_gain_that_is_there_is_seldom_called_out_of_reach(shape: str, spread: float) -> None:
    """At any of 2 to 200 rounds, where the true gain is just the wished one."""
    rng = np.random.default_rng(7)
    n, mean, found = known_so_far(paths(rng, shape, spread))
    widths = [estimated_spread(n, ALPHA, each) for each in np.maximum(found, LEAST_SPREAD)]
    assert np.mean(np.any(mean + widths < 0, axis=1)) <= ALPHA + 0.01  # of chance in 2000 runs


def test_a_known_bound_on_the_spread_is_enough_whatever_the_shape() -> None:
    """Of values in an interval of two bounds, as Hoeffding has it, also if one is rare."""
    rng = np.random.default_rng(7)
    rare = np.where(rng.random((RUNS, ROUNDS)) < 0.1, 0.09, -0.01)
    n, mean, _ = known_so_far(rare)
    half = known_spread(n, ALPHA, 0.05)
    assert np.mean(np.any(mean + half < 0, axis=1)) <= ALPHA


def test_an_interval_for_one_look_would_be_wrong_far_more_often() -> None:
    """What looking after every round costs where the interval does not know of it."""
    rng = np.random.default_rng(7)
    n, mean, _ = known_so_far(paths(rng, "normal", 1.0))
    assert np.mean(np.any(mean + 1.96 / np.sqrt(n) < 0, axis=1)) > 4 * ALPHA


def test_the_normal_mixture_by_hand() -> None:
    """Howard et al. 2021, eq. 14, with the exact optimum for 20 values."""
    rho = SHARPEST_AT * 4 / (-lambertw(-(ALPHA**2) / math.e, -1).real - 1)
    n = np.array([2.0, 20.0, 200.0])
    v = 4 * n
    wanted = np.sqrt((v + rho) * np.log((v + rho) / (ALPHA**2 * rho))) / n
    np.testing.assert_allclose(known_spread(n, ALPHA, 2.0), wanted, rtol=0.02)


def test_the_estimated_one_is_where_the_mixed_likelihood_ratio_is_1_over_alpha() -> None:
    from scipy import integrate, stats

    n, spread = 12, 0.03
    (half,) = estimated_spread(np.array([float(n)]), ALPHA, np.array([spread]))
    t = half / spread * math.sqrt(n)
    density = integrate.quad(
        lambda d: stats.nct.pdf(t, n - 1, d * math.sqrt(n)) * stats.norm.pdf(d), -8, 8
    )[0]
    assert density / stats.t.pdf(t, n - 1) == pytest.approx(1 / ALPHA, rel=1e-3)


def test_few_values_say_nothing() -> None:
    assert math.isinf(half_widths([0.01], ALPHA)[0])
    assert np.isinf(half_widths([0.0] * 4, ALPHA)).all()
    assert len(half_widths([], ALPHA)) == 0


def test_equal_values_are_not_certain() -> None:
    same, noisy = half_widths([0.01] * 30, ALPHA), half_widths([0.01, 0.0] * 15, ALPHA)
    np.testing.assert_allclose(same, noisy)  # both vary by less than the least
    assert same[-1] > 0.01


@given(
    values=st.lists(st.floats(-1, 1, width=32), min_size=5, max_size=40),
    shift=st.floats(-1, 1, width=32),
    spread=st.none() | st.floats(0.01, 1),
)
def test_half_widths_do_not_depend_on_the_mean(
    values: list[float], shift: float, spread: float | None
) -> None:
    moved = [value + shift for value in values]
    np.testing.assert_allclose(
        half_widths(moved, ALPHA, spread), half_widths(values, ALPHA, spread), rtol=1e-5
    )


@pytest.mark.parametrize("spread", [None, 0.03])
def test_as_many_more_values_as_are_told_do_tell(spread: float | None) -> None:
    values = [0.03, -0.03] * 5
    more = values_until(values, 0.0, 0.02, ALPHA, spread)
    assert 5 < more < 200
    told = tell(values, int(more) + 3, spread)  # the estimate shrinks a little with n
    assert told > int(more) - 6
    assert told <= int(more) + 3


def tell(values: list[float], most: int, spread: float | None) -> int:
    """Return after how many more of the same values the gain is left out."""
    long = values + [values[k % 2] for k in range(most)]
    half = half_widths(long, ALPHA, spread)
    mean = np.cumsum(long) / np.arange(1, len(long) + 1)
    return int(np.flatnonzero(mean + half < 0.02)[0]) + 1 - len(values)


def test_what_cannot_be_told_takes_for_ever() -> None:
    nothing_to_tell: Any = values_until([0.01] * 10, -1.0, 2.0, ALPHA)
    assert nothing_to_tell == 1  # it is above -1 and below 2 at once
    assert math.isinf(values_until([0.0100, 0.0101] * 5, 0.0101, 0.0100, ALPHA))
