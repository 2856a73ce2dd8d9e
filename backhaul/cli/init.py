"""`backhaul init`: a campaign for a folder of labelled images."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from backhaul.campaign.configfile import load_config
from backhaul.campaign.proposal.proposal import MINUTE_S, Proposal
from backhaul.campaign.proposal.text import campaign_file
from backhaul.cli.data import FormatOrAuto, Names
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.storage.addresses import is_local
from backhaul.untrusted import user_path

if TYPE_CHECKING:
    from backhaul.cli.proposing import Asked


def init(
    folder: Annotated[
        str,
        typer.Argument(metavar="FOLDER", help="Folder of a data set, or its s3:// address."),
    ],
    label_format: Annotated[
        FormatOrAuto, typer.Option("--format", help="Label format; auto looks at the folder.")
    ] = "auto",
    names: Names = None,
    minutes: Annotated[
        float, typer.Option(min=1, help="How long the campaign may take on this machine.")
    ] = 15,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="the folder's name, here"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the campaign.")] = 0,
    model: Annotated[
        str, typer.Option(help="Detector: a name, or a trained FILE.pt to start from.")
    ] = "yolo11n",
) -> None:
    """Look at a data set, and write a campaign that fits it, with all reasons.

    A few training steps tell how fast this machine is. Nothing is written but the one file.

    [bold]Examples[/bold]

      backhaul init ~/cars

      backhaul init ~/cars --minutes 60 --out cars-long.yaml
    """
    from backhaul.cli.proposing import Asked, data_place, name_for

    target = out or Path(f"{name_for(folder)}.yaml")
    require_apart(data_place(folder), target)
    if target.exists():
        raise InputError(f"{target}: exists already; choose another file with --out")
    write_proposal(Asked(folder, label_format, names, minutes, seed, model), target)
    shown = shlex.quote(str(target))
    for command in ("validate", "run"):
        typer.echo(f"next: backhaul {command} {shown}")


def is_data_set(place: str) -> bool:
    """Return whether a place is a folder or an address, and no config."""
    return "://" in place or user_path(place).is_dir()


def campaign_of(place: str) -> Path:
    """Return the campaign for a data set in the working directory; it is written if new.

    Raises:
        InputError: If the file of that name is for other data, or there can be none for these.
    """
    from backhaul.cli.proposing import Asked, data_place, name_for

    root, target = data_place(place), Path(f"{name_for(place)}.yaml")
    require_apart(root, target)
    if not target.exists():
        write_proposal(Asked(place), target)
        return target
    data = load_config(target).data
    if not isinstance(data, FolderData) or not _is_same(data.root, root):
        raise InputError(
            f"{target}: exists, and is not a campaign for {root}; write one: `backhaul init "
            f"{shlex.quote(place)} --out OTHER.yaml`, and run that"
        )
    typer.echo(f"{target}: exists, and is gone on with", err=True)
    return target


def _is_same(place: str, other: str) -> bool:
    if not (is_local(place) and is_local(other)):
        return place == other
    return Path(place).resolve() == Path(other).resolve()


def require_apart(root: str, target: Path) -> None:
    """Do nothing if a campaign may be written, and run here, without writing into the data.

    Args:
        root: Folder or address of the data set.
        target: The file to write.

    Raises:
        InputError: If the file or the working folder lies in the data, or there is no folder
            for the file.
    """
    if not target.parent.is_dir():
        raise InputError(f"{target}: there is no folder {target.parent}")
    if not is_local(root):
        return
    data = Path(root).resolve()
    for what, place in ((target, target.parent.resolve()), ("this folder", Path.cwd())):
        if data == place or data in place.parents:
            raise InputError(
                f"{what}: lies in {root}, which nothing is written into; go to another folder, "
                "where the campaign and its results may be"
            )


def write_proposal(asked: Asked, target: Path) -> None:
    """Propose a campaign, write it into a new file, and print what was chosen and why.

    Args:
        asked: What is asked for.
        target: The file; its name is the campaign's.

    Raises:
        InputError: If there is no campaign for the data set, or no place for the file.
    """
    from backhaul.cli.proposing import as_name, proposed_for

    proposal = proposed_for(asked, as_name(target.stem))
    minutes_here = f"{proposal.seconds / MINUTE_S:.0f} minutes"
    head = [
        f"For {asked.place}, by `backhaul init`: about {minutes_here} on the machine there.",
        "Every field, with its meaning, unit and default: configs/reference.yaml",
    ]
    text = campaign_file(proposal.choices, head)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{target}: {error.strerror}") from None
    show_proposal(proposal)
    typer.echo(f"written: {target}, about {minutes_here} on this machine")


def show_proposal(proposal: Proposal) -> None:
    """Print what was chosen and why, and the warnings."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("setting", "value", "why"):
        table.add_column(column, overflow="fold")
    for choice in proposal.choices:
        if choice.reason:
            value = choice.value
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            table.add_row(choice.key, shown, choice.reason)
    console = Console(highlight=False, markup=False)
    console.print(table)
    for warning in proposal.warnings:
        console.print(f"warning: {warning}", soft_wrap=True)
