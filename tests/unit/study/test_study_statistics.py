"""What rows of a study show, against values worked out by hand and against simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backhaul.study.statistics import (
    detectable_mean,
    effect,
    holm,
    images_until,
    levels,
    over_budgets,
    t_interval,
    wins,
)


def test_an_effect_by_hand() -> None:
    found = effect([0.01, 0.02, 0.03, 0.04])  # s = .012910, t(.975, 3) = 3.182446
    assert found.mean == pytest.approx(0.025)
    assert (found.low, found.high) == pytest.approx((0.004457, 0.045543), abs=1e-6)
    assert found.p == pytest.approx(stats.ttest_1samp([0.01, 0.02, 0.03, 0.04], 0).pvalue)
    assert found.wilcoxon == pytest.approx(2 / 2**4)  # all of four signs are positive
    assert found.low < found.bca[0] < found.mean < found.bca[1] < found.high
    assert effect([0.01, 0.02, 0.03, 0.04]) == found


def test_few_or_equal_seeds_have_no_intervals() -> None:
    assert math.isnan(effect([]).mean)
    one = effect([0.3])
    assert (one.mean, one.n) == (0.3, 1)
    assert all(map(math.isnan, (one.low, one.high, one.p, *one.bca, one.detectable)))
    equal = effect([0.1, 0.1, 0.1])
    assert equal.mean == pytest.approx(0.1)
    assert all(map(math.isnan, (equal.low, equal.high, equal.p, equal.detectable)))
    same = effect([0.0, 0.0, 0.0])
    assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)
    assert all(map(math.isnan, (*same.bca, same.wilcoxon)))


def test_the_t_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    n, truth = 12, 0.03
    values = rng.normal(truth, 0.05, size=(2_000, n))
    intervals = [t_interval(study) for study in values]
    covered = [low <= truth <= high for low, high in intervals]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_the_detectable_effect_is_found_with_its_power() -> None:
    n, spread = 12, 0.05
    least = detectable_mean(spread, n)
    assert least == pytest.approx(0.0443, abs=2e-4)  # d = .886 for 12 pairs: G*Power 3.1
    rng = np.random.default_rng(5)
    values = rng.normal(least, spread, size=(4_000, n))
    found = stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.02)
    assert detectable_mean(0.0, 5) == 0.0


def test_holm_by_hand() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "e": math.nan})
    assert math.isnan(adjusted.pop("e"))
    assert adjusted == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}


def table(*rows: tuple[int, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["seed", "arm", "budget", "map50"])


def test_draws_and_retrainings_are_means_within_a_seed() -> None:
    rows = table(
        (0, "random", "images=5", 0.2),
        (0, "random", "images=5", 0.4),
        (0, "random", "images=9", 0.5),
        (0, "iqr", "images=5", 0.5),
        (0, "iqr", "images=9", 0.7),
        (1, "random", "images=5", 0.1),
        (1, "random", "images=9", 0.1),
        (1, "all-images", "", 0.8),
    )
    by_arm = over_budgets(levels(rows))
    assert by_arm["random"].tolist() == pytest.approx([0.4, 0.1])
    assert by_arm["iqr"].tolist() == pytest.approx([0.6, math.nan], nan_ok=True)
    assert by_arm["all-images"].tolist() == pytest.approx([math.nan, 0.8], nan_ok=True)


def test_wins_count_seeds_that_have_both() -> None:
    by_arm = pd.DataFrame(
        {"a": [0.5, 0.5, 0.3, 0.9], "b": [0.4, 0.5, 0.2, np.nan], "c": [np.nan] * 4}
    )
    found = wins(by_arm)
    assert found["a"].tolist() == pytest.approx([math.nan, 0.5 / 3, math.nan], nan_ok=True)
    assert found["b"].tolist() == pytest.approx([2.5 / 3, math.nan, math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("map50", "expected"),
    [
        ([0.30, 0.31, 0.40], 10.0),
        ([0.30, 0.305, 0.315], 15.0),
        ([0.30, 0.29, 0.33], 10 + 10 * 0.02 / 0.04),
        ([0.30, 0.305, 0.309], math.nan),
        ([0.30, 0.20, 0.10], math.nan),
    ],
)
def test_images_until_a_gain_are_read_off_the_measured_curve(
    map50: list[float], expected: float
) -> None:
    assert images_until([0, 10, 20], map50) == pytest.approx(expected, nan_ok=True)
