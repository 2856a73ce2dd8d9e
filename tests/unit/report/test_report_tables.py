"""The numbers of the page, against numbers worked out by hand."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.campaign.run import TimingRow
from backhaul.measure.names import RANKED
from backhaul.report.tables import (
    COMPARED,
    best_method,
    class_balance,
    comparison,
    confidence_counts,
    curves,
    forgetting,
    gains,
    initial,
    per_class,
    stage_times,
    time_by_method,
)


def summary(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Build rows of (method, batch, test_set, images_total, bytes_total, mAP50)."""
    names = ["method", "batch", "test_set", "images_sent_total", "bytes_sent_total", "mAP50"]
    table = pd.DataFrame(rows, columns=names)
    others = [name for name in (*COMPARED, *RANKED) if not name.startswith("gain_")]
    table = table.reindex(columns=list(dict.fromkeys([*names, *others]))).assign(seed=0)
    return table.assign(
        mAP50=table["mAP50"].astype(float), **{"mAP50-95": table["mAP50"].astype(float) / 2}
    )


CAMPAIGN = summary(
    ("init", None, "common", 0, 0, 0.40),
    ("init", None, "old_test", 0, 0, 0.50),
    ("no-new-data", 1, "common", 0, 0, 0.41),
    ("no-new-data", 2, "common", 0, 0, 0.43),
    ("true-random", 1, "common", 10, 1000, 0.45),
    ("true-random", 2, "common", 20, 2000, 0.55),
    ("iqr", 1, "common", 10, 600, 0.50),
    ("iqr", 2, "common", 20, 1500, 0.60),
    ("iqr", 2, "old_test", 20, 1500, 0.45),
    ("iqr", 2, "next_batch", 20, 1500, 0.99),
    ("stopped", 1, "common", 12, 900, 0.70),
    ("stopped", 1, "old_test", 12, 900, 0.56),
)


def values(table: Any, column: str = "mAP50") -> dict[Any, float]:
    """Return one column by what names its rows."""
    return dict(table[column])


def test_gains() -> None:
    table = gains(CAMPAIGN).set_index("method")
    columns = ["images_sent_total", "bytes_sent_total", "mAP50", "mAP50-95"]
    numbers = table[[*columns, "gain_init", "gain_control", "gain_random"]]
    expected = {
        "no-new-data": [0, 0, 0.43, 0.215, 0.03, 0.00, -0.12],
        "true-random": [20, 2000, 0.55, 0.275, 0.15, 0.12, 0.00],
        "iqr": [20, 1500, 0.60, 0.300, 0.20, 0.17, 0.05],
        "stopped": [12, 900, 0.70, 0.350, 0.30, 0.29, 0.25],  # over the others' batch 1
    }
    assert set(table.index) == set(expected)
    for label, row in expected.items():
        np.testing.assert_allclose(numbers.loc[label].to_numpy(dtype=float), row, atol=1e-12)


def test_comparison_ranks_by_map() -> None:
    compared = comparison(CAMPAIGN)
    assert list(compared.mean.index) == ["stopped", "iqr", "true-random", "no-new-data"]
    assert compared.at("iqr", "gain_random")[0] == pytest.approx(0.05)
    assert compared.half_width.isna().all(axis=None)  # one seed has no interval


def test_gains_over_an_arm_that_was_not_run_are_null() -> None:
    table = gains(CAMPAIGN[~CAMPAIGN["method"].isin(["no-new-data", "true-random"])])
    assert table["gain_control"].isna().all()
    assert table["gain_random"].isna().all()
    assert table["gain_init"].notna().all()


def test_gains_find_a_random_arm_by_its_label() -> None:
    renamed = CAMPAIGN.replace({"method": {"true-random": "baseline"}})
    assert gains(renamed)["gain_random"].isna().all()
    iqr = gains(renamed, random="baseline").set_index("method").loc["iqr"]
    assert iqr["gain_random"] == pytest.approx(0.05)


def test_a_null_map_ranks_last_and_has_no_gain() -> None:
    compared = comparison(
        summary(
            ("init", None, "common", 0, 0, 0.1),
            ("a", 1, "common", 1, 1, None),
            ("b", 1, "common", 1, 1, 0.0),
        )
    )
    assert list(compared.mean.index) == ["b", "a"]
    assert math.isnan(compared.at("a", "gain_init")[0])


def test_a_run_without_finished_batches_compares_nothing() -> None:
    for young in (CAMPAIGN.head(2), CAMPAIGN.head(0)):
        assert len(gains(young)) == 0
        assert len(comparison(young).mean) == 0
        assert len(forgetting(young).mean) == 0


def best(table: pd.DataFrame) -> str | None:
    return best_method(comparison(table))


def test_best_method_came_as_far_as_any_and_is_not_the_control() -> None:
    assert best(CAMPAIGN) == "iqr"
    assert best(CAMPAIGN[CAMPAIGN["method"].isin(["init", "no-new-data"])]) is None
    assert best(CAMPAIGN.assign(mAP50=math.nan)) is None


def with_seeds(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [table.assign(seed=seed) for seed, table in enumerate(tables)], ignore_index=True
    )


def moved(by: dict[str, float]) -> pd.DataFrame:
    """Return the campaign with mAP50 of some methods moved."""
    return CAMPAIGN.assign(mAP50=CAMPAIGN["mAP50"] + CAMPAIGN["method"].map(by).fillna(0.0))


def test_gains_are_paired_by_seed() -> None:
    both = {"iqr": 0.1, "true-random": 0.1, "init": 0.02}
    seeds = with_seeds(CAMPAIGN, moved(both), moved({k: -v for k, v in both.items()}))
    compared = comparison(seeds)
    mean, half_width = compared.at("iqr", "mAP50")
    assert mean == pytest.approx(0.60)
    assert half_width == pytest.approx(4.302652729911275 * 0.1 / math.sqrt(3))
    assert compared.at("iqr", "gain_random") == pytest.approx((0.05, 0.0), abs=1e-9)
    assert compared.at("iqr", "gain_init")[1] == pytest.approx(
        4.302652729911275 * 0.08 / math.sqrt(3)
    )


def test_seeds_that_have_not_come_there_yet_are_left_out() -> None:
    iqr_late = CAMPAIGN[(CAMPAIGN["method"] != "iqr") | (CAMPAIGN["batch"] != 2)]
    compared = comparison(with_seeds(CAMPAIGN, iqr_late, CAMPAIGN))
    assert compared.n.loc["iqr", "mAP50"] == 2
    assert compared.n.loc["true-random", "mAP50"] == 3
    assert compared.at("iqr", "mAP50")[0] == pytest.approx(0.60)
    assert best_method(compared) == "true-random"  # iqr has not been played as often


def test_initial() -> None:
    assert initial(CAMPAIGN)["mAP50"].tolist() == [0.40]
    assert initial(CAMPAIGN, test_set="old_test")["mAP50"].tolist() == [0.50]
    assert initial(CAMPAIGN, test_set="mix_test").empty


def points(table: pd.DataFrame) -> Any:
    return curves(table).mean[["images_sent_total", "bytes_sent_total", "mAP50"]]


def test_curves_start_with_the_initial_model() -> None:
    table = points(CAMPAIGN)
    assert table.loc[("iqr", -1)].tolist() == [0, 0, 0.40]
    assert table.loc[("iqr", 2)].tolist() == [20, 1500, 0.60]
    assert len(table) == 4 + 7


def test_curve_of_the_control_stands_at_the_mean_of_the_others() -> None:
    table = points(CAMPAIGN)
    one, two = table.loc[("no-new-data", 1)], table.loc[("no-new-data", 2)]
    assert one["images_sent_total"] == pytest.approx(32 / 3)
    assert one["bytes_sent_total"] == pytest.approx(2500 / 3)
    assert two.tolist() == [20, 1750, 0.43]


def test_curves_of_batches_numbered_from_zero() -> None:
    iqr = points(CAMPAIGN.assign(batch=CAMPAIGN["batch"] - 1)).loc["iqr"]
    assert iqr.index.tolist() == [-1, 0, 1]
    assert iqr["images_sent_total"].tolist() == [0, 10, 20]


def test_curve_of_a_lone_control_stands_at_zero() -> None:
    table = points(CAMPAIGN[CAMPAIGN["method"].isin(["init", "no-new-data"])])
    assert table["images_sent_total"].tolist() == [0, 0, 0]


def test_curves_of_seeds_are_means_with_intervals() -> None:
    heavier = moved({"iqr": 0.04}).assign(bytes_sent_total=CAMPAIGN["bytes_sent_total"] * 3)
    table = curves(with_seeds(CAMPAIGN, heavier))
    assert table.at(("iqr", 2), "bytes_sent_total")[0] == 3000
    assert table.at(("no-new-data", 2), "bytes_sent_total")[0] == 3500
    mean, half_width = table.at(("iqr", 2), "mAP50")
    assert mean == pytest.approx(0.62)
    assert half_width == pytest.approx(12.706204736432095 * 0.02)  # t of one degree of freedom
    assert table.at(("iqr", -1), "mAP50") == pytest.approx((0.40, 0.0))


def test_forgetting() -> None:
    change = forgetting(CAMPAIGN)
    assert values(change.mean, "change") == pytest.approx(
        {("iqr", 2): -0.05, ("stopped", 1): 0.06}
    )
    both = forgetting(with_seeds(CAMPAIGN, moved({"iqr": 0.02, "init": 0.02})))
    assert both.at(("iqr", 2), "change") == pytest.approx((-0.05, 0.0))


def test_forgetting_is_since_the_best_model_before() -> None:
    rows: list[tuple[object, ...]] = [("init", None, "old_test", 0, 0, 0.5)]
    rows += [("iqr", b, "old_test", 0, 0, s) for b, s in enumerate((0.6, 0.4, None, 0.7))]
    rows += [("iqr2", 0, "old_test", 0, 0, 0.3)]  # knows nothing of the other one
    found = forgetting(summary(*rows)).mean
    forgotten = [found["forgotten"][("iqr", batch)] for batch in range(4)]
    assert forgotten == pytest.approx([-0.1, 0.2, math.nan, -0.1], nan_ok=True)
    assert found["forgotten"][("iqr2", 0)] == pytest.approx(0.2)
    assert values(found, "mAP50")[("iqr", 3)] == 0.7
    both = with_seeds(summary(*rows), summary(*rows[:2]))
    assert forgetting(both).mean["forgotten"][("iqr", 1)] == pytest.approx(0.2)


def test_per_class_takes_the_last_batch_on_the_common_set() -> None:
    rows = pd.DataFrame(
        [
            ("init", None, "common", "cat", 0.1, 9),
            ("iqr", 1, "common", "cat", 0.2, 9),
            ("iqr", 2, "common", "cat", 0.3, 9),
            ("iqr", 2, "common", "dog", 0.4, 7),
            ("iqr", 2, "old_test", "dog", 0.9, 8),
        ],
        columns=["method", "batch", "test_set", "class", "mAP50", "n_truths"],
    ).astype({"batch": "Int64"})
    results = per_class(rows.assign(seed=0))
    assert values(results.mean) == {
        ("cat", "init"): 0.1,
        ("cat", "iqr"): 0.3,
        ("dog", "iqr"): 0.4,
    }
    assert results.mean["n_truths"].tolist() == [9, 9, 7]
    assert results.half_width["mAP50"].isna().all()
    twice = per_class(with_seeds(rows, rows))
    assert twice.at(("dog", "iqr"), "mAP50") == pytest.approx((0.4, 0.0))


def seen(*rows: tuple[str | None, str | None, bool]) -> pd.DataFrame:
    """Build rows of (detected, actual, sent)."""
    table = pd.DataFrame(rows, columns=["detected", "actual", "sent"])
    return table.astype({"detected": object, "actual": object, "sent": bool})


def test_class_balance_counts_true_objects() -> None:
    table: Any = class_balance(
        seen(
            ("cat", "cat", True),
            ("cat", "dog", True),
            (None, "dog", False),
            (None, "dog", False),
            ("cat", None, True),
        )
    )
    assert table.loc["cat"].tolist() == [1, 1, 0.25, 0.5]
    assert table.loc["dog"].tolist() == [3, 1, 0.75, 0.5]


def test_class_balance_counts_predictions_where_there_is_no_truth() -> None:
    table: Any = class_balance(seen(("cat", None, False), ("dog", None, False)))
    assert table["pool"].to_dict() == {"cat": 1, "dog": 1}
    assert table["sent_share"].isna().all()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cat", "dog", None]),
            st.sampled_from(["cat", "dog", None]),
            st.booleans(),
        )
    )
)
def test_class_balance_shares(rows: list[tuple[str | None, str | None, bool]]) -> None:
    table: Any = class_balance(seen(*rows))
    assert (table["sent"] <= table["pool"]).all()
    for where in ("pool", "sent"):
        if table[where].sum():
            assert table[f"{where}_share"].sum() == pytest.approx(1)


@given(st.lists(st.floats(0, 1)))
def test_confidence_counts_lose_nothing(values: list[float]) -> None:
    counts = confidence_counts(pd.Series(values, dtype=float))
    assert counts.shape == (20,)
    assert counts.sum() == len(values)


def test_confidence_counts_close_at_one() -> None:
    counts = confidence_counts(pd.Series([0.0, 0.049, 0.5, 1.0, math.nan]))
    assert {i: n for i, n in enumerate(counts.tolist()) if n} == {0: 2, 10: 1, 19: 1}


def test_stage_times_keep_cached_apart() -> None:
    table: Any = stage_times(
        [
            TimingRow(stage="training", seconds=10, cached=False),
            TimingRow(stage="inference", seconds=3, cached=False),
            TimingRow(stage="training", seconds=20, cached=False),
            TimingRow(stage="inference", seconds=0.5, cached=True),
        ]
    )
    assert table.index.tolist() == ["training", "inference"]
    assert table.loc["training"].tolist() == [2, 30, 0, 0]
    assert table.loc["inference"].tolist() == [1, 3, 1, 0.5]


def test_time_by_method_keeps_what_is_shared_and_what_is_cached_apart() -> None:
    table: Any = time_by_method(
        [
            TimingRow(stage="training", method="init", seconds=10, cached=False),
            TimingRow(stage="split", seconds=1, cached=False),
            TimingRow(stage="training", method="iqr", seconds=20, cached=False),
            TimingRow(stage="training", method="iqr", batch=1, seconds=5, cached=False),
            TimingRow(stage="training", method="iqr", seconds=3, cached=True),
        ]
    )
    assert table.index.tolist() == ["training", "split"]
    assert table.loc["training"].to_dict() == {"all methods": 10, "iqr": 25}
    assert table.loc["split"].to_dict() == {"all methods": 1, "iqr": 0}
    assert time_by_method([]).empty
