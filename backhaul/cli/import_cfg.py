"""`backhaul import-cfg`: a config of the earlier tool as a campaign."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.campaign.legacy.imageset import ListedSet
from backhaul.campaign.legacy.translation import translate
from backhaul.cli.imported import tell, write_new
from backhaul.errors import InputError


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
    write_new(target, translation.yaml)
    tell(translation.rows, target, [listed.root for listed in translation.sets])


def _write_sets(sets: Sequence[ListedSet]) -> None:
    for listed in sets:
        if listed.root.exists():
            raise InputError(f"{listed.root}: exists already; choose another name with --name")
    for listed in sets:
        for part, text in listed.files.items():
            write_new(listed.root / part, text)
