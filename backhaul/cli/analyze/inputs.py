"""What commands of `backhaul analyze` take: runs, benchmark files, and options they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import pandas as pd
import typer

from backhaul.analysis.results import choose_methods
from backhaul.analysis.seen import read_benchmark, seen_by_method
from backhaul.campaign.finding import Finding, name_of
from backhaul.campaign.run import Run
from backhaul.cli.runplace import FolderPlace, StoredPlace, find_run
from backhaul.errors import InputError

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
        help="A run (folder, name under runs/, or address) or a benchmark file, also of "
        "another tool, with the columns file, detected, actual, conf, conf_std, hit.",
    ),
]


Place: TypeAlias = StoredPlace | FolderPlace


def open_run(name: str) -> tuple[Run, Place]:
    """Return the run that `name` is, is the folder of or the address of, and where it is.

    Raises:
        InputError: If there is none, or several, one a seed.
    """
    place = find_run(name)
    runs = place.read().runs
    if len(runs) > 1:
        seeds = [run.place.rpartition("/")[2] for run in runs]
        raise InputError(
            f"{name}: holds {', '.join(seeds)}: name one, such as {name}/{seeds[0]}"
        )
    return runs[0], find_run(runs[0].place)


@dataclass(frozen=True)
class Source:
    """Where detections come from, and where findings on them go.

    Args:
        place: A run, or a benchmark file.
        parts: What was seen, by method, or under the name of the file.
    """

    place: Place | Path
    parts: Mapping[str, pd.DataFrame]

    @property
    def seen(self) -> pd.DataFrame:
        """All that was seen."""
        return pd.concat(self.parts.values(), ignore_index=True)

    def name(self, analysis: str, *choices: str | None) -> str:
        """Return the name of a finding on it, see `name_of`."""
        if isinstance(self.place, Path):
            return name_of(f"{self.place.stem}_{analysis}", *choices)
        return name_of(analysis, *choices)

    def write(self, finding: Finding) -> tuple[str, ...]:
        """Write a finding into the run's folder, or beside the file; return the files."""
        from backhaul.analysis.writing import write_beside

        if isinstance(self.place, Path):
            return write_beside(self.place, finding)
        return self.place.keep(finding)


def open_source(name: str, methods: list[str] | None) -> Source:
    """Return what was seen in a run, by the methods asked for, or what a benchmark file says.

    Raises:
        InputError: If there is neither, or it cannot be read.
    """
    file = Path(name)
    if not file.is_file() and file.suffix.lower() != ".csv":
        run, place = open_run(name)
        return Source(place, seen_by_method(run, choose_methods(run, methods or ())))
    if methods:
        raise InputError(f"{file}: --method chooses methods of a run; this is one benchmark")
    return Source(file, {file.stem: read_benchmark(file)})
