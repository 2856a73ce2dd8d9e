"""What commands of `backhaul analyze` take: runs, benchmark files, and options they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import pandas as pd
import typer

from backhaul.analysis.finding import Finding, name_of
from backhaul.analysis.results import choose_methods
from backhaul.analysis.seen import read_benchmark, seen_by_method
from backhaul.campaign.rundata import Run, read_run, run_folders
from backhaul.cli.analyze.keep import keep
from backhaul.cli.runplace import RunPlace, run_at
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


@contextmanager
def open_run(name: str) -> Iterator[tuple[Run, RunPlace]]:
    """Open the run that `name` is, is the folder of or the address of.

    Raises:
        InputError: If there is none, or several, one a seed.
    """
    with run_at(name) as place:
        folders = run_folders(place.folder)
        if len(folders) > 1:
            seeds = ", ".join(folder.name for folder in folders)
            raise InputError(
                f"{name}: holds {seeds}: name one, such as {name}/{folders[0].name}"
            )
        yield read_run(folders[0]), RunPlace(place.address_of(folders[0]), folders[0])


@dataclass(frozen=True)
class Source:
    """Where detections come from, and where findings on them go.

    Args:
        place: A run, or a benchmark file.
        parts: What was seen, by method, or under the name of the file.
    """

    place: RunPlace | Path
    parts: Mapping[str, pd.DataFrame]

    @property
    def seen(self) -> pd.DataFrame:
        """All that was seen."""
        return pd.concat(self.parts.values(), ignore_index=True)

    def name(self, analysis: str, *choices: str | None) -> str:
        """Return the name of a finding on it, see `name_of`."""
        if isinstance(self.place, RunPlace):
            return name_of(analysis, *choices)
        return name_of(f"{self.place.stem}_{analysis}", *choices)

    def write(self, finding: Finding) -> tuple[str, ...]:
        """Write a finding into the run's folder, or beside the file; return the files."""
        from backhaul.analysis.writing import write_beside

        if isinstance(self.place, RunPlace):
            return keep(self.place, finding)
        return tuple(map(str, write_beside(self.place, finding)))


@contextmanager
def open_source(name: str, methods: list[str] | None) -> Iterator[Source]:
    """Open what was seen in a run, by the methods asked for, or what a benchmark file says.

    Raises:
        InputError: If there is neither, or it cannot be read.
    """
    file = Path(name)
    if not file.is_file():
        with open_run(name) as (run, place):
            yield Source(place, seen_by_method(run, choose_methods(run, methods or ())))
        return
    if methods:
        raise InputError(f"{file}: --method chooses methods of a run; this is one benchmark")
    yield Source(file, {file.stem: read_benchmark(file)})
