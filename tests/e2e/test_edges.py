"""Campaigns at the edges of what a config may say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]

ONE = {"methods": ["median-below-thresh"], "control": False, "batches__count": 1}


def test_nothing_detected_and_more_bandwidth_than_images(
    fixed: Any, in_process: Callable[[Path], Any]
) -> None:
    """Images without any detection can be sent: otherwise nothing would ever be learned.

    Both methods send all of them, so that they train on the same: it is done once.
    """
    both = ONE | {"methods": ["median-below-thresh", "random"]}
    config = fixed.place.config(
        "blind",
        **both,
        bandwidth={"images": 99},
        training__detector="fixed_detector:Blind",
    )
    state = in_process(config)
    assert state.is_completed(), state.message
    run = fixed.place.run("blind")
    assert {"training", "inference", "evaluation"} <= run.computed("init")
    trainings = [t for t in run.json["timings"] if t["stage"] == "training" and t["method"]]
    assert sorted(t["cached"] for t in trainings) == [False, False, True]  # one is "init"
    prefix = "median-below-thresh0"
    assert sorted(run.listed(f"{prefix}_sample_3.txt")) == sorted(run.listed("sample0.txt"))
    seen = pd.read_csv(run.folder / "output" / f"{prefix}_benchmark_avg_1_3.csv")
    assert seen["detected"].isna().all()
    assert seen["actual"].notna().all()
    reasons = pd.read_csv(run.folder / "output" / f"{prefix}_selection.csv")["reason"]
    assert reasons.eq("undetected").all()
    assert run.summary["n_detections"].eq(0).all()
    assert run.summary["prec"].isna().all()
    assert run.summary["recall"].eq(0).all()


def test_one_checkpoint_and_no_old_images(
    fixed: Any, in_process: Callable[[Path], Any]
) -> None:
    config = fixed.place.config(
        "lonely", **ONE, inference__conf_check_num=1, mixing={"retrain_new": 1.0}
    )
    state = in_process(config)
    assert state.is_completed(), state.message
    run = fixed.place.run("lonely")
    seen = pd.read_csv(run.folder / "output" / "median-below-thresh0_benchmark_avg_1_3.csv")
    assert seen["conf_std"].dropna().eq(0).all()
    assert seen["detected"].notna().any()
    training = run.round("median-below-thresh0")["training"]
    new = run.listed("median-below-thresh0_valid.txt")
    assert training["n_valid"] == len(new)


def test_more_images_than_there_are_ends_with_a_reason(
    fixed: Any, in_process: Callable[[Path], Any]
) -> None:
    state = in_process(fixed.place.config("greedy", **ONE, initial={"images": 1000}))
    assert state.is_failed()
    assert "initial.images: expected at most 60" in str(state.message)


def test_a_record_that_the_server_lost_is_made_again(
    fixed: Any, in_process: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect then gives the server's own state, which has no result."""
    from flows.batch import batch

    lost: list[Any] = []

    def losing(*values: Any, **options: Any) -> Any:
        state: Any = batch(*values, **options)
        if lost:
            return state
        lost.append(state)
        return state.model_copy(update={"data": None})

    monkeypatch.setattr("flows.method.batch", losing)
    state = in_process(fixed.place.config("lost", methods=["iqr"], control=False))
    assert state.is_completed(), state.message
    assert len(lost) == 1
    made = fixed.place.run("lost").round("iqr0")
    assert made == fixed.run.round("iqr0") | {"timings": made["timings"]}


def test_a_server_that_is_away_when_a_batch_begins_is_waited_for(
    fixed: Any, in_process: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.batch import batch

    calls: list[int] = []

    def refused(*values: Any, **options: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 1:
            raise httpx.ConnectError("connection refused")
        return batch(*values, **options)

    monkeypatch.setattr("flows.method.batch", refused)
    state = in_process(fixed.place.config("away", **ONE))
    assert state.is_completed(), state.message
    assert len(calls) == 2  # one batch


def test_with_another_bandwidth_only_what_depends_on_it_is_computed(fixed: Any) -> None:
    """Nothing is sent, which trains nothing: only the control arm's trainings are needed."""
    ended = fixed.place.backhaul(
        "run", "tiny.yaml", "--set", "bandwidth.images=0", "--name", "nothing"
    )
    assert ended.code == 0, ended.err
    run = fixed.place.run("nothing")
    assert run.computed(None) == set()
    assert run.computed("init") == set()
    for method in ("iqr", "true-random", "no-new-data"):
        first = [t for t in run.json["timings"] if t["method"] == method and t["batch"] == 0]
        cached = {t["stage"]: t["cached"] for t in first}
        assert cached["inference"]
        assert not cached["sampling"]
    assert "training" not in run.computed()
    assert [t["method"] for t in run.json["trainings"]] == [
        "init",
        "no-new-data",
        "no-new-data",
    ]
    table = run.summary
    assert table["images_sent_total"].max() == 0
    of_methods = table[(table["test_set"] == "common") & (table["method"] != "no-new-data")]
    assert of_methods["mAP50"].nunique() == 1
    assert set(of_methods["epoch"]) == {3}
    assert run.listed("iqr0_sample_3.txt") == []
