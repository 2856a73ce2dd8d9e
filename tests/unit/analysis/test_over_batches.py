"""Curves, single methods and comparisons of a made-up run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backhaul.analysis.compare import compare
from backhaul.analysis.curves import curves
from backhaul.analysis.method import one_method
from backhaul.analysis.png import draw
from backhaul.analysis.results import gains
from backhaul.campaign.importing import import_run
from backhaul.campaign.run import CONTROL, Run
from backhaul.errors import InputError
from tests.unit.conftest import with_tables


@pytest.fixture
def run(fake_run: Callable[..., Any]) -> Run:
    return import_run(fake_run(failed="iqr").write())


def test_compare_has_a_row_a_method_in_the_order_of_the_run(run: Run) -> None:
    table = compare(run).table
    assert table["method"].tolist() == list(run.labels)
    assert list(table) == ["method", "batch0", "batch1", "batch2"]
    rows = run.summary.query("test_set == 'common' and method == 'true-random'")
    numbers = table.set_index("method").loc["true-random"].to_numpy(float)
    np.testing.assert_allclose(numbers, rows.sort_values("batch")["mAP50"])


def test_a_method_that_failed_has_gaps(run: Run) -> None:
    finding = compare(run, aggregate="mean")
    row = finding.table[finding.table["method"] == "iqr"].iloc[0, 1:]
    assert row.isna().tolist() == [False, True, True, False]
    assert row["mean"] == row["batch0"]
    assert finding.note.endswith("Without a value for some batches: iqr.")
    draw(finding)


def test_gains_over_the_initial_model_show_it(run: Run) -> None:
    plain, gain = compare(run).table, compare(run, over_initial=True, aggregate="median").table
    assert gain["init"].eq(0.3).all()
    np.testing.assert_allclose(gain["batch0"] + gain["init"], plain["batch0"])
    medians = gain[["batch0", "batch1", "batch2"]].median(axis=1)
    np.testing.assert_allclose(gain["median"], medians)


def test_methods_can_be_kept(run: Run) -> None:
    kept = compare(run, methods=("iqr", "true-random")).table["method"]
    assert kept.tolist() == ["true-random", "iqr"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"metric": "map"}, "unknown metric 'map': expected one of mAP50, "),
        ({"test_set": "nosuch"}, "no test set 'nosuch' in summary.csv: common, "),
        ({"methods": ("nosuch",)}, "no method 'nosuch': it has true-random, "),
    ],
)
def test_what_is_not_there_is_named(run: Run, wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        compare(run, **wrong)


def test_a_test_set_without_the_initial_model_can_be_compared(run: Run) -> None:
    """It was never measured on the first new test set: there is no gain over it."""
    table = compare(run, test_set="new_test", over_initial=True).table
    assert table[["init", "batch0"]].isna().all(axis=None)
    assert compare(run, test_set="new_test").table["batch0"].notna().all()


def test_a_young_run_says_that_nothing_was_measured(fake_run: Callable[..., Any]) -> None:
    folder = fake_run().write()
    (folder / "summary.csv").unlink()
    with pytest.raises(InputError, match=r"no test set 'common' in summary\.csv: none yet"):
        compare(import_run(folder))


def test_curves_join_logs_and_rounds_by_epoch(run: Run) -> None:
    table = curves(run).table
    assert list(table.columns) == [
        "method",
        "batch",
        "epoch",
        "train_loss",
        "valid_loss",
        "valid_mAP50",
        "common_mAP50",
    ]
    log = table[(table["method"] == "true-random") & (table["batch"] == 1)]
    assert log["epoch"].tolist() == list(range(21, 31))
    np.testing.assert_allclose(
        log["train_loss"], run.losses["true-random", 1]["train_loss"].to_numpy()
    )
    evaluated = table["common_mAP50"].notna().sum()
    assert evaluated == run.summary["test_set"].eq("common").sum()


def test_curves_mark_each_batch_once_where_methods_agree(run: Run) -> None:
    loss = curves(run, metrics=("loss",)).charts[0]
    assert [(mark.x, mark.label) for mark in loss.marks] == [
        (10.5, "batch 0"),
        (20.5, "batch 1"),
        (30.5, "batch 2"),
    ]
    line = next(series for series in loss.series if series.name == "iqr")
    assert [i for i, y in enumerate(line.y) if y is None] == [10, 21]  # between trainings


def test_curves_name_methods_that_begin_elsewhere(run: Run) -> None:
    losses = dict(run.losses)
    late = losses["iqr", 1]
    losses["iqr", 1] = late.assign(epoch=late["epoch"] + 5)
    moved = with_tables(run, losses=losses)
    labels = [mark.label for mark in curves(moved, metrics=("loss",)).charts[0].marks]
    assert "batch 1: iqr" in labels
    assert any(label.startswith("batch 1: true-random") for label in labels)


def test_curves_of_a_metric_need_no_logs(run: Run) -> None:
    bare = with_tables(run, losses={})
    finding = curves(bare, metrics=("recall",), methods=("true-random",))
    assert finding.table["epoch"].tolist() == [10, 20, 30, 40]
    assert set(finding.table["method"]) == {"init", "true-random"}
    draw(finding)
    with pytest.raises(InputError, match="no training of these methods has been logged"):
        curves(bare, metrics=("loss",))


def test_one_method_shows_the_initial_model_first(run: Run) -> None:
    finding = one_method(run, "true-random")
    table = finding.table
    assert table["batch"].isna().tolist() == [True, False, False, False]
    assert table["bytes_sent_total"].tolist() == [0, 5000, 10000, 15000]
    assert finding.rows[1][0] == 0  # a whole number
    draw(finding)
    with pytest.raises(InputError, match="no method 'init'"):
        one_method(run, "init")


@pytest.mark.parametrize("over", ["initial", "control", "previous"])
def test_gains_are_differences_of_the_summary(run: Run, over: Any) -> None:
    rows = run.summary[run.summary["test_set"] == "common"]
    values = rows[rows["method"] != "init"].pivot(index="method", columns="batch")["mAP50"]
    table = gains(run, "mAP50", over)
    assert CONTROL not in table.index
    for method, batch in (("true-random", 0), ("median-below-thresh", 2)):
        before = {
            "initial": 0.3,
            "control": values.loc[CONTROL, batch],
            "previous": 0.3 if batch == 0 else values.loc[method, batch - 1],
        }[over]
        assert table.loc[method, batch] == pytest.approx(values.loc[method, batch] - before)
    assert table.isna()[table.index == "iqr"].to_numpy().tolist() == [[False, True, True]]


def test_a_run_without_control_arm_has_no_gain_over_it(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run(methods=("iqr",)).write())
    with pytest.raises(InputError, match="no control arm no-new-data"):
        gains(run, "mAP50", "control")
    assert len(gains(run, "mAP50", "initial"))
