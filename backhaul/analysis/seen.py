"""Detections of ensembles matched with the truth, from a run or from a benchmark file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from backhaul.campaign.run import Run
from backhaul.errors import InputError
from backhaul.layout import BENCHMARK, View
from backhaul.untrusted import UnreadableFileError, one_line, read_bytes, understanding

COLUMNS = ("file", "detected", "actual", "conf", "conf_std", "hit")
_MOST_BYTES = 256 * 2**20
HITS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def seen_by_method(run: Run, methods: tuple[str, ...]) -> Mapping[str, pd.DataFrame]:
    """Return the detections of each method's ensemble in all its batches, before sampling.

    Returns:
        By method, for those that saw anything: columns ``COLUMNS``; ``detected`` and
        ``actual`` are None where there is nothing, ``hit`` where there is no truth.

    Raises:
        InputError: If none saw anything.
    """
    seen = {
        label: [r.seen[list(COLUMNS)] for r in run.batches if r.method == label and len(r.seen)]
        for label in methods
    }
    tables = {label: pd.concat(t, ignore_index=True) for label, t in seen.items() if t}
    if not tables:
        raise InputError(f"{run.place}: no benchmark of these methods lists anything yet")
    return tables


def read_benchmark(path: Path) -> pd.DataFrame:
    """Read a benchmark file with one row per detection or missed true object.

    Further columns are left out. Where ``actual`` is empty throughout there is no truth at
    all, and nothing is a miss.

    Returns:
        Columns ``COLUMNS``; ``detected`` and ``actual`` are None where there is nothing,
        ``hit`` where there is no truth.

    Raises:
        InputError: If it cannot be read, lacks a column, or holds a wrong value.
    """
    try:
        data = io.BytesIO(read_bytes(path, _MOST_BYTES))
    except UnreadableFileError as error:
        raise InputError(f"{path}: {error.reason}; {_wanted(path)}") from None
    with understanding(path):
        return _parse(path, data)


def _wanted(path: Path) -> str:
    """Return what a benchmark file is, with one of the run that `path` may be."""
    what = f"expected a benchmark file, a CSV with the columns {', '.join(COLUMNS)}"
    names = f"*{BENCHMARK}*.csv"
    outputs = [View(folder.as_posix()).output for folder in (path, Path("runs") / path)]
    found = sorted(file for output in outputs for file in Path(output).glob(names))
    if found:
        return f"{what}, such as {found[0]}"
    return f"{what}; those of a run are {View('runs/RUN').output}/{names}"


def _parse(path: Path, data: io.BytesIO) -> pd.DataFrame:
    try:
        raw = pd.read_csv(data, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except Exception as error:  # whatever the parser raises
        told = one_line(" ".join(str(error).split()))
        raise InputError(f"{path}: is no CSV ({told}); {_wanted(path)}") from None
    missing = [name for name in COLUMNS if name not in raw]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; {_wanted(path)}")
    table = raw[list(COLUMNS)].map(str.strip).astype(object)
    for name in ("conf", "conf_std"):
        table[name] = _numbers(path, table[name])
    outside = ~table["conf"].between(0, 1) & table["conf"].notna()
    if outside.any():
        _refuse(path, "conf", raw["conf"][outside], "a number in [0, 1]")
    blind = table["detected"].ne("") & table["conf"].isna()
    if blind.any():
        _refuse(path, "conf", raw["conf"][blind], "the confidence of a detection")
    table["hit"] = _hits(path, table["hit"])
    for name in ("detected", "actual"):
        table[name] = table[name].where(table[name].ne(""), None)
    return table.assign(hit=None) if table["actual"].isna().all() else table


def _numbers(path: Path, words: pd.Series[str]) -> pd.Series[float]:
    numbers = pd.to_numeric(words, errors="coerce").astype(float)
    wrong = numbers.isna() & ~words.str.lower().isin(["", "nan"])
    if wrong.any():
        _refuse(path, str(words.name), words[wrong], "a number")
    return numbers


def _hits(path: Path, words: pd.Series[str]) -> pd.Series[bool]:
    wrong = words.ne("") & ~words.str.lower().isin(HITS)
    if wrong.any():
        _refuse(path, "hit", words[wrong], "True, False or nothing")
    hits = words.str.lower().map(HITS).astype(object)
    return hits.where(hits.notna(), None)


def _refuse(path: Path, column: str, wrong: pd.Series[str], expected: str) -> None:
    line = int(wrong.index[0]) + 2  # the header is line 1
    value = wrong.iloc[0]
    shown = one_line(repr(value))
    raise InputError(f"{path}:{line}: {column} is {shown}, expected {expected}")
