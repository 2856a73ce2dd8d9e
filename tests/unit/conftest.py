"""A whole run's folder, as a campaign writes it, with small pictures and made-up numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backhaul.campaign.finding import Chart, Finding, Mark, Series
from backhaul.campaign.run import Findings, Losses, Run, SampledBatch
from backhaul.measure.names import CLASS_NUMBERS, KEYS, SUMMARY_NUMBERS

NASTY = "</script><script>alert('x')</script> & \"q\""
TEST_SETS = ("common", "old_test", "new_test", "mix_test", "next_batch")
METHODS = ("true-random", "median-below-thresh", "iqr", "no-new-data")
Row = dict[str, Any]


@dataclass(frozen=True)
class FakeRun:
    """What a made-up run is made of; with `seeds`, a campaign of several."""

    folder: Path
    methods: tuple[str, ...] = METHODS
    batches: int = 3
    pool: int = 12
    sent: int = 5
    class_names: tuple[str, ...] = ("cat", "dog", NASTY)
    failed: str = ""
    size_px: tuple[int, int] = (64, 48)
    truth: bool = True
    noise: bool = False
    seed: int = 7
    spread: float = 0.0
    seeds: tuple[int, ...] = ()

    def write(self) -> Path:
        """Write the run, or a folder ``seed<k>`` for each of several seeds."""
        for seed in self.seeds:
            self.of_seed(seed).write()
        return self.folder if self.seeds else self._write()

    def of_seed(self, seed: int) -> FakeRun:
        """The run of one of several seeds, whose results differ a little from the others'."""
        folder = self.folder / f"seed{seed}"
        return replace(self, folder=folder, seed=seed, seeds=(), spread=0.01)

    def _write(self) -> Path:
        for name in ("output", "logs", "images <i>"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for batch in range(self.batches):
            self._pictures(batch)
            (self.folder / f"output/sample{batch}.txt").write_text(
                "".join(f"{path}\n" for path in self.files(batch)), encoding="utf-8"
            )
            for label in self.methods:
                self._round(label, batch)
        self._log("init_training.csv", 0)
        summary, classes = self._results()
        summary.to_csv(self.folder / "summary.csv", index=False)
        classes.to_csv(self.folder / "classes.csv", index=False)
        (self.folder / "run.json").write_text(json.dumps(self.record()), encoding="utf-8")
        return self.folder

    @property
    def name(self) -> str:
        """Name of the run, of a seed with that of its campaign."""
        part_of = self.folder.parent.name
        return self.folder.name if part_of == "runs" else f"{part_of}/{self.folder.name}"

    def files(self, batch: int) -> list[str]:
        return [str(self.folder / f"images <i>/b{batch} & {i}.jpg") for i in range(self.pool)]

    def _pictures(self, batch: int) -> None:
        rng = np.random.default_rng([batch, self.seed])
        width, height = self.size_px
        for path in self.files(batch):
            pixels = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
            pixels[height // 4 : height // 2, width // 4 : width // 2] = rng.integers(0, 255, 3)
            if self.noise:
                pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
            Image.fromarray(pixels).save(path, quality=90)

    def _round(self, label: str, batch: int) -> None:
        rng = np.random.default_rng([batch, len(label), self.seed])
        files, (width, height) = self.files(batch), self.size_px
        n_sent = 0 if label == "no-new-data" else self.sent
        sent = [files[i] for i in rng.permutation(self.pool)[:n_sent]]
        start = f"output/{label}{batch}"
        (self.folder / f"{start}_sample_{10 * (batch + 1)}.txt").write_text(
            "".join(f"{path}\n" for path in sent), encoding="utf-8"
        )
        rows = [row for file in files for row in self._seen(file, rng)]
        boxes = pd.DataFrame(rows)
        boxes[["x1", "x2"]] *= width
        boxes[["y1", "y2"]] *= height
        boxes.to_csv(
            self.folder / f"{start}_benchmark_avg_1_{10 * (batch + 1)}.csv", index=False
        )
        pd.DataFrame(
            {
                "file": sent,
                "image_id": [f"id-{i}" for i in range(n_sent)],
                "size_bytes": 1000,
                "weight": 1.0,
                "method": label,
                "reason": "class <cat>",
            }
        ).to_csv(self.folder / f"{start}_selection.csv", index=False)
        self._log(f"{label}{batch}_training.csv", 10 * (batch + 1))

    def _seen(self, file: str, rng: np.random.Generator) -> Iterator[Row]:
        for _ in range(int(rng.integers(0, 4))):
            x, y = rng.uniform(0.05, 0.5, 2)
            actual, detected = rng.choice(self.class_names, 2)
            case = rng.choice(["hit", "wrong", "missed"], p=[0.6, 0.25, 0.15])
            hit = bool(case == "hit" and self.truth)
            conf = float(rng.beta(5, 3) if hit else rng.beta(2, 5))
            yield {
                "file": file,
                "detected": "" if case == "missed" else actual if hit else detected,
                "actual": actual if self.truth and (hit or case == "missed") else "",
                "conf": 0.0 if case == "missed" else conf,
                "conf_std": 0.1,
                "hit": hit,
                "x1": x,
                "y1": y,
                "x2": x + 0.4,
                "y2": y + 0.4,
            }

    def _log(self, name: str, first: int) -> None:
        epochs = np.arange(first + 1, first + 11)
        train = 3 * np.exp(-epochs / 15) + 0.3
        pd.DataFrame(
            {"epoch": epochs, "train_loss": train, "valid_loss": train + 0.2, "mAP50": 0.4}
        ).to_csv(self.folder / "logs" / name, index=False)

    def _results(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows = [self._row("init", None, s, 0.3) for s in ("common", "old_test")]
        for i, label in enumerate(self.methods):
            batches = 1 if label == self.failed else self.batches
            step = 0.02 if label == "no-new-data" else 0.03 + 0.01 * i
            rows += [
                self._row(label, batch, test_set, 0.3 + step * (batch + 1) - 0.05 * k)
                for batch in range(batches)
                for k, test_set in enumerate(TEST_SETS)
            ]
        summary = pd.DataFrame(rows, columns=[*KEYS, *SUMMARY_NUMBERS])
        classes = [
            {**{k: row[k] for k in KEYS}, "class": name, "n_truths": 10 * (j + 1)}
            | {m: row.get(m, 0.5) for m in CLASS_NUMBERS if m != "n_truths"}
            for row in rows
            for j, name in enumerate(self.class_names)
        ]
        return summary, pd.DataFrame(classes, columns=[*KEYS, "class", *CLASS_NUMBERS])

    def _row(self, label: str, batch: int | None, test_set: str, value: float) -> Row:
        n = 0 if batch is None or label == "no-new-data" else self.sent
        played = 0 if batch is None else batch + 1
        total = n * played
        drawn = np.random.default_rng([self.seed, played, sum(label.encode()), len(test_set)])
        value += self.spread * drawn.normal()
        total_bytes = 1000 * total + round(self.spread * 10_000 * total * drawn.uniform())
        return {
            "method": label,
            "batch": batch,
            "test_set": test_set,
            "images_sent": n,
            "bytes_sent": 1000 * n,
            "images_sent_total": total,
            "bytes_sent_total": total_bytes,
            "samples_transfer_ratio": n / 40,
            "mean_bytes_sent": 1000 if n else None,
            "mean_bytes_pool": 1200.0,
            "epochs_trained": 10,
            "epoch": 10 * (played + 1),
            "mAP50": value,
            "mAP50-95": value / 2,
            "prec": 0.6,
            "recall": 0.5,
            "acc": 0.4,
            "conf": 0.6,
            "conf_std": 0.2,
            "detect_conf_std": 0.05,
            "n_images": 40,
            "n_truths": 80,
            "n_detections": 70,
        }

    def record(self) -> Row:
        states = {m: {"state": "completed", "error": None} for m in self.methods}
        if self.failed:
            error = "InputError: labels/a<b>.txt:3: expected 5 numbers"
            states[self.failed] = {"state": "failed", "error": error}
        return {
            "name": self.name,
            "state": "completed-with-failures" if self.failed else "completed",
            "config": {
                "name": self.name,
                "seed": self.seed,
                "bandwidth": {"images": self.sent, "bytes": None},
                "methods": [
                    {"kind": m, "label": m} for m in self.methods if m != "no-new-data"
                ],
                "batches": {"sampling_batch": self.pool, "count": self.batches},
                "training": {"model": "yolo11n", "max_epochs": 10, "img_size": 96},
            },
            "class_names": list(self.class_names),
            "versions": {"backhaul": "0.1.0", "torch": "2.8.0", "ultralytics": "8.4.190"},
            "git": {"commit": "0123456789abcdef", "dirty": True},
            "started": "2026-03-01T12:00:00+00:00",
            "methods": states,
            "trainings": [_training("init", None, 0)]
            + [
                _training(m, b, 10 * (b + 1)) for m in self.methods for b in range(self.batches)
            ],
            "timings": [
                {
                    "stage": s,
                    "method": m,
                    "batch": 0,
                    "seconds": 12.5,
                    "cached": s == "inference",
                }
                for s in ("training", "inference", "sampling")
                for m in self.methods
            ],
            "data": {"images": 420, "initial": 100, "pool": 36, "holdout": 12, "batches": 3},
        }


def _training(method: str, batch: int | None, first: int) -> Row:
    return {
        "method": method,
        "batch": batch,
        "first_epoch": first + 1,
        "last_epoch": first + 10,
        "epochs": 10,
        "best_epoch": first + 8,
        "stopped_because": "all epochs done",
        "resumed": batch == 1,
        "seconds": 83.0,
        "train_images": 60,
        "valid_images": 20,
    }


def write_findings(folder: Path) -> tuple[Finding, ...]:
    """Write findings with every kind of series, a long table and names from data."""
    x = tuple(float(i) for i in range(8))
    low, y, high = (tuple(0.3 + 0.02 * i + d for i in x) for d in (-0.03, 0.0, 0.03))
    lines = Chart(
        title="Lines with bands & marks",
        x_title="epoch",
        y_title="mAP50 <b>",
        series=(
            Series(name="iqr", x=x, y=y, low=low, high=high),
            Series(name=NASTY, x=x, y=(*y[:3], None, *y[2:6]), labels=("a",) * 8),
        ),
        marks=(Mark(x=2.5, label="batch 0"), Mark(x=5.5)),
    )
    points = Chart(
        title="Points",
        x_title="size",
        y_title="mAP50",
        series=(
            Series(name="classes", x=x[:3], y=y[:3], kind="points", labels=("a", "b", "c")),
        ),
    )
    bars = Chart(
        title="Bars",
        x_title="",
        y_title="gain",
        series=(
            Series(name="iqr", x=("small", "large"), y=(0.1, -0.05), kind="bars"),
            Series(
                name="true-random",
                x=("small", "large"),
                y=(0.05, None),
                kind="bars",
                low=(0.02, None),
                high=(0.09, None),
            ),
        ),
    )
    long = tuple((f"row {i}", i, 0.1 * i if i % 3 else None, bool(i % 2)) for i in range(40))
    findings = (
        Finding(
            name="compare_map50",
            title="mAP50 by method and batch",
            note="Measured on the common test set.",
            columns=("name", "n", "value", "hit"),
            rows=long,
            charts=(lines, points),
        ),
        Finding(
            name="sizes",
            title="By size of the object",
            columns=("size", "gain"),
            rows=(("small", 0.1), ("large", -0.05)),
            charts=(bars,),
        ),
    )
    (folder / "analysis").mkdir()
    for finding in findings:
        path = folder / "analysis" / f"{finding.name}.json"
        path.write_text(finding.model_dump_json(), encoding="utf-8")
    return findings


@dataclass(frozen=True)
class OtherTables:
    """The tables of a run, but for some that are given."""

    run: Run
    given: dict[str, Any]

    def summary(self) -> pd.DataFrame:
        found: pd.DataFrame = self.given.get("summary", self.run.summary)
        return found

    def classes(self) -> pd.DataFrame:
        return self.run.classes

    def batches(self) -> tuple[SampledBatch, ...]:
        found: tuple[SampledBatch, ...] = self.given.get("batches", self.run.batches)
        return found

    def losses(self) -> Losses:
        found: Losses = self.given.get("losses", self.run.losses)
        return found

    def findings(self) -> Findings:
        return self.run.findings


def with_tables(run: Run, **given: Any) -> Run:
    """The run with another summary, other batches or losses."""
    return replace(run, tables=OtherTables(run, given))


@pytest.fixture
def fake_run(tmp_path: Path) -> Callable[..., FakeRun]:
    def build(**changes: Any) -> FakeRun:
        return FakeRun(tmp_path / "runs/street-cameras", **changes)

    return build
