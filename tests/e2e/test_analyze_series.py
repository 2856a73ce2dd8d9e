"""Checkpoints of campaigns measured once more."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tasks.inference
from backhaul.analysis.seen import read_benchmark
from backhaul.analysis.series import BatchesPlan, Mode, SeriesPlan
from backhaul.campaign.finding import Finding, read_findings
from backhaul.code import UserCode
from backhaul.layout import run_at
from backhaul.values.results import Timing
from flows import analyze as flow_of_analysis
from tasks.stage import timed

pytestmark = [pytest.mark.prefect, pytest.mark.train]

CONTROL = "no-new-data"
POS_THRES = 0.75
SETS = ("init", "all_iter", "batch_test")
SAME = ["mAP50", "mAP50-95", "prec", "recall", "acc", "conf", "conf_std", "n_detections"]
OF_ENSEMBLE = ["prec", "recall", "acc", "conf", "conf_std"]


def analyze(
    folder: str, methods: tuple[str, ...], plan: SeriesPlan | BatchesPlan
) -> tuple[Finding, tuple[str, ...]]:
    """Measure with the detector that the run's config names, if any: these tests know it."""
    config = json.loads((Path(folder) / "run.json").read_text())["config"]
    own = config["training"]["detector"]
    detector = own and UserCode.model_validate(own)
    return flow_of_analysis.analyze(folder, methods, plan, detector=detector)


@pytest.fixture(scope="module")
def folder(fixed: Any) -> Path:
    """A copy in the store of the run, with a threshold that some of what is seen reaches."""
    copy = copy_of(fixed.run.folder, "analysed")
    place = records_of(copy) / "config.json"
    config = json.loads(place.read_text())
    config["evaluation"]["pos_thres"] = POS_THRES
    place.write_text(json.dumps(config))
    return copy


def copy_of(folder: Path, what: str) -> Path:
    """A copy beside a run, since others look at what the run left."""
    copy = folder.with_name(f"{folder.name}-{what}")
    leave = shutil.ignore_patterns("checkpoints")
    shutil.copytree(records_of(folder), records_of(copy))
    return Path(shutil.copytree(folder, copy, ignore=leave))


def records_of(folder: Path) -> Path:
    return folder.parents[1] / ".backhaul" / "runs" / folder.name


@pytest.fixture(scope="module")
def labels(folder: Path) -> tuple[str, ...]:
    return tuple(json.loads((folder / "run.json").read_text())["methods"])


@pytest.fixture(scope="module")
def instant(folder: Path, labels: tuple[str, ...], prefect_server: None) -> pd.DataFrame:
    """The series of single checkpoints, on sets that share images."""
    finding, _ = analyze(str(folder), labels, SeriesPlan(sets=SETS))
    return finding.table


def computed(timings: list[Timing]) -> set[str]:
    assert timings
    return {timing.stage for timing in timings if not timing.cached}


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("fixed", ["iqr", CONTROL]),
        pytest.param("played_bccd", ["iqr"], marks=pytest.mark.slow),
    ],
)
def test_the_evaluated_epochs_are_as_in_the_summary(
    name: str, methods: list[str], request: Any, prefect_server: None
) -> None:
    folder = copy_of(request.getfixturevalue(name).run.folder, "as-it-is")
    config = json.loads((folder / "run.json").read_text())["config"]
    ensemble = Mode(kind="avg", count=config["inference"]["conf_check_num"])
    summary = pd.read_csv(folder / "summary.csv").set_index(["method", "epoch"])
    rows = summary[summary["test_set"] == "old_test"].loc[["init", *methods]]
    theirs = [f"ensemble_{metric}" for metric in OF_ENSEMBLE]
    for mode, columns, expected in (
        (Mode(), SAME, rows[SAME]),
        (ensemble, OF_ENSEMBLE, rows[theirs]),
    ):
        plan = SeriesPlan(sets=("init",), mode=mode, delta=50)
        finding, _ = analyze(str(folder), tuple(methods), plan)
        found = finding.table.set_index(["method", "epoch"])
        assert list(found.index) == list(rows.index)
        np.testing.assert_allclose(found[columns].astype(float), expected, rtol=1e-5)


def test_a_point_is_what_its_benchmark_says(folder: Path, instant: pd.DataFrame) -> None:
    n_detections = n_unsure = 0
    for row in instant.to_dict("records"):
        name = f"{row['method']}_{row['test_set']}_instant_{row['epoch']}.csv"
        path = folder / "analysis" / "benchmarks" / name
        raw = pd.read_csv(path, dtype={"detected": str, "actual": str})
        assert len(read_benchmark(path)) == len(raw)
        detected, n_truths = raw[raw["conf"] >= POS_THRES], raw["actual"].notna().sum()
        hits = (detected["detected"] == detected["actual"]).sum()
        assert (row["n_detections"], row["n_truths"]) == (len(detected), n_truths)
        assert row["recall"] == pytest.approx(hits / n_truths)
        assert row["acc"] == pytest.approx(hits / (n_truths + len(detected) - hits))
        if len(detected):
            assert row["prec"] == pytest.approx(hits / len(detected))
            assert row["conf"] == pytest.approx(detected["conf"].mean())
        n_detections += len(detected)
        n_unsure += len(raw[raw["conf"] < POS_THRES])
    assert n_detections > 0
    assert n_unsure > 0


def test_the_sets_are_the_images_of_the_lists(folder: Path, instant: pd.DataFrame) -> None:
    def listed(name: str) -> set[str]:
        return {Path(p).name for p in (folder / "output" / name).read_text().splitlines()}

    for row in instant.to_dict("records"):
        match row["test_set"]:
            case "init":
                images = listed("init_test.txt")
            case "batch_test":
                images = listed("holdout.txt")
            case _:
                rounds = range(int(row["batch"]) + 1)
                images = set().union(*(listed(f"{row['method']}{b}_test.txt") for b in rounds))
        assert row["n_images"] == len(images)
        name = f"{row['method']}_{row['test_set']}_instant_{row['epoch']}.csv"
        files = pd.read_csv(folder / "analysis" / "benchmarks" / name)["file"]
        assert {Path(file).name for file in files} <= images
    of_control = instant[(instant["method"] == CONTROL) & (instant["test_set"] == "all_iter")]
    assert of_control.empty


def test_a_second_call_takes_everything_from_the_cache(
    folder: Path, labels: tuple[str, ...], instant: pd.DataFrame
) -> None:
    with timed() as timings:
        again, _ = analyze(str(folder), labels, SeriesPlan(sets=SETS))
    assert computed(timings) == set()
    pd.testing.assert_frame_equal(again.table, instant)
    files = run_at(str(folder))
    assert files is not None
    known = (stored.finding for stored in read_findings(files))
    (kept,) = (f for f in known if f.name == "series_instant")
    assert kept == again


def test_modes_and_sets_share_what_checkpoints_see(
    folder: Path, labels: tuple[str, ...], instant: pd.DataFrame
) -> None:
    with timed() as timings:
        mode = Mode(kind="roll", count=3)
        rolled, _ = analyze(str(folder), labels, SeriesPlan(sets=("init", "common"), mode=mode))
    assert computed(timings) == {"series"}
    first, alone = (
        table[(table["epoch"] == 1) & (table["test_set"] == "init")]
        .drop(columns="mode")
        .reset_index(drop=True)
        for table in (rolled.table, instant)
    )
    assert len(first) == 1
    pd.testing.assert_frame_equal(first, alone, check_dtype=False)


def test_no_checkpoint_looks_twice_at_an_image(
    folder: Path, labels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[str, str]] = []
    see = tasks.inference.predict_stored

    def noted(root: str, images: Any, checkpoints: Any, *rest: Any) -> Any:
        looked.extend((c.artifact.sha256, i) for c in checkpoints for i in images.ids)
        return see(root, images, checkpoints, *rest)

    monkeypatch.setattr("tasks.series.predict_stored", noted)
    plan = SeriesPlan(sets=("sample", "cur_iter", "all_iter"), delta=50, batch_test=2)
    analyze(str(folder), labels, plan)
    assert looked
    assert len(looked) == len(set(looked))


def test_rounds_that_are_missing_are_left_out(
    folder: Path, labels: tuple[str, ...], instant: pd.DataFrame
) -> None:
    unfinished = copy_of(folder, "unfinished")
    for name in ("iqr0", "iqr1", "true-random1"):
        (records_of(unfinished) / "rounds" / f"{name}.json").unlink()
    with timed() as timings:
        found, _ = analyze(str(unfinished), labels, SeriesPlan(sets=SETS))
    assert computed(timings) == set()
    gone = (instant["method"] == "iqr") | (
        (instant["method"] == "true-random") & (instant["batch"] == 1)
    )
    expected = instant[~gone].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.table, expected)


def test_on_next_batches_models_are_as_in_the_summary(
    folder: Path, labels: tuple[str, ...], prefect_server: None
) -> None:
    finding, _ = analyze(str(folder), labels, BatchesPlan())
    found = finding.table.set_index(["method", "epoch"])
    summary = pd.read_csv(folder / "summary.csv")
    expected = summary[summary["test_set"] == "next_batch"].set_index(["method", "epoch"])
    assert len(found) == len(expected) + len(labels)  # the last ones, on what is held out
    np.testing.assert_allclose(
        found.loc[expected.index, ["mAP50", "mAP50-95"]].astype(float),
        expected[["mAP50", "mAP50-95"]],
        rtol=1e-5,
    )


def test_by_the_command(fixed: Any) -> None:
    copy_of(fixed.run.folder, "by-command")
    place = fixed.place
    asked = ("batches", "tiny-by-command", "--batch-test", "2", "--method", "iqr")
    ended = place.backhaul("analyze", *asked, "--format", "csv")
    assert "--config" in ended.one_error()  # the store names no code to run
    config = ("--config", "tiny.yaml")
    ended = place.backhaul("analyze", *asked, *config, "--format", "csv")
    assert ended.code == 0, ended.err
    folder = place.run("tiny-by-command").folder / "analysis"
    assert ended.out == (folder / "batches_test.csv").read_text()
    table = pd.read_csv(folder / "batches_test.csv")
    assert table["method"].tolist() == ["init", "init", "iqr", "iqr"]
    assert table["mode"].tolist() == ["instant", "avg2"] * 2
    assert set(table["n_images"]) == {24}
    assert (folder / "batches_test.png").stat().st_size > 0
    by_class = pd.read_csv(folder / "batches_test_classes.csv")
    truths = by_class.groupby(["method", "mode"])["n_truths"].sum()
    assert set(truths) == set(table["n_truths"])
    assert (folder / "benchmarks" / "iqr_batch_test_avg2_4.csv").exists()
    assert "batches_test" in (folder.parent / "report.html").read_text()


def test_what_cannot_be_measured_is_said_before_a_server_starts(fixed: Any) -> None:
    asked = ("--set", "batch_test", "--batch-test", "4", "--config", "tiny.yaml")
    ended = fixed.place.without_server().backhaul("analyze", "series", "tiny", *asked)
    assert "--batch-test: expected 1 to 3" in ended.one_error()
    assert "server" not in ended.err
