"""Means and intervals against SciPy's own, and against what an interval promises."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from backhaul.measure.statistics import CONFIDENCE, estimates

scores = st.lists(st.floats(-1, 1), min_size=2, max_size=12)


def table(**groups: list[float]) -> pd.DataFrame:
    rows = [(name, value) for name, values in groups.items() for value in values]
    return pd.DataFrame(rows, columns=["method", "mAP50"])


@given(scores)
def test_interval_is_that_of_a_t_test(values: list[float]) -> None:
    assume(np.std(values) > 1e-6)
    found = estimates(table(a=values), ["method"], ["mAP50"])
    mean, half_width = found.at("a", "mAP50")
    independent = stats.ttest_1samp(values, 0.0).confidence_interval(CONFIDENCE)
    assert (mean - half_width, mean + half_width) == pytest.approx(independent, abs=1e-12)
    assert found.n.loc["a", "mAP50"] == len(values)


@given(scores, scores)
def test_paired_difference_is_that_of_a_paired_t_test(a: list[float], b: list[float]) -> None:
    n = min(len(a), len(b))
    gain = np.subtract(a[:n], b[:n])
    assume(gain.std() > 1e-6)
    mean, half_width = estimates(table(a=list(gain)), ["method"], ["mAP50"]).at("a", "mAP50")
    independent = stats.ttest_rel(a[:n], b[:n]).confidence_interval(CONFIDENCE)
    assert (mean - half_width, mean + half_width) == pytest.approx(independent, abs=1e-12)


def test_two_values() -> None:
    found = estimates(table(a=[0.40, 0.44]), ["method"], ["mAP50"])
    assert found.at("a", "mAP50") == pytest.approx((0.42, 12.7062047 * 0.02))


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    found = estimates(table(a=[0.4], b=[math.nan], c=[0.4, math.nan]), ["method"], ["mAP50"])
    assert found.at("a", "mAP50")[0] == found.at("c", "mAP50")[0] == 0.4
    assert found.half_width["mAP50"].isna().all()
    assert math.isnan(found.at("b", "mAP50")[0])
    assert found.n["mAP50"].tolist() == [1, 0, 1]


def test_equal_values_are_certain() -> None:
    assert estimates(table(a=[0.5] * 3), ["method"], ["mAP50"]).at("a", "mAP50") == (0.5, 0.0)


def test_groups_keep_their_order() -> None:
    found = estimates(table(b=[1.0], a=[2.0]), ["method"], ["mAP50"])
    assert found.mean.index.tolist() == ["b", "a"]


def test_intervals_cover_as_often_as_they_promise() -> None:
    rng = np.random.default_rng(0)
    drawn = pd.DataFrame(
        {"try": np.repeat(np.arange(4000), 3), "value": rng.normal(0.3, 0.1, 12_000)}
    )
    found = estimates(drawn, ["try"], ["value"])
    covered = (found.mean["value"] - 0.3).abs() <= found.half_width["value"]
    assert covered.mean() == pytest.approx(CONFIDENCE, abs=0.015)
