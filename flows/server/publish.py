"""Artifacts of a run in Prefect's UI: one for each round, two for the run, and findings."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from PIL import Image
from prefect import get_run_logger

from backhaul.analysis.compare import compare
from backhaul.analysis.png import draw
from backhaul.analysis.results import COMMON, initial_value, measured
from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.rounds import last_rounds, read_round
from backhaul.campaign.run import Run
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runtables import run_of
from backhaul.layout import INITIAL, RunFiles
from backhaul.registry.overview import read_registry
from backhaul.registrylayout import RegistryFiles
from backhaul.report.cells import in_markdown
from backhaul.report.models import timeline_table, versions_table
from backhaul.storage.objects import read_value
from backhaul.values.results import TrainingResult
from flows.server.temporary import is_temporary
from tasks.shown import show

METRIC = "mAP50"
MOST_PICTURE_BYTES = 100_000
"""A larger picture is left out: each version of an artifact stays in the server's database."""
COLOURS = 64
"""In a picture: lines and letters need no more, and it is a third of the bytes."""
MOST_BATCHES = 24
"""Batches in the curves of a run: the last ones."""

_drawing = threading.Lock()  # matplotlib draws for one thread at a time


def publish_round(files: RunFiles, record: RoundRecord) -> None:
    """Show the numbers and losses of a round as the artifact ``<run>-<method>``.

    A temporary server has no UI, and gets none.
    """
    if is_temporary():
        return
    name = files.name
    with best_effort("the table of this round"):
        lines = [f"# {_title(record)}", "", "| | |", "|---|---|", *_rows(files, record)]
        if record.training is not None:
            lines += ["", _picture(_losses(record.training))]
        description = f"{name}: {_title(record)}"
        show("markdown", "\n".join(lines), description, key_of(name, record.method))


def publish_run(files: RunFiles) -> None:
    """Show how methods compare so far as the artifacts ``<run>`` and ``<run>-summary``.

    A temporary server has no UI, and gets none.
    """
    if is_temporary():
        return
    name = files.name
    with best_effort("the comparison of methods"):
        run = _recent(files)
        finding, last = compare(run), _last(run)
        lines = [f"# {name}", "", finding.note, "", _picture(finding), "", *_markdown(last)]
        description = f"{name}: {METRIC} on {COMMON}, by batch and method"
        show("markdown", "\n".join(lines), description, key_of(name))
        table = [dict(zip(last.columns, row, strict=True)) for row in cells(last)]
        description = f"{name}: the last batch of each method"
        show("table", json.dumps(table), description, key_of(name, "summary"))


def publish_models(files: RunFiles) -> None:
    """Show the versions of a run's model and all decisions as the artifact ``<run>-models``.

    A run without versions has none; a temporary server has no UI, and gets none.
    """
    if is_temporary():
        return
    with best_effort("the list of models"):
        registry = read_registry(RegistryFiles(files))
        if not registry.entries:
            return
        versions, timeline = versions_table(registry), timeline_table(registry)
        lines = [f"# Models of {files.name}", "", *in_markdown(versions)]
        lines += ["", "## Decisions, the last one first", "", *in_markdown(timeline)]
        description = f"{files.name}: versions and decisions"
        show("markdown", "\n".join(lines), description, key_of(files.name, "models"))


def publish_finding(files: RunFiles, finding: Finding) -> None:
    """Show a finding as the artifact ``<run>-<finding>``.

    A temporary server has no UI, and gets none.
    """
    if is_temporary():
        return
    with best_effort("a finding"):
        lines = [f"# {finding.title}", "", finding.note, "", _picture(finding)]
        description = f"{files.name}: {finding.title}"
        show("markdown", "\n".join(lines), description, key_of(files.name, finding.name))


def key_of(*words: str) -> str:
    """Return the key of an artifact: lower case letters, digits and dashes.

    Example:
        >>> key_of("Cars 2/seed0", "iqr")
        'cars-2-seed0-iqr'
    """
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """Log a warning if Prefect rejects `what`, in place of failing: no result depends on it."""
    try:
        yield
    except Exception as error:  # a picture that cannot be drawn, too
        get_run_logger().warning("%s is not shown in Prefect's UI: %s", what, error)


def _title(record: RoundRecord) -> str:
    if record.batch is None:
        return "initial training"
    return f"{record.method}, batch {record.batch}"


def _rows(files: RunFiles, record: RoundRecord) -> list[str]:
    rows = []
    if (sent := record.sent) is not None:
        images = f"{sent.n_images:,} of {sent.pool_images:,} images"
        rows.append(f"| sent | {images}, {sent.n_bytes:,} of {sent.pool_bytes:,} bytes |")
    if (training := record.training) is not None:
        last = training.first_epoch + training.epochs - 1
        epochs = f"epochs {training.first_epoch} to {last}"
        rows += [
            f"| trained | {epochs}, {training.n_train:,} images, {training.seconds:.0f} s |",
            f"| stopped | {training.stopped_because} |",
        ]
    if (verdict := record.verdict) is not None:
        said = f"{verdict.ruling} by {verdict.by}: {verdict.reason}".replace("|", "/")
        rows.append(f"| version {verdict.version} | {said} |")
    rows.append(f"| current checkpoint | epoch {record.standing.current.epoch} |")
    rows.append(f"| {METRIC} on {COMMON} | {_score(files, record)} |")
    return rows


def _score(files: RunFiles, record: RoundRecord) -> str:
    """Return the metric of a round, and how much it changed since the round before."""
    score = common_score(record)
    if record.batch is None:
        return _number(score)
    before = f"{record.method}{record.batch - 1}" if record.batch else INITIAL
    change = score - common_score(read_round(files, before))
    return f"{_number(score)} ({_number(change, '+')} since the round before)"


def common_score(record: RoundRecord) -> float:
    """Return the metric of a round on the common test set."""
    table = read_value(pd.DataFrame, record.evaluation)
    rows = table[(table["test_set"] == COMMON) & (table["class"] == "")]
    return float(rows[METRIC].iloc[0])


def _number(value: float, sign: str = "") -> str:
    return "unknown" if math.isnan(value) else f"{value:{sign}.3f}"


def _losses(training: TrainingResult) -> Finding:
    history = read_value(pd.DataFrame, training.history)
    x = tuple(history["epoch"].astype(float))
    lines = tuple(
        Series(name=name, x=x, y=values(history[column]))
        for column, name in (("train_loss", "training"), ("valid_loss", "validation"))
    )
    chart = Chart(title="Losses", x_title="epoch", y_title="loss", series=lines)
    return Finding(name="losses", title="Losses", columns=(), rows=(), charts=(chart,))


def _picture(finding: Finding) -> str:
    with _drawing:
        drawn = draw(finding)
    small = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as picture:
        picture.convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    if small.tell() > MOST_PICTURE_BYTES:
        return "The picture is too large to be kept here; report.html has it."
    encoded = base64.b64encode(small.getvalue()).decode("ascii")
    return f"![{finding.title}](data:image/png;base64,{encoded})"


def _recent(files: RunFiles) -> Run:
    """Return the run with its initial training and its last batches."""
    records = RunRecords(files)
    if not records.goes_on_for_ever:
        return run_of(records, last_rounds(records.rounds, MOST_BATCHES))
    rounds = [read_round(files, INITIAL)]
    for label, played in records.state.played.items():
        first = max(played - MOST_BATCHES, 0)
        rounds += [read_round(files, f"{label}{k}") for k in range(first, played)]
    return run_of(records, rounds)


def _last(run: Run) -> pd.DataFrame:
    """Return the last round of each method: what it sent in all, and what that brought."""
    rows = measured(run, COMMON)
    played = rows[rows["method"] != INITIAL].sort_values("batch")
    last = played.drop_duplicates("method", keep="last").set_index("method")
    last = last.reindex([label for label in run.labels if label in last.index])
    return pd.DataFrame(
        {
            "method": last.index,
            "batch": last["batch"].to_numpy(),
            "images sent": last["images_sent_total"].to_numpy(dtype="int64"),
            "bytes sent": last["bytes_sent_total"].to_numpy(dtype="int64"),
            "epoch": last["epoch"].to_numpy(dtype="int64"),
            METRIC: last[METRIC].to_numpy(),
            "gain": (last[METRIC] - initial_value(rows, METRIC)).to_numpy(),
        }
    )


def _markdown(table: pd.DataFrame) -> list[str]:
    lines = [f"| {' | '.join(table.columns)} |", "|---" * len(table.columns) + "|"]
    for row in table.itertuples(index=False):
        *known, score, gain = row
        lines.append(
            f"| {' | '.join(map(str, known))} | {_number(score)} | {_number(gain, '+')} |"
        )
    return lines
