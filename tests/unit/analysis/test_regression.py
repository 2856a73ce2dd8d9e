"""Features of samples, and the line through their gains."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from backhaul.analysis.png import draw
from backhaul.analysis.regression import fit, points, regression
from backhaul.analysis.sample import MEANINGS, Feature, features
from backhaul.campaign.importing import import_run
from backhaul.campaign.run import CONTROL, Run
from backhaul.errors import InputError
from tests.unit.conftest import with_tables


@pytest.fixture
def run(fake_run: Callable[..., Any]) -> Run:
    return import_run(fake_run().write())


def test_every_feature_has_a_meaning() -> None:
    assert set(get_args(Feature)) == set(MEANINGS)


def test_features_are_those_of_the_images_sent(run: Run) -> None:
    table = features(run)
    assert set(table["method"]) == set(run.labels) - {CONTROL}
    one = next(r for r in run.batches if (r.method, r.batch) == ("iqr", 1))
    row = table[(table["method"] == "iqr") & (table["batch"] == 1)].iloc[0]
    seen = [s for s in one.seen.to_dict("records") if s["file"] in one.sent and s["detected"]]
    conf = [s["conf"] for s in seen]
    assert row["mean_conf"] == pytest.approx(np.mean(conf))
    assert row["median_conf"] == pytest.approx(np.median(conf))
    assert row["std_conf"] == pytest.approx(np.std(conf, ddof=1))
    assert row["mean_conf_std"] == pytest.approx(0.1)
    assert row["detections_per_image"] == pytest.approx(len(seen) / 5)
    assert row["undetected_share"] == pytest.approx(1 - len({s["file"] for s in seen}) / 5)
    assert row["hit_rate"] == pytest.approx(np.mean([bool(s["hit"]) for s in seen]))
    assert row["mean_bytes"] == 1000
    assert row["images_sent"] == 5
    counts = np.unique([s["detected"] for s in seen], return_counts=True)[1]
    assert row["class_balance"] == pytest.approx(stats.entropy(counts, base=3))


def test_what_is_undefined_is_missing(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run(truth=False, batches=1, class_names=("cat",)).write())
    blind = [replace(r, seen=r.seen.iloc[:0]) for r in run.batches]
    table = features(with_tables(run, batches=tuple(blind)))
    assert table["undetected_share"].eq(1).all()
    assert table[["mean_conf", "hit_rate", "class_balance"]].isna().all(axis=None)
    seeing = features(run)
    assert seeing["hit_rate"].isna().all()
    assert seeing["mean_conf"].notna().all()


@given(
    st.lists(
        st.tuples(st.floats(-10, 10, width=32), st.floats(-10, 10, width=32)),
        min_size=3,
        max_size=20,
    ).filter(lambda xy: np.ptp(xy, axis=0).min() > 0.1)
)
def test_the_line_is_that_of_least_squares(xy: list[tuple[float, float]]) -> None:
    """Against the normal equations, and the variance of the slope by hand."""
    x, y = np.array(xy).T
    line = fit(x, y)
    design = np.stack([np.ones_like(x), x], axis=1)
    (intercept, slope), *_ = np.linalg.lstsq(design, y, rcond=None)
    assert line.slope == pytest.approx(slope, abs=1e-6)
    assert line.intercept == pytest.approx(intercept, abs=1e-6)
    left = y - intercept - slope * x
    stderr = np.sqrt((left**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
    reach = stats.t.isf(0.025, len(x) - 2) * stderr
    assert line.slope_high - line.slope == pytest.approx(reach, rel=1e-4, abs=1e-4)
    assert line.slope_low <= line.slope <= line.slope_high
    assert 0 <= line.r2 <= 1 + 1e-9
    assert 0 <= line.p_value <= 1


def test_p_value_and_interval_agree() -> None:
    """The interval leaves out 0 exactly where p is below 5 %."""
    rng = np.random.default_rng(0)
    decided = set()
    for steepness in np.linspace(0, 2, 40):
        x = rng.normal(size=8)
        line = fit(x, steepness * x + rng.normal(size=8))
        significant = line.p_value < 0.05
        assert significant == (not line.slope_low <= 0 <= line.slope_high)
        decided.add(significant)
    assert decided == {True, False}


@pytest.mark.parametrize(
    ("x", "reason"),
    [([1.0, 2.0], "2 points, expected at least 3"), ([0.5] * 4, "is 0.5 at all 4 points")],
)
def test_what_has_no_line_is_refused(x: list[float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        fit(np.array(x), np.arange(len(x), dtype=float))


def test_a_gain_that_all_share_is_refused() -> None:
    with pytest.raises(InputError, match=r"the gain is 0\.25 at all 3 points"):
        fit(np.arange(3.0), np.full(3, 0.25))


def test_points_by_method_join_mean_feature_and_last_gain(run: Run) -> None:
    table = points(run, "mean_conf", "initial", "mAP50", "common", "method")
    assert table["method"].tolist() == ["true-random", "median-below-thresh", "iqr"]
    np.testing.assert_allclose(table["gain"], [0.09, 0.12, 0.15])
    expected = features(run).groupby("method")["mean_conf"].mean()
    np.testing.assert_allclose(table["feature"], expected[table["method"]])


def test_gains_over_the_batch_before_are_averaged(run: Run) -> None:
    table = points(run, "mean_conf", "previous", "mAP50", "common", "method")
    np.testing.assert_allclose(table["gain"], [0.03, 0.04, 0.05])


def test_a_failed_method_gives_the_points_it_has(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run(failed="iqr").write())
    table = points(run, "mean_conf", "initial", "mAP50", "common", "batch")
    assert table["method"].value_counts().to_dict() == {
        "true-random": 3,
        "median-below-thresh": 3,
        "iqr": 1,
    }


def test_points_of_several_runs_are_pooled(run: Run) -> None:
    finding = regression([run, run], "mean_conf", "control", by="batch")
    row = finding.table.iloc[0]
    assert row["n"] == 18
    one = regression([run], "mean_conf", "control", by="batch").table.iloc[0]
    assert row["slope"] == pytest.approx(one["slope"])
    assert row["p_value"] < one["p_value"]
    assert "iqr 2" in finding.charts[0].series[0].labels
    draw(finding)


def test_a_feature_that_all_share_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="the feature is 5 at all 3 points"):
        regression([run], "images_sent", "initial")


def test_a_run_without_truth_has_no_hit_rate(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run(truth=False).write())
    with pytest.raises(InputError, match="0 points, expected at least 3"):
        regression([run], "hit_rate", "initial")
