"""A whole campaign through the command, and what must not change when it is run again."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.e2e.sent import check_what_was_sent

pytestmark = [pytest.mark.prefect, pytest.mark.train]

METHODS = ("random", "true-random", "no-new-data")
BANDWIDTH = 5
COLUMNS = {
    "method",
    "batch",
    "test_set",
    "images_sent",
    "bytes_sent",
    "samples_transfer_ratio",
    "mean_bytes_sent",
    "mean_bytes_pool",
    "images_sent_total",
    "bytes_sent_total",
    "epochs_trained",
    "epoch",
    "prec",
    "recall",
    "acc",
    "conf",
    "conf_std",
    "detect_conf_std",
    "mAP50",
    "mAP50-95",
    "n_images",
    "n_truths",
    "n_detections",
    "ensemble_prec",
    "ensemble_recall",
    "ensemble_acc",
    "ensemble_conf",
    "ensemble_conf_std",
}


def test_the_command_says_what_came_out(played: Any) -> None:
    assert "on the common test set" in played.ended.out
    assert all(method in played.ended.out for method in METHODS)
    assert "report: runs/tiny/report.html" in played.ended.out
    assert "Traceback" not in played.ended.err


def test_nothing_is_drawn_for_the_ui_that_a_temporary_server_does_not_have(played: Any) -> None:
    with closing(sqlite3.connect(played.place.folder / ".backhaul" / "prefect.db")) as database:
        shown = database.execute("SELECT count(*) FROM artifact WHERE key IS NOT NULL")
        runs = database.execute("SELECT count(*) FROM flow_run")
        assert shown.fetchone() == (0,)
        assert runs.fetchone() > (0,)
    assert "View at" not in (played.run.records / "log.txt").read_text()


def test_the_folder_is_complete(played: Any) -> None:
    folder = played.run.folder
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    expected = {"run.json", "summary.csv", "classes.csv", "sent.csv", "report.html"}
    expected |= {"checkpoints/init_ckpt_1.pt", "checkpoints/init_ckpt_3.pt"}
    expected |= {f"output/init_{part}.txt" for part in ("train", "valid", "test")}
    expected |= {
        f"output/sample{batch}.txt" for batch in (0, 1, 2)
    }  # the last one is left over
    for method in METHODS:
        for batch, epoch in ((0, 3), (1, 4)):
            prefix = f"{method}{batch}"
            expected |= {f"output/{prefix}_{part}.txt" for part in ("train", "valid", "test")}
            expected |= {
                f"output/{prefix}_sample_{epoch}.txt",
                f"output/{prefix}_benchmark_avg_1_{epoch}.csv",
                f"logs/{prefix}_training.csv",
                f"checkpoints/{method}_ckpt_{epoch + 1}.pt",
            }
    assert expected <= names
    assert not [name for name in names if "partial" in name]


def test_losses_are_logged_as_often_as_the_config_said(played: Any) -> None:
    steps = pd.read_csv(played.run.folder / "logs" / "init_steps.csv")
    assert steps.groupby("epoch").size().tolist() == [2] * 3


def test_run_json_says_what_the_run_was_made_with(played: Any) -> None:
    run = played.run.json
    assert run["state"] == "completed"
    assert {
        name: outcome["state"] for name, outcome in run["methods"].items()
    } == dict.fromkeys(METHODS, "completed")
    assert run["seed"] == 1
    bandwidth = run["config"]["bandwidth"]
    assert (bandwidth["images"], bandwidth["bytes"], bandwidth["link"]) == (
        BANDWIDTH,
        None,
        None,
    )
    assert run["versions"]["ultralytics"] == "8.4.190"
    assert run["data"]["images"] == 60
    assert [t["epochs"] for t in run["trainings"]] == [3] + [1] * 6
    assert not any(t["resumed"] for t in run["trainings"])
    assert {"init", *(f"{m}{b}" for m in METHODS for b in (0, 1))} <= run["artifacts"].keys()


def test_the_summary_has_every_method_batch_and_test_set(played: Any) -> None:
    table = played.run.summary
    assert set(table.columns) == COLUMNS
    always, later = {"common", "old_test", "mix_test"}, {"next_batch"}
    expected = {("init", -1, name) for name in ("common", "old_test", "next_batch")}
    for method in METHODS:
        new = set() if method == "no-new-data" else {"new_test"}
        expected |= {(method, 0, name) for name in always | new | later}
        expected |= {(method, 1, name) for name in always | new}
    keys = table.assign(batch=table["batch"].fillna(-1).astype(int))
    found = list(keys[["method", "batch", "test_set"]].itertuples(index=False, name=None))
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert table["mAP50"].between(0, 1).all()
    assert table["n_images"].gt(0).all()
    common = table[table["test_set"] == "common"]
    assert common["n_images"].nunique() == 1
    assert common["n_truths"].nunique() == 1


def test_the_bandwidth_is_spent_and_never_exceeded(played: Any) -> None:
    check_what_was_sent(played.run, BANDWIDTH)


def test_no_image_of_a_method_is_ever_in_two_splits(played: Any) -> None:
    initial = [played.run.listed(f"init_{part}.txt") for part in ("train", "valid", "test")]
    assert [len(part) for part in initial] == [8, 4, 4]
    for method in METHODS:
        seen = [
            name
            for prefix in ("init", f"{method}0", f"{method}1")
            for part in ("train", "valid", "test")
            for name in played.run.listed(f"{prefix}_{part}.txt")
        ]
        assert len(seen) == len(set(seen))


def test_benchmarks_hold_every_truth_of_the_batch_once(played: Any) -> None:
    summary = played.run.summary
    of_init = summary[(summary["method"] == "init") & (summary["test_set"] == "next_batch")]
    for method in METHODS:
        path = played.run.folder / "output" / f"{method}0_benchmark_avg_1_3.csv"
        table = pd.read_csv(path)
        columns = ["file", "detected", "actual", "conf", "conf_std", "hit"]
        assert [name for name in table.columns if name in columns] == columns
        assert table["actual"].notna().sum() == of_init["n_truths"].iloc[0]
        assert {Path(f).name for f in table["file"]} <= set(played.run.listed("sample0.txt"))


def test_checkpoints_open_in_ultralytics(played: Any) -> None:
    from backhaul.look.libraries import isolate_libraries

    isolate_libraries()
    from ultralytics import YOLO

    folder = played.run.folder / "checkpoints"
    names = ("zero", "one", "two", "three", "four")
    for name in ("init_ckpt_1.pt", "random_ckpt_5.pt"):
        model = YOLO(folder / name)
        assert model.task == "detect"
        assert tuple(model.names.values()) == names


def test_a_second_run_computes_nothing(played: Any) -> None:
    ended = played.place.backhaul("run", "tiny.yaml")  # the hash seed is another one
    assert ended.code == 0, ended.err
    assert played.run.computed() == set()
    assert (played.run.folder / "summary.csv").read_bytes() == played.summary
