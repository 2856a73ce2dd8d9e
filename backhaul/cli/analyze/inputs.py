"""What commands of `backhaul analyze` take: runs, benchmark files, and options they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import pandas as pd
import typer

from backhaul.analysis.finding import Finding, name_of
from backhaul.analysis.results import choose_methods
from backhaul.analysis.seen import read_benchmark, seen_by_method
from backhaul.cli.analyze.keep import keep
from backhaul.cli.options import find_run
from backhaul.errors import InputError
from backhaul.rundata import Run, read_run, run_folders

TestSet: TypeAlias = Annotated[
    str,
    typer.Option(help="Where it was measured: common, old_test, new_test, mix_test, ..."),
]
Methods: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--method", metavar="M", help="Keep this method. Repeatable; none = all."),
]
BenchmarkOrRun: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN|BENCHMARK.csv",
        help="A run (folder, or name under runs/) or a benchmark file, also of another tool, "
        "with the columns file, detected, actual, conf, conf_std, hit.",
    ),
]


def open_run(name: str) -> Run:
    """Return the run that `name` is or is the folder of.

    Raises:
        InputError: If there is none, or several, one a seed.
    """
    folders = run_folders(find_run(name))
    if len(folders) > 1:
        seeds = ", ".join(folder.name for folder in folders)
        raise InputError(f"{name}: holds {seeds}: name one, such as {name}/{folders[0].name}")
    return read_run(folders[0])


@dataclass(frozen=True)
class Source:
    """Where detections come from, and where findings on them go.

    Args:
        place: Folder of a run, or a benchmark file.
        parts: What was seen, by method, or under the name of the file.
    """

    place: Path
    parts: Mapping[str, pd.DataFrame]

    @property
    def seen(self) -> pd.DataFrame:
        """All that was seen."""
        return pd.concat(self.parts.values(), ignore_index=True)

    def name(self, analysis: str, *choices: str | None) -> str:
        """Return the name of a finding on it, see `name_of`."""
        place = analysis if self.place.is_dir() else f"{self.place.stem}_{analysis}"
        return name_of(place, *choices)

    def write(self, finding: Finding) -> tuple[Path, ...]:
        """Write a finding into the run's folder, or beside the file; return the files."""
        from backhaul.analysis.writing import write_beside

        write = keep if self.place.is_dir() else write_beside
        return write(self.place, finding)


def open_source(name: str, methods: list[str] | None) -> Source:
    """Return what was seen in a run, by the methods asked for, or what a benchmark file says.

    Raises:
        InputError: If there is neither, or it cannot be read.
    """
    file = Path(name)
    if not file.is_file():
        run = open_run(name)
        return Source(run.folder, seen_by_method(run, choose_methods(run, methods or ())))
    if methods:
        raise InputError(f"{file}: --method chooses methods of a run; this is one benchmark")
    return Source(file, {file.stem: read_benchmark(file)})
