"""Findings on real runs, computed again from the CSV files of the run with pandas alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backhaul.analysis.classes import by_class
from backhaul.analysis.compare import compare
from backhaul.analysis.curves import curves
from backhaul.analysis.histogram import histogram
from backhaul.analysis.method import one_method
from backhaul.analysis.regression import points, regression
from backhaul.analysis.rolling import rolling
from backhaul.analysis.seen import read_benchmark, seen_by_method
from backhaul.campaign.importing import import_run
from backhaul.campaign.run import Run

pytestmark = [pytest.mark.prefect, pytest.mark.train]

CONTROL = "no-new-data"
RUNS: dict[str, Callable[[Any], Path]] = {
    "tiny": lambda request: request.getfixturevalue("fixed").run.folder,
    "bccd": lambda request: request.getfixturevalue("played_bccd").run.folder,
}
"""Where runs come from; a finished run with a control arm can join."""


@pytest.fixture(scope="module", params=["tiny", pytest.param("bccd", marks=pytest.mark.slow)])
def run(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy, as other tests look at what the run left."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    leave = shutil.ignore_patterns("checkpoints", "report.html")
    shutil.copytree(RUNS[request.param](request), folder, ignore=leave)
    return import_run(folder)


@pytest.fixture(scope="module")
def summary(run: Run) -> pd.DataFrame:
    table = pd.read_csv(Path(run.place) / "summary.csv")
    return table[table["test_set"] == "common"]


@pytest.fixture(scope="module")
def benchmarks(run: Run) -> dict[tuple[str, int], Path]:
    """By method and batch."""
    return {
        (method, batch): next(
            (Path(run.place) / "output").glob(f"{method}{batch}_benchmark_avg_1_*.csv")
        )
        for method in run.labels
        for batch in range(run.data["batches"])
    }


def test_compare(run: Run, summary: pd.DataFrame) -> None:
    start = summary.loc[summary["method"] == "init", "recall"].item()
    table = compare(run, "recall", over_initial=True, aggregate="mean").table
    rest = summary[summary["method"] != "init"]
    assert set(table["method"]) == set(rest["method"])
    for row in table.to_dict("records"):
        recall = rest[rest["method"] == row["method"]].sort_values("batch")["recall"] - start
        found = [row[f"batch{b}"] for b in range(len(recall))]
        np.testing.assert_allclose(np.array(found, float), recall)
        assert row["mean"] == pytest.approx(recall.mean())
        assert row["init"] == start


def test_one_method(run: Run, summary: pd.DataFrame) -> None:
    for label in run.labels:
        table = one_method(run, label).table
        expected = summary[summary["method"].isin(["init", label])].fillna({"batch": -1})
        expected = expected.sort_values("batch")[list(table.columns)].astype(float)
        found = table.fillna({"batch": -1}).astype(float)
        np.testing.assert_allclose(found, expected)


def test_curves(run: Run, summary: pd.DataFrame) -> None:
    table = curves(run, metrics=("loss", "mAP50", "acc")).table
    n_epochs = 0
    for path in (Path(run.place) / "logs").glob("*_training.csv"):
        log = pd.read_csv(path)
        n_epochs += len(log)
        name = path.name.removesuffix("_training.csv")
        label = name if name == "init" else name.rstrip("0123456789")
        batch = -1 if name == "init" else int(name.removeprefix(label))
        own = table[(table["method"] == label) & (table["batch"].fillna(-1) == batch)]
        own = own[own["epoch"].isin(log["epoch"])]
        np.testing.assert_allclose(
            own[["train_loss", "valid_loss", "valid_mAP50"]],
            log[["train_loss", "valid_loss", "mAP50"]],
        )
    assert table["train_loss"].notna().sum() == n_epochs
    evaluated = table[table["common_mAP50"].notna()]
    assert len(evaluated) == len(summary)
    assert sorted(evaluated["common_mAP50"]) == pytest.approx(sorted(summary["mAP50"]))


def test_regression(run: Run, summary: pd.DataFrame, benchmarks: Any) -> None:
    def mean_conf(label: str, batch: int) -> float:
        seen = pd.read_csv(benchmarks[label, batch], dtype={"detected": str})
        sent = pd.read_csv(Path(run.place) / f"output/{label}{batch}_selection.csv")["file"]
        return float(seen[seen["file"].isin(sent) & seen["detected"].notna()]["conf"].mean())

    after = summary.set_index(["method", "batch"])["mAP50"]
    expected = {
        key: (mean_conf(*key), after[key] - after[CONTROL, key[1]])
        for key in benchmarks
        if key[0] != CONTROL
    }
    found = points(run, "mean_conf", "control", "mAP50", "common", "batch")
    for label, batch, feature, gain in found.itertuples(index=False):
        assert (feature, gain) == pytest.approx(expected[label, batch])
    x, y = np.array([pair for pair in expected.values() if not np.isnan(pair).any()]).T
    assert len(found) == len(x)
    if run.name != "tiny" and (len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0):
        return
    row = regression([run], "mean_conf", "control", by="batch").table.iloc[0]
    slope, intercept = np.polyfit(x, y, 1)
    assert (row["slope"], row["intercept"]) == pytest.approx((slope, intercept), rel=1e-6)
    assert row["r2"] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert row["p_value"] == pytest.approx(stats.pearsonr(x, y).pvalue)


def test_classes(benchmarks: Any) -> None:
    for path in benchmarks.values():
        raw = pd.read_csv(path, dtype={"detected": str, "actual": str})
        threshold = float(raw["conf"].median())
        confident = raw[raw["conf"] >= threshold]
        assert len(confident)
        table = by_class(read_benchmark(path), threshold).table.set_index("class")
        for name in table.index:
            own = name != "(all)"
            detected = confident[confident["detected"].eq(name)] if own else confident
            n_truths = raw["actual"].eq(name).sum() if own else raw["actual"].notna().sum()
            hits = detected["detected"].eq(detected["actual"]).sum()
            numbers = table[["TP", "FP", "FN"]].loc[name].tolist()
            assert numbers == [hits, len(detected) - hits, n_truths - hits]
            if len(detected):
                assert table["precision"][name] == pytest.approx(hits / len(detected))
                assert table["conf_std"][name] == pytest.approx(detected["conf_std"].mean())


def test_histogram_and_rolling(run: Run, benchmarks: Any) -> None:
    for label in run.labels:
        paths = [path for (method, _), path in benchmarks.items() if method == label]
        raw = pd.concat([pd.read_csv(path, dtype={"detected": str}) for path in paths])
        raw = raw[raw["detected"].notna()]
        seen = seen_by_method(run, (label,))
        bins = histogram(seen[label]).table
        bins = bins[bins["class"] == "(all)"]
        edges = [*np.arange(20) / 20, 1.0 + 1e-9]
        for kind, rows in (("hit", raw[raw["hit"]]), ("miss", raw[~raw["hit"]]), ("all", raw)):
            counts = pd.cut(rows["conf"], edges, right=False).value_counts(sort=False)
            assert bins[kind].tolist() == counts.tolist()
        order = raw.sort_values(["conf", "hit"])[["conf", "hit"]].astype(float)
        windows = order.rolling(5).mean().dropna().reset_index(drop=True)
        found = rolling(seen, 5).table
        at = np.linspace(0, len(windows) - 1, len(found)).round().astype(int)
        np.testing.assert_allclose(found["conf"], windows["conf"][at], atol=1e-9)
        np.testing.assert_allclose(found["precision"], windows["hit"][at], atol=1e-9)
