"""Read the plain files of a run's folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.errors import InputError

INIT = "init"
CONTROL = "no-new-data"

KEYS = ("method", "batch", "test_set")
SUMMARY_NUMBERS = (
    "images_sent",
    "bytes_sent",
    "images_sent_total",
    "bytes_sent_total",
    "mean_bytes_sent",
    "mean_bytes_pool",
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
    "ensemble_prec",
    "ensemble_recall",
    "ensemble_acc",
    "ensemble_conf",
    "ensemble_conf_std",
    "n_images",
    "n_truths",
    "n_detections",
)
CLASS_NUMBERS = ("prec", "recall", "acc", "conf", "conf_std", "mAP50", "mAP50-95", "n_truths")
BENCHMARK_NUMBERS = ("conf", "conf_std", "x1", "y1", "x2", "y2")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


T = TypeVar("T", bound=_Record)


class MethodState(_Record):
    """How far one method came."""

    state: Literal["running", "completed", "failed", "waiting"]
    error: str | None = None


class TrainingRecord(_Record):
    """One training: of the initial model, or of a method after a batch."""

    method: str
    batch: int | None = None
    first_epoch: int
    last_epoch: int
    epochs: int
    best_epoch: int | None = None
    stopped_because: str
    resumed: bool
    seconds: float
    train_images: int
    valid_images: int


class TimingRecord(_Record):
    """How long one stage took, and whether it was read from the cache."""

    stage: str
    method: str | None = None
    batch: int | None = None
    seconds: float
    cached: bool


class GitState(_Record):
    """The source that ran."""

    commit: str | None = None
    dirty: bool | None = None


class RoundsRecord(_Record):
    """What `rounds.json` says, for a run that goes on hour by hour."""

    trainings: tuple[TrainingRecord, ...] = ()
    timings: tuple[TimingRecord, ...] = ()


class RunRecord(RoundsRecord):
    """What `run.json` says. Keys the page does not use are ignored."""

    name: str
    state: Literal["completed", "completed-with-failures", "awaiting-labels", "running"]
    config: dict[str, Any]
    class_names: tuple[str, ...]
    versions: dict[str, str] = {}
    git: GitState = GitState()
    started: str
    methods: dict[str, MethodState]
    data: dict[str, int] = {}

    @property
    def random_label(self) -> str:
        """Label of the true-random arm; methods may be labelled freely."""
        arms = [m for m in self.config.get("methods", ()) if m.get("kind") == "true-random"]
        return str(arms[0].get("label") or "true-random") if arms else "true-random"


@dataclass(frozen=True, slots=True)
class Round:
    """One batch as one method saw it.

    Args:
        method: The method's label.
        batch: Number of the batch.
        pool: Paths of all images of the batch.
        sent: Paths of the images sent, in the order they were drawn.
        reasons: Why an image was drawn, by path.
        seen: What the ensemble saw before sampling, one row a detection or missed object:
            file, detected, actual (None where empty), conf, conf_std, x1, y1, x2, y2 (pixels),
            and hit (None where the batch has no truth at all).
    """

    method: str
    batch: int
    pool: tuple[str, ...]
    sent: tuple[str, ...]
    reasons: Mapping[str, str]
    seen: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Run:
    """Everything the page is made of.

    Args:
        folder: Where it was read from; relative image paths start here.
        record: What run.json says.
        labels: The methods, in the order of run.json; those of an unfinished run may stand
            in summary.csv alone.
        summary: summary.csv, ``batch`` nullable.
        classes: classes.csv, ``batch`` nullable.
        rounds: By method, in the order of `labels`, then by batch.
        losses: Training logs by method (``init`` with batch None) and batch: epoch, train_loss,
            valid_loss, and the mAP50 on the validation images.
    """

    folder: Path
    record: RunRecord
    labels: tuple[str, ...]
    summary: pd.DataFrame
    classes: pd.DataFrame
    rounds: tuple[Round, ...]
    losses: Mapping[tuple[str, int | None], pd.DataFrame]


def read_run(folder: Path) -> Run:
    """Read a run's folder; files that a run has not written yet count as empty.

    Raises:
        InputError: If run.json is missing or is not the record of a run.
    """
    record = _read_record(RunRecord, folder / "run.json")
    if (gathered := folder / "rounds.json").is_file():
        record = record.model_copy(update=dict(_read_record(RoundsRecord, gathered)))
    summary = _read_table(folder / "summary.csv", KEYS, SUMMARY_NUMBERS)
    known = dict.fromkeys([*record.methods, *summary["method"].dropna()])
    labels = tuple(label for label in known if label != INIT)
    return Run(
        folder=folder,
        record=record,
        labels=labels,
        summary=summary,
        classes=_read_table(folder / "classes.csv", (*KEYS, "class"), CLASS_NUMBERS),
        rounds=tuple(r for label in labels for r in _read_rounds(folder, label)),
        losses=_read_losses(folder / "logs", labels),
    )


def run_folders(folder: Path) -> tuple[Path, ...]:
    """Return the folders of single runs: `folder` itself, or its ``seed<k>``, by number.

    Empty if there is no ``run.json`` in any of them.
    """
    if (folder / "run.json").is_file():
        return (folder,)
    seeds = {
        int(path.parent.name.removeprefix("seed")): path.parent
        for path in folder.glob("seed*/run.json")
        if re.fullmatch(r"seed\d+", path.parent.name)
    }
    return tuple(seeds[number] for number in sorted(seeds))


def read_runs(folder: Path) -> tuple[Run, ...]:
    """Read a run's folder, or all seeds of one that holds a folder ``seed<k>`` for each.

    Raises:
        InputError: If there is no record of a run, or one is damaged.
    """
    return tuple(read_run(part) for part in run_folders(folder) or (folder,))


def _read_record(kind: type[T], path: Path) -> T:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected the folder of a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {key}: {first['msg']}; expected a run's record") from None


def _read_table(path: Path, words: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame:
    """Return a CSV with exactly these columns; only an empty field is null, never a word."""
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="replace")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        raw = pd.DataFrame(columns=[*words, *numbers], dtype=str)
    table = raw.reindex(columns=[*words, *numbers]).astype(object)
    table = table.where(table.notna() & (table != ""), None)
    for name in numbers:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    if "batch" in words:
        table["batch"] = pd.to_numeric(table["batch"], errors="coerce").astype("Int64")
    return table


def _read_lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8", errors="replace")
    return tuple(line for line in text.split("\n") if line)


def _numbered(folder: Path, pattern: str) -> dict[int, Path]:
    """Return the files whose whole name matches, by batch; of several epochs the last."""
    found: dict[int, tuple[int, Path]] = {}
    for path in sorted(folder.glob("*")):
        match = re.fullmatch(pattern, path.name)
        if match:
            batch, epoch = int(match["batch"]), int(match.groupdict().get("epoch") or 0)
            found[batch] = max(found.get(batch, (-1, path)), (epoch, path))
    return {batch: path for batch, (_, path) in sorted(found.items())}


def _read_rounds(folder: Path, label: str) -> list[Round]:
    output, start = folder / "output", re.escape(label) + r"(?P<batch>\d+)"
    samples = _numbered(output, start + r"_sample_(?P<epoch>\d+)\.txt")
    benchmarks = _numbered(output, start + r"_benchmark_avg_1_(?P<epoch>\d+)\.csv")
    rounds = []
    for batch in sorted(samples.keys() | benchmarks.keys()):
        chosen = _read_table(output / f"{label}{batch}_selection.csv", ("file", "reason"), ())
        rounds.append(
            Round(
                method=label,
                batch=batch,
                pool=_read_lines(output / f"sample{batch}.txt"),
                sent=_read_lines(samples[batch]) if batch in samples else (),
                reasons=dict(zip(chosen["file"], chosen["reason"].fillna(""), strict=True)),
                seen=_read_benchmark(benchmarks.get(batch, output / "none")),
            )
        )
    return rounds


def _read_benchmark(path: Path) -> pd.DataFrame:
    table = _read_table(path, ("file", "detected", "actual", "hit"), BENCHMARK_NUMBERS)
    words = {"true": True, "false": False}
    hit = table["hit"].map(lambda word: words.get(str(word).lower())).astype(object)
    if table["actual"].isna().all():
        return table.assign(hit=None)  # no truth at all: nothing can miss
    return table.assign(hit=hit.where(hit.notna(), None))


def _read_losses(
    folder: Path, labels: tuple[str, ...]
) -> dict[tuple[str, int | None], pd.DataFrame]:
    columns = ("epoch", "train_loss", "valid_loss", "mAP50")
    files: dict[tuple[str, int | None], Path] = {(INIT, None): folder / "init_training.csv"}
    for label in labels:
        logs = _numbered(folder, re.escape(label) + r"(?P<batch>\d+)_training\.csv")
        files |= {(label, batch): path for batch, path in logs.items()}
    tables = {key: _read_table(path, (), columns) for key, path in files.items()}
    return {key: table for key, table in tables.items() if len(table)}
