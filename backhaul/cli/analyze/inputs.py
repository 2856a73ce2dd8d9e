"""What commands of `backhaul analyze` take: runs, benchmark files, and options they share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from backhaul.cli.options import find_run, seeds_in
from backhaul.errors import InputError
from backhaul.rundata import Run, read_run

TestSet: TypeAlias = Annotated[
    str,
    typer.Option(help="Where it was measured: common, old_test, new_test, mix_test, ..."),
]
Methods: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--method", metavar="M", help="Keep this method. Repeatable; none = all."),
]


def open_run(name: str) -> Run:
    """Return the run that `name` is or is the folder of.

    Raises:
        InputError: If there is none, or several, one a seed.
    """
    folders = seeds_in(find_run(name))
    if len(folders) > 1:
        seeds = ", ".join(folder.name for folder in folders)
        raise InputError(f"{name}: holds {seeds}: name one, such as {name}/{folders[0].name}")
    return read_run(folders[0])
