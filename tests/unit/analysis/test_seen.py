"""Benchmark files, and what classes, histograms and windows say of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.analysis.classes import ALL, by_class
from backhaul.analysis.histogram import histogram
from backhaul.analysis.png import draw
from backhaul.analysis.rolling import MOST_POINTS, rolling
from backhaul.analysis.seen import COLUMNS, read_benchmark, seen_by_method
from backhaul.campaign.importing import import_run
from backhaul.errors import InputError
from backhaul.measure.metrics import count
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

NAMES = ("cat", "dog", "NA")
GOOD = "file,detected,actual,conf,conf_std,hit\na.jpg,cat,cat,0.9,0.1,True\n"
Rows = list[tuple[str, str | None, str | None, float | None, float | None, bool | None]]

detections = st.tuples(
    st.just("a.jpg"),
    st.sampled_from(NAMES),
    st.sampled_from([*NAMES, None]),
    st.floats(0, 1, width=32),
    st.floats(0, 0.5, width=32),
).map(lambda row: (*row, row[1] == row[2]))
overlooked = st.sampled_from(NAMES).map(lambda name: ("a.jpg", None, name, None, None, False))
benchmarks = st.lists(detections | overlooked, max_size=30)


def table(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"conf": float, "conf_std": float, "hit": object}
    )


@given(benchmarks, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_classes_agree_with_the_metrics_of_a_campaign(rows: Rows, pos_thres: float) -> None:
    truths = [NAMES.index(row[2]) for row in rows if row[2] is not None]
    labels = Labels.from_rows([(c, 0.5, 0.5, 0.1, 0.1) for c in truths])
    one = ("a", "a.jpg", 10, 10, 1, None, labels, "test", None)
    images = ImageSet(pd.DataFrame([one], columns=list(IMAGE_COLUMNS)), NAMES)
    expected = count(table(rows).assign(image_id="a"), images, pos_thres).set_index("class")
    found = by_class(table(rows), pos_thres).table.set_index("class").rename({ALL: ""})
    pairs = {"prec": "precision", "recall": "recall", "acc": "accuracy", "conf": "conf"}
    pairs |= {"n_truths": "n_truths", "n_detections": "n_detections"}
    pairs |= {"detect_conf_std": "conf_std"}
    for name in found.index if rows else ():
        for theirs, ours in pairs.items():
            a, b = expected.loc[name, theirs], found.loc[name, ours]
            assert a == pytest.approx(np.nan if b is None else float(b), nan_ok=True)


def test_defect_33_a_detection_of_another_class_is_no_hit() -> None:
    rows: Rows = [
        ("a.jpg", "cat", "dog", 0.9, 0.1, False),
        ("a.jpg", None, "cat", None, None, False),
    ]
    found = by_class(table(rows), 0.5).table[["class", "TP", "FP", "FN"]]
    counts = list(found.itertuples(index=False, name=None))
    assert counts[1:] == [("cat", 0, 1, 1), ("dog", 0, 0, 1)]


def test_defect_34_nothing_detected_is_measured() -> None:
    rows: Rows = [("a.jpg", None, "cat", None, None, False)]
    row = by_class(table(rows), 0.5).table.set_index("class").loc[ALL]
    assert (row["TP"], row["FP"], row["FN"], row["recall"]) == (0, 0, 1, 0.0)
    assert pd.isna(row["precision"])
    with pytest.raises(InputError, match="nothing was detected"):
        histogram(table(rows))
    with pytest.raises(InputError, match="at most 0 detections"):
        rolling({"a": table(rows)})


def test_without_truth_only_confidences_are_known() -> None:
    rows: Rows = [
        ("a.jpg", "cat", None, 0.9, 0.1, None),
        ("b.jpg", "cat", None, 0.5, 0.1, None),
    ]
    finding = by_class(table(rows), 0.5)
    row = finding.table.set_index("class").loc["cat"]
    assert row["conf"] == pytest.approx(0.7)
    assert pd.isna(row["TP"])
    assert "no truth" in finding.note
    draw(finding)
    bins = histogram(table(rows)).table
    assert bins["hit"].isna().all()
    assert bins.loc[bins["class"] == ALL, "all"].sum() == 2


def test_images_without_truth_count_for_nothing_beside_others() -> None:
    rows: Rows = [
        ("a.jpg", "cat", "cat", 0.9, 0.1, True),
        ("b.jpg", "cat", None, 0.5, 0.1, None),
    ]
    row = by_class(table(rows), 0.5).table.set_index("class").loc["cat"]
    assert (row["TP"], row["FP"], row["n_detections"]) == (1, 0, 1)


@given(benchmarks.filter(lambda rows: any(row[1] for row in rows)))
def test_histograms_count_every_detection_once(rows: Rows) -> None:
    bins = histogram(table(rows)).table
    seen = table(rows)[lambda t: t["detected"].notna()]
    assert bins[bins["class"] != ALL]["all"].sum() == len(seen)
    together = bins[bins["class"] == ALL]
    assert (together["hit"] + together["miss"]).tolist() == together["all"].tolist()
    assert together["hit"].sum() == seen["hit"].sum()
    for low, high, n in together[["low", "high", "all"]].itertuples(index=False):
        inside = seen["conf"].between(low, high, inclusive="both" if high == 1 else "left")
        assert inside.sum() == n


def test_a_histogram_of_one_class() -> None:
    seen = table([("a", "cat", "cat", 1.0, 0.1, True), ("a", "dog", None, 0.05, 0.1, False)])
    bins = histogram(seen, "dog").table
    assert set(bins["class"]) == {"dog"}
    assert bins.loc[bins["all"] == 1, "low"].tolist() == [0.05]
    with pytest.raises(
        InputError, match="nothing was detected as 'bird': detected were cat, dog"
    ):
        histogram(seen, "bird")


def test_many_classes_do_not_make_an_endless_picture() -> None:
    seen = table([("a", f"c{i}", None, 0.5, 0.1, False) for i in range(30)])
    finding = histogram(seen)
    assert len(finding.charts) == 12
    assert finding.table["class"].nunique() == 31
    assert "19 rarer classes" in finding.note


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=40))
def test_windows_are_those_of_pandas(pairs: list[tuple[float, bool]]) -> None:
    seen = table([("a", "cat", None, conf, 0.1, hit) for conf, hit in pairs])
    window = max(1, len(pairs) // 3)
    found = rolling({"a": seen}, window).table
    order = seen.sort_values(["conf", "hit"])[["conf", "hit"]].astype(float)
    expected = order.rolling(window).mean().dropna()
    np.testing.assert_allclose(found["precision"], expected["hit"], atol=1e-9)
    np.testing.assert_allclose(found["conf"], expected["conf"], atol=1e-9)


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    conf = np.linspace(0, 1, 5000)
    seen = table([("a", "cat", None, float(c), 0.1, bool(c > 0.5)) for c in conf])
    found = rolling({"a": seen}, 100).table
    assert len(found) == MOST_POINTS
    assert found["conf_low"].iloc[0] == 0
    assert found["conf_high"].iloc[-1] == 1
    assert found["precision"].is_monotonic_increasing


def test_curves_with_too_few_detections_are_named() -> None:
    one = table([("a", "cat", None, 0.5, 0.1, True)])
    finding = rolling({"many": pd.concat([one] * 5), "few": one}, 3)
    assert set(finding.table["curve"]) == {"many"}
    assert finding.note.endswith("With too few detections: few.")
    with pytest.raises(InputError, match=r"at most 5 detections .* expected at least 9"):
        rolling({"many": pd.concat([one] * 5)}, 9)
    with pytest.raises(InputError, match="window is 0"):
        rolling({"many": one}, 0)


def test_a_benchmark_of_another_tool_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    rows = "a.jpg,,NA,0.0,,0\na.jpg,dog,,0.4,nan,0\nb.jpg,7, 7,1,0,1\n"
    path.write_text(GOOD + rows)
    seen = read_benchmark(path)
    assert seen["detected"].tolist() == ["cat", None, "dog", "7"]
    assert seen["actual"].tolist() == ["cat", "NA", None, "7"]
    assert seen["hit"].tolist() == [True, False, False, True]
    assert np.isnan(seen["conf_std"][2])
    assert by_class(seen, 0.5).table.set_index("class").loc[ALL, "TP"] == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"b\.csv: is no CSV \(.*\); expected a benchmark file, a CSV with the columns"),
        ("file,detected\n", "no column actual, conf, conf_std, hit"),
        (GOOD + "a,cat,,x,0,False\n", r"b\.csv:3: conf is 'x', expected a number"),
        (GOOD + "a,cat,,1.5,0,False\n", r"b\.csv:3: conf is '1.5', expected a number in \[0"),
        (GOOD + "a,cat,,,0,False\n", r"b\.csv:3: conf is '', expected the confidence"),
        (GOOD + "a,cat,,1,0,maybe\n", r"b\.csv:3: hit is 'maybe', expected True"),
    ],
)
def test_a_wrong_benchmark_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_benchmark(path)


def test_files_without_any_actual_have_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text(GOOD.replace("cat,cat", "cat,").replace("True", "False"))
    assert read_benchmark(path)["hit"].isna().all()


def test_a_run_gives_its_rounds_by_method(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run().write())
    seen = seen_by_method(run, ("iqr",))
    assert list(seen) == ["iqr"]
    rows = sum(len(r.seen) for r in run.batches if r.method == "iqr")
    assert len(seen["iqr"]) == rows
    with pytest.raises(InputError, match="no benchmark of these methods"):
        seen_by_method(run, ())


def test_a_run_in_place_of_a_benchmark_is_told_where_its_benchmarks_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "iqr0_benchmark_avg_1_14.csv"
    for place in ("mine", "runs/mine"):
        with pytest.raises(InputError, match=r"those of a run are runs/RUN/output/\*_bench"):
            read_benchmark(Path(place))
    (tmp_path / "runs/mine/output").mkdir(parents=True)
    (tmp_path / "runs/mine/output" / name).write_text(GOOD)
    for place in ("mine", "runs/mine"):
        with pytest.raises(InputError, match=f"such as runs/mine/output/{name}$"):
            read_benchmark(Path(place))
