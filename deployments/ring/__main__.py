"""``python -m deployments.ring``: the whole way round on this machine, told as it happens."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from backhaul.errors import InputError
from deployments.local.__main__ import step
from deployments.local.label_studio import PERSON
from deployments.local.registration import ROOT
from deployments.local.stack import Stack, claimed_stack, known_stack
from deployments.ring.scenes import Scenes
from deployments.ring.site import N_INITIAL, Plan, Site
from deployments.ring.story import FRAMES, MOST_TURNS, Story

WRONG_INPUT = 2
Folder = Annotated[Path, typer.Option(metavar="FOLDER", help="Where all of it lies.")]
USUAL = ROOT / ".ring"

app = typer.Typer(
    help="The whole way round on this machine: nodes choose, a person labels, a gate decides.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def play(folder: Folder = USUAL) -> None:
    """Start everything, go once round, and say what happens and where to look.

    Home is a Prefect server on PostgreSQL, an object store, workers and Label Studio; three
    nodes are agents with keys of their own. What lies in the folder is gone on with.
    """
    folder = folder.absolute()
    plan, began = Plan(), time.monotonic()
    n_scenes = N_INITIAL + (MOST_TURNS + 2) * FRAMES * len(plan.nodes)
    stack = claimed_stack(folder / "up", labels=True)
    stack.start(step)
    _say_where(stack)
    site = Site(folder, stack, Scenes.draw(folder / "scenes", n_scenes), plan)
    with ExitStack() as running:
        story = Story(site, lambda line: _tell(line, began), running)
        story.first_model()
        story.start_nodes()
        made = story.round()
        if made["state"] == "canary":
            story.until_decided(made["version"])
        typer.echo(site.home("models", "list", site.run))
        typer.echo(site.home("fleet", "--store", site.address))
    _say_where(stack)
    typer.echo(f"report: backhaul report {site.run}, or s3 address {site.run}/report.html")
    typer.echo("the services go on: python -m deployments.ring down")


@app.command()
def down(folder: Folder = USUAL) -> None:
    """Stop the services; the data stay."""
    stack = known_stack(folder.absolute() / "up")
    if stack is not None:
        stack.stop(step)
    typer.echo("all is down")


def _tell(line: str, began: float) -> None:
    typer.echo(f"[{time.monotonic() - began:5.0f} s] {line}")


def _say_where(stack: Stack) -> None:
    typer.echo(f"Prefect: {stack.server.address}   login: the line in {stack.login_file}")
    if stack.labelling is not None:
        password = stack.folder / "secrets" / "labelling"
        address = stack.labelling.address
        typer.echo(f"Label Studio: {address}   {PERSON}, password in {password}")


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 something went wrong, 2 it cannot be done."""
    try:
        app(prog_name="python -m deployments.ring")
    except InputError as error:
        typer.echo(f"\nerror: {error}", err=True)
        sys.exit(WRONG_INPUT)
    except (RuntimeError, TimeoutError) as error:
        typer.echo(f"\nerror: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
