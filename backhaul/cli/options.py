"""Arguments that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.configfile import load_config

ConfigFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A campaign, as YAML.", show_default=False)
]
Overrides: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting that wins over the file, for example bandwidth.images=30. Repeatable.",
        show_default=False,
    ),
]
Plain: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="Write short lines, one a decision, in place of a live view of the run.",
    ),
]
RunName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Folder of a run, its name under runs/, or its address, s3://... or block://...",
    ),
]


def read_config(path: Path, overrides: list[str] | None) -> CampaignConfig:
    """Return the campaign; it may name modules beside its file or in the working directory."""
    find_code_beside(path)
    return load_config(path, tuple(overrides or ()))


def find_code_beside(path: Path) -> None:
    """Let modules beside a config, or in the working directory, be imported."""
    for folder in (path.parent, Path.cwd()):
        if (place := str(folder.resolve())) not in sys.path:
            sys.path.append(place)
