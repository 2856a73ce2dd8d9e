"""Methods of several campaigns, ranked, beside the share of images they sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from backhaul.analysis.leaderboard import leaderboard
from backhaul.analysis.png import draw
from backhaul.campaign.importing import import_run
from backhaul.campaign.run import CONTROL, Run
from backhaul.cli.commands import app
from backhaul.errors import InputError
from backhaul.measure.statistics import estimates
from tests.unit.conftest import with_tables

Point = tuple[float, float]  # ratio, recall; precision is 1


@pytest.fixture
def made(fake_run: Callable[..., Any]) -> Callable[..., Run]:
    run = import_run(fake_run(batches=2).write())

    def of(**points: Point) -> Run:
        """Return a run of two batches whose methods sent and reached these numbers."""
        rows = [
            {
                "method": label.replace("_", "-"),
                "batch": batch,
                "test_set": "common",
                "samples_transfer_ratio": ratio + (0.01 if batch else -0.01),
                "bytes_sent_total": 1000.0 * (batch + 1),
                "prec": 1.0,
                "recall": recall if batch else 0.1,
            }
            for label, (ratio, recall) in points.items()
            for batch in (0, 1)
        ]
        start = {"method": "init", "batch": None, "test_set": "common", "recall": 0.9}
        table = pd.DataFrame([start, *rows]).astype({"batch": "Int64"})
        summary = table.reindex(columns=run.summary.columns)
        return with_tables(run, summary=summary)

    return of


def f1(recall: float) -> float:
    return 2 * recall / (1 + recall)


def test_the_last_batch_counts_and_the_ratio_is_a_mean(made: Callable[..., Run]) -> None:
    finding = leaderboard({"a": {0: made(iqr=(0.3, 0.5), true_random=(0.3, 0.4))}})
    best, other = finding.table.to_dict("records")
    assert (best["run"], best["method"], best["seeds"]) == ("a", "iqr", 1)
    assert best["f1"] == pytest.approx(f1(0.5))
    assert best["ratio"] == pytest.approx(0.3)
    assert best["bytes_sent"] == 2000
    assert best["over_baseline"] == pytest.approx(f1(0.5) - f1(0.4))
    assert pd.isna(best["low"])
    assert other["method"] == "true-random"
    assert pd.isna(other["over_baseline"])


def test_a_gain_is_over_the_same_ratio_of_the_same_seed(made: Callable[..., Run]) -> None:
    """Between two ratios on a straight line, which differs from seed to seed."""
    recalls = {0: (0.2, 0.6, 0.5), 1: (0.4, 0.6, 0.6)}
    campaigns = {
        "few": {s: made(true_random=(0.1, r[0])) for s, r in recalls.items()},
        "many": {s: made(true_random=(0.5, r[1])) for s, r in recalls.items()},
        "filters": {s: made(ibt=(0.2, r[2])) for s, r in recalls.items()},
    }
    table = leaderboard(campaigns).table.set_index("method")
    expected = [f1(c) - (0.75 * f1(a) + 0.25 * f1(b)) for a, b, c in recalls.values()]
    row = table.loc["ibt"]
    assert row["over_baseline"] == pytest.approx(np.mean(expected))
    by_hand = estimates(pd.DataFrame({"of": 0, "x": expected}), ["of"], ["x"])
    assert row["gain_high"] - row["over_baseline"] == pytest.approx(by_hand.at(0, "x")[1])
    assert row["pairs"] == 2


def test_nothing_is_extrapolated_but_the_control_arm_is_the_ratio_0(
    made: Callable[..., Run],
) -> None:
    seen = made(iqr=(0.05, 0.5), normal=(0.9, 0.8), true_random=(0.4, 0.4))
    table = leaderboard({"a": {0: seen}}).table.set_index("method")
    assert table.loc[["iqr", "normal"], "over_baseline"].isna().all()
    arms: dict[str, Point] = {
        "iqr": (0.2, 0.5),
        "true_random": (0.4, 0.4),
        "no_new_data": (0, 0.2),
    }
    table = leaderboard({"a": {0: made(**arms)}}).table.set_index("method")
    halfway = (f1(0.4) + f1(0.2)) / 2
    assert table.loc["iqr", "over_baseline"] == pytest.approx(f1(0.5) - halfway)
    assert table["over_baseline"].isna()[CONTROL]


def test_a_method_that_has_not_come_so_far_is_left_out(made: Callable[..., Run]) -> None:
    """Of a run that goes on: half of a method, or a seed that has just begun."""
    whole = made(iqr=(0.3, 0.5), normal=(0.2, 0.6))
    rows = whole.summary
    half = rows[(rows["method"] != "normal") | (rows["batch"] == 0)]
    begun = rows[rows["method"] == "init"]
    runs = {i: with_tables(whole, summary=t) for i, t in enumerate((rows, half, begun))}
    table = leaderboard({"a": runs}).table.set_index("method")
    assert table["seeds"].to_dict() == {"iqr": 2, "normal": 1}
    assert table.loc["normal", "f1"] == pytest.approx(f1(0.6))


def test_equal_values_are_ranked_by_ratio(made: Callable[..., Run]) -> None:
    table = leaderboard({"a": {0: made(iqr=(0.3, 0.5), normal=(0.2, 0.5))}}).table
    assert table["method"].tolist() == ["normal", "iqr"]


def test_f1_is_0_where_nothing_was_detected(made: Callable[..., Run]) -> None:
    run = made(iqr=(0.3, 0.0))
    empty = with_tables(run, summary=run.summary.assign(prec=np.nan))
    assert leaderboard({"a": {0: empty}}).table["f1"].tolist() == [0.0]


def test_the_mean_over_classes_is_of_those_with_a_truth(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run().write())
    last = run.classes[(run.classes["test_set"] == "common") & (run.classes["batch"] == 2)]
    of_iqr = last[(last["method"] == "iqr") & (last["n_truths"] > 0)]
    prec, recall = of_iqr["prec"].fillna(0), of_iqr["recall"]
    expected = (2 * prec * recall / (prec + recall)).fillna(0).mean()
    table = leaderboard({"a": {7: run}}, "f1_mean").table.set_index("method")
    assert table.loc["iqr", "f1_mean"] == pytest.approx(expected)


def test_its_chart_has_a_line_a_method_over_all_campaigns(made: Callable[..., Run]) -> None:
    campaigns = {
        name: {s: made(iqr=(r, r + s / 10), normal=(r, 0.5)) for s in (0, 1)}
        for name, r in (("a", 0.5), ("b", 0.25))
    }
    finding = leaderboard(campaigns)
    (chart,) = finding.charts
    assert {one.name for one in chart.series} == {"iqr", "normal"}
    assert all(one.x == pytest.approx((0.25, 0.5)) for one in chart.series)
    assert draw(finding)


@pytest.mark.parametrize(
    ("metric", "test_set", "reason"),
    [
        ("f2", "common", "unknown metric 'f2'"),
        ("f1", "elsewhere", "a: nothing measured on 'elsewhere' yet"),
    ],
)
def test_what_is_not_there_is_one_line(
    made: Callable[..., Run], metric: str, test_set: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        leaderboard({"a": {0: made(iqr=(0.3, 0.5))}}, metric, test_set)


def test_the_command_ranks_campaigns_of_several_seeds(
    fake_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_run(seeds=(3, 4)).write()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["analyze", "leaderboard", "street-cameras"])
    assert result.exit_code == 0, result.output
    written = Path("runs/street-cameras/analysis/leaderboard_f1.csv")
    table = pd.read_csv(written)
    assert set(table["method"]) == {"true-random", "median-below-thresh", "iqr", CONTROL}
    assert table["seeds"].eq(2).all()
    assert table["f1"].is_monotonic_decreasing
