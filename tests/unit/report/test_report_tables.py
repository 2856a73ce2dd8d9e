"""The numbers of the page, against numbers worked out by hand."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.report import gains
from backhaul.report.tables import (
    best_method,
    class_balance,
    confidence_counts,
    curves,
    forgetting,
    initial,
    per_class,
    stage_times,
)
from backhaul.rundata import TimingRecord


def summary(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Build rows of (method, batch, test_set, images_total, bytes_total, mAP50)."""
    names = ["method", "batch", "test_set", "images_sent_total", "bytes_sent_total", "mAP50"]
    table = pd.DataFrame(rows, columns=names)
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


def test_gains() -> None:
    table = gains(CAMPAIGN)
    assert list(table.columns) == [
        "method",
        "images_sent_total",
        "bytes_sent_total",
        "mAP50",
        "mAP50-95",
        "gain_init",
        "gain_control",
        "gain_random",
    ]
    assert table["method"].tolist() == ["stopped", "iqr", "true-random", "no-new-data"]
    numbers = table.drop(columns="method").to_numpy(dtype=float)
    expected = [
        [12, 900, 0.70, 0.350, 0.30, 0.29, 0.25],  # against the other arms' batch 1
        [20, 1500, 0.60, 0.300, 0.20, 0.17, 0.05],
        [20, 2000, 0.55, 0.275, 0.15, 0.12, 0.00],
        [0, 0, 0.43, 0.215, 0.03, 0.00, -0.12],
    ]
    np.testing.assert_allclose(numbers, expected, atol=1e-12)


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
    table = gains(
        summary(
            ("init", None, "common", 0, 0, 0.1),
            ("a", 1, "common", 1, 1, None),
            ("b", 1, "common", 1, 1, 0.0),
        )
    )
    assert table["method"].tolist() == ["b", "a"]
    assert math.isnan(table["gain_init"][1])


def test_gains_of_a_run_without_finished_batches_are_empty() -> None:
    assert len(gains(CAMPAIGN.head(2))) == 0
    assert len(gains(CAMPAIGN.head(0))) == 0


def test_best_method_came_as_far_as_any_and_is_not_the_control() -> None:
    assert best_method(CAMPAIGN) == "iqr"
    assert best_method(CAMPAIGN[CAMPAIGN["method"].isin(["init", "no-new-data"])]) is None
    assert best_method(CAMPAIGN.assign(mAP50=math.nan)) is None


def test_initial() -> None:
    assert initial(CAMPAIGN) == 0.40
    assert initial(CAMPAIGN, test_set="old_test") == 0.50
    assert math.isnan(initial(CAMPAIGN, test_set="mix_test"))


def test_curves_start_with_the_initial_model() -> None:
    table: Any = curves(CAMPAIGN, "mAP50").set_index(["method", "batch"])
    assert table.loc[("iqr", -1)].tolist() == [0, 0, 0.40]
    assert table.loc[("iqr", 2)].tolist() == [20, 1500, 0.60]
    assert len(table) == 4 + 7


def test_curve_of_the_control_stands_at_the_mean_of_the_others() -> None:
    table: Any = curves(CAMPAIGN, "mAP50").set_index(["method", "batch"])
    one, two = table.loc[("no-new-data", 1)], table.loc[("no-new-data", 2)]
    assert one["images"] == pytest.approx(32 / 3)
    assert one["bytes"] == pytest.approx(2500 / 3)
    assert two.tolist() == [20, 1750, 0.43]


def test_curves_of_batches_numbered_from_zero() -> None:
    table = curves(CAMPAIGN.assign(batch=CAMPAIGN["batch"] - 1), "mAP50")
    iqr = table[table["method"] == "iqr"]
    assert iqr["batch"].tolist() == [-1, 0, 1]
    assert iqr["images"].tolist() == [0, 10, 20]


def test_curve_of_a_lone_control_stands_at_zero() -> None:
    table: Any = curves(CAMPAIGN[CAMPAIGN["method"].isin(["init", "no-new-data"])], "mAP50")
    assert table["images"].tolist() == [0, 0, 0]


def test_forgetting() -> None:
    table: Any = forgetting(CAMPAIGN)
    assert table.loc["iqr", 2] == pytest.approx(-0.05)
    assert table.loc["stopped", 1] == pytest.approx(0.06)
    assert math.isnan(table.loc["iqr", 1])


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
    table: Any = per_class(rows, ("dog", "cat", "emu"))
    assert table.index.tolist() == ["dog", "cat", "emu"]
    assert table["iqr"].tolist()[:2] == [0.4, 0.3]
    assert table["n_truths"].tolist()[:2] == [7, 9]
    assert math.isnan(table.loc["dog", "init"])
    assert table.loc["emu"].isna().all()


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
            TimingRecord(stage="training", seconds=10, cached=False),
            TimingRecord(stage="inference", seconds=3, cached=False),
            TimingRecord(stage="training", seconds=20, cached=False),
            TimingRecord(stage="inference", seconds=0.5, cached=True),
        ]
    )
    assert table.index.tolist() == ["training", "inference"]
    assert table.loc["training"].tolist() == [2, 30, 0, 0]
    assert table.loc["inference"].tolist() == [1, 3, 1, 0.5]
