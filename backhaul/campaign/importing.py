"""Read the folder of a run whose store is not available, as people send them to each other.

Nothing but its plain files is there: what can be understood of them is taken, the rest is left.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.campaign.finding import Finding
from backhaul.campaign.outcome import MethodOutcome, Overall
from backhaul.campaign.provenance import GitState
from backhaul.campaign.run import (
    Findings,
    Losses,
    ProportionRow,
    Run,
    SampledBatch,
    SourceRow,
    TimingRow,
    TrainingRow,
)
from backhaul.campaign.runtables import (
    LOSSES,
    SEEN_NUMBERS,
    SEEN_WORDS,
    plain_seen,
    plain_table,
)
from backhaul.errors import InputError
from backhaul.layout import (
    INITIAL,
    View,
    benchmark_pattern,
    losses_pattern,
    seed_in_name,
    sent_pattern,
)
from backhaul.measure.names import CLASS_NUMBERS, KEYS, SUMMARY_NUMBERS
from backhaul.untrusted import (
    MissingFileError,
    UnreadableFileError,
    one_line,
    read_bytes,
    understanding,
)

M = TypeVar("M", bound=BaseModel)

_MOST_BYTES = 256 * 2**20  # of one file of a run


class _Rounds(BaseModel):
    """Content of ``rounds.json``, which a run that continues hour by hour has."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    trainings: tuple[TrainingRow, ...] = ()
    proportions: tuple[ProportionRow, ...] = ()
    timings: tuple[TimingRow, ...] = ()


class _Config(BaseModel):
    """The config in ``run.json``; of what analyses and pages use, the form is checked."""

    model_config = ConfigDict(frozen=True, extra="allow")

    seed: int = 0
    methods: tuple[dict[str, Any], ...] = ()


class _About(_Rounds):
    """Content of ``run.json``."""

    name: str
    state: Overall
    config: _Config
    class_names: tuple[str, ...]
    versions: dict[str, str] = {}
    git: GitState = GitState()
    started: str
    methods: dict[str, MethodOutcome]
    data: dict[str, int] = {}


class FolderTables:
    """The tables of a run, read from the files of its folder; missing files count as empty.

    Args:
        folder: The folder.
        labels: The methods, in order.
    """

    def __init__(self, folder: Path, labels: tuple[str, ...]) -> None:
        self._view, self._labels = View(folder.as_posix()), labels

    def summary(self) -> pd.DataFrame:
        """See `backhaul.campaign.run.RunTables`."""
        return _read_table(Path(self._view.summary), KEYS, SUMMARY_NUMBERS)

    def classes(self) -> pd.DataFrame:
        """See `backhaul.campaign.run.RunTables`."""
        place = Path(self._view.table("classes"))
        return _read_table(place, (*KEYS, "class"), CLASS_NUMBERS)

    def batches(self) -> tuple[SampledBatch, ...]:
        """See `backhaul.campaign.run.RunTables`."""
        return tuple(each for label in self._labels for each in _batches(self._view, label))

    def losses(self) -> Losses:
        """See `backhaul.campaign.run.RunTables`."""
        every: dict[tuple[str, int | None], Path]
        every = {(INITIAL, None): Path(self._view.losses(INITIAL))}
        for label in self._labels:
            logs = _numbered(Path(self._view.logs), losses_pattern(label))
            every |= {(label, batch): path for batch, path in logs.items()}
        tables = {key: _read_table(path, (), LOSSES) for key, path in every.items()}
        return {key: table for key, table in tables.items() if len(table)}

    def findings(self) -> Findings:
        """See `backhaul.campaign.run.RunTables`."""
        files = sorted(Path(self._view.analysis).glob("*.json"))
        return {path.stem: _read_finding(path) for path in files}


def import_run(folder: Path) -> Run:
    """Read a run's folder; files that a run has not written yet count as empty.

    Raises:
        InputError: If run.json is missing or is not the record of a run.
    """
    view = View(folder.as_posix())
    about = _read(_About, Path(view.run))
    rounds: _Rounds = about
    if os.path.lexists(gathered := Path(view.rounds)):
        rounds = _read(_Rounds, gathered)
    summary = _read_table(Path(view.summary), KEYS, SUMMARY_NUMBERS)
    known = dict.fromkeys([*about.methods, *summary["method"].dropna()])
    labels = tuple(label for label in known if label != INITIAL)
    return Run(
        place=folder.as_posix(),
        name=about.name,
        state=about.state,
        started=about.started,
        config=about.config.model_dump(mode="json", exclude_unset=True),
        class_names=about.class_names,
        data=about.data,
        methods=about.methods,
        sources=(SourceRow(versions=about.versions, git=about.git),),
        trainings=rounds.trainings,
        proportions=rounds.proportions,
        timings=rounds.timings,
        labels=labels,
        tables=FolderTables(folder, labels),
    )


def run_folders(folder: Path) -> tuple[Path, ...]:
    """Return the folders of single runs: `folder` itself, or its ``seed<k>``, by number.

    Empty if there is no ``run.json`` in any of them.
    """
    if os.path.lexists(View(folder.as_posix()).run):
        return (folder,)
    seeds = {
        number: part
        for part in (folder.iterdir() if os.path.isdir(folder) else ())
        if (number := seed_in_name(part.name)) is not None
        and os.path.lexists(View(part.as_posix()).run)
    }
    return tuple(seeds[number] for number in sorted(seeds))


def import_runs(folder: Path) -> tuple[Run, ...]:
    """Read a run's folder, or all seeds of one that holds a folder ``seed<k>`` for each.

    Raises:
        InputError: If there is no record of a run, or one is damaged.
    """
    return tuple(import_run(part) for part in run_folders(folder) or (folder,))


def import_findings(folder: Path) -> Findings:
    """Return the findings in the folder of a run or of several seeds."""
    return FolderTables(folder, ()).findings()


def _read(kind: type[M], path: Path) -> M:
    try:
        with understanding(path):
            return kind.model_validate_json(read_bytes(path, _MOST_BYTES))
    except UnreadableFileError as error:
        raise InputError(f"{error}; expected the folder of a run") from None
    except ValidationError as error:
        raise InputError(f"{path}: {_reason(error)}; expected a run's record") from None


def _read_finding(path: Path) -> Finding | str:
    """Return a finding, or one line that says why it cannot be read."""
    try:
        with understanding(path):
            return Finding.model_validate_json(read_bytes(path, _MOST_BYTES))
    except UnreadableFileError as error:
        return error.reason
    except ValidationError as error:
        return _reason(error)


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    return one_line(": ".join(part for part in (key, first["msg"]) if part))


def _read_table(path: Path, words: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV with exactly these columns; only empty fields are null, no word is."""
    try:
        data = io.BytesIO(read_bytes(path, _MOST_BYTES))
    except MissingFileError:
        return plain_table(None, words, numbers)
    with understanding(path):
        try:
            raw = pd.read_csv(data, dtype=str, keep_default_na=False, encoding_errors="replace")
        except pd.errors.EmptyDataError:
            return plain_table(None, words, numbers)
        return plain_table(raw.where(raw != "", None), words, numbers)


def _read_lines(path: Path) -> tuple[str, ...]:
    try:
        text = read_bytes(path, _MOST_BYTES).decode("utf-8", errors="replace")
    except MissingFileError:
        return ()
    return tuple(line for line in text.split("\n") if line)


def _numbered(folder: Path, pattern: str) -> dict[int, Path]:
    """Return the files whose whole name matches, by batch; of several epochs the last one."""
    found: dict[int, tuple[int, Path]] = {}
    for path in sorted(folder.glob("*")):
        match = re.fullmatch(pattern, path.name)
        if match:
            batch, epoch = int(match["batch"]), int(match.groupdict().get("epoch") or 0)
            found[batch] = max(found.get(batch, (-1, path)), (epoch, path))
    return {batch: path for batch, (_, path) in sorted(found.items())}


def _batches(view: View, label: str) -> list[SampledBatch]:
    output = Path(view.output)
    samples = _numbered(output, sent_pattern(label))
    benchmarks = _numbered(output, benchmark_pattern(label))
    return [
        _batch(view, label, batch, samples.get(batch), benchmarks.get(batch))
        for batch in sorted(samples.keys() | benchmarks.keys())
    ]


def _batch(
    view: View, label: str, batch: int, sample: Path | None, benchmark: Path | None
) -> SampledBatch:
    sent = () if sample is None else _read_lines(sample)
    selection = Path(view.selection(f"{label}{batch}"))
    chosen = _read_table(selection, ("file", "reason"), ("size_bytes",)).set_index("file")
    n_bytes = chosen["size_bytes"]
    seen = _read_benchmark(benchmark)
    return SampledBatch(
        method=label,
        batch=batch,
        pool=_read_lines(Path(view.images(batch))),
        sent=sent,
        reasons={str(file): reason or "" for file, reason in chosen["reason"].items()},
        n_bytes={str(file): int(n) for file, n in n_bytes.items() if math.isfinite(n)},
        n_objects=_n_objects(sent, seen),
        seen=seen,
    )


def _n_objects(sent: tuple[str, ...], seen: pd.DataFrame) -> Mapping[str, int]:
    """Return the true objects of a benchmark in what was sent; none where it has no truth."""
    if seen["hit"].isna().all():
        return {}
    objects = seen.loc[seen["actual"].notna(), "file"].value_counts()
    return {file: int(objects.get(file, 0)) for file in sent}


def _read_benchmark(path: Path | None) -> pd.DataFrame:
    if path is None:
        return plain_seen(None)
    table = _read_table(path, SEEN_WORDS, SEEN_NUMBERS)
    words = {"true": True, "false": False}
    hit = table["hit"].map(lambda word: words.get(str(word).lower())).astype(object)
    return plain_seen(table.assign(hit=hit.where(hit.notna(), None)))
