"""`backhaul import-cfg`: a config of the earlier tool as a campaign."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.campaign.legacy.imageset import ListedSet
from backhaul.campaign.legacy.row import Row
from backhaul.campaign.legacy.translation import translate
from backhaul.errors import InputError

TITLES = {
    "mapped": "The same here",
    "changed": "Means something else here",
    "refused": "Cannot be honoured",
    "missing": "Was not given",
}


def import_cfg(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.cfg", help="Config of the earlier tool.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write the campaign.", show_default="FILE.yaml beside it"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the campaign.", show_default="the file's")
    ] = None,
) -> None:
    """Turn a config of bandwidth-aware-learning (key = value, inherit) into a campaign.

    Says what each parameter has become. A set that was given as a list of images becomes a
    folder beside the campaign that names them; no image is copied.
    docs/coming-from-bandwidth-aware-learning.md has more.

    [bold]Examples[/bold]

      backhaul import-cfg config/cars-retrain-60.cfg

      backhaul import-cfg retrain.cfg --out cars.yaml --name cars
    """
    target = out or file.with_suffix(".yaml")
    if target.exists():
        raise InputError(f"{target}: exists already; choose another file with --out")
    called = name or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._") or "campaign"
    translation = translate(read_cfg(file), called, target.parent)
    _write_sets(translation.sets)
    _write(target, translation.yaml)
    console = Console()
    for fate, title in TITLES.items():
        if rows := [row for row in translation.rows if row.fate == fate]:
            console.print(_table(title, rows))
    for written in (*(listed.root for listed in translation.sets), target):
        console.print(f"written: {written}", markup=False, soft_wrap=True)
    console.print(
        f"next: backhaul validate {shlex.quote(str(target))}", markup=False, soft_wrap=True
    )


def _write_sets(sets: Sequence[ListedSet]) -> None:
    for listed in sets:
        if listed.root.exists():
            raise InputError(f"{listed.root}: exists already; choose another name with --name")
    for listed in sets:
        for part, text in listed.files.items():
            _write(listed.root / part, text)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("parameter", "value", "here", "why"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, (row.key, row.value, row.here, row.why)))
    return table
