"""``python -m deployments.local``: the services of production on this machine."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from backhaul.errors import InputError
from deployments.local.beside import LABELLING
from deployments.local.identities import Identity
from deployments.local.label_studio import PERSON
from deployments.local.options import AllBut, Another, Name, Prefix, RoleOf
from deployments.local.packages import install, missing_packages
from deployments.local.registration import ROOT
from deployments.local.stack import Stack, claimed_stack, known_stack

WRONG_INPUT = 2

Folder = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Where data, logs and generated secrets lie.")
]
Labels = Annotated[
    bool,
    typer.Option(
        "--labels", help="With Label Studio; it belongs to the folder's services from then on."
    ),
]
USUAL = ROOT / ".up"

app = typer.Typer(
    help="PostgreSQL, SeaweedFS (S3), a Prefect server and workers on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, and when it is done the seconds that it took."""
    began = time.monotonic()
    typer.echo(f"{text} ... ", nl=False)
    yield
    typer.echo(f"{time.monotonic() - began:.1f} s")


@app.command()
def services() -> None:
    """Install PostgreSQL and Chromium by apt-get, if they are not there."""
    packages = missing_packages()
    if packages:
        install(packages)
    typer.echo("PostgreSQL and Chromium are there; SeaweedFS came with the Python packages")


@app.command()
def up(folder: Folder = USUAL, labels: Labels = False) -> None:
    """Start what does not run yet, and say where it is and what to do next."""
    if labels and not LABELLING.is_made:
        with step("installing Label Studio beside ours, once: minutes, and a gigabyte"):
            LABELLING.make()
    stack = claimed_stack(folder, labels)
    missing = [service for service in stack.services if not service.running]
    if not missing:
        typer.echo("all is up already")
    stack.start(step)
    _print_status(stack)
    typer.echo(f"\nUI: {stack.server.address}   login: the line in {_short(stack.login_file)}")
    if stack.labelling is not None:
        password = _short(stack.folder / "secrets" / "labelling")
        typer.echo(
            f"Label Studio: {stack.labelling.address}   {PERSON}, password in {password}"
        )
    typer.echo("Next, a campaign through the workers:")
    typer.echo(f"  . {_short(stack.folder / 'env')}")
    typer.echo("  prefect deployment run campaign/campaign --watch")


@app.command()
def down(folder: Folder = USUAL) -> None:
    """Stop all in reverse order; the data stay, and `up` goes on with them."""
    stack = known_stack(folder)
    if stack is not None:
        stack.stop(step)
    typer.echo("all is down")


@app.command()
def status(folder: Folder = USUAL) -> None:
    """Print a line a service; exit code 1 if one of them is down."""
    stack = known_stack(folder)
    if stack is None:
        typer.echo(f"nothing was ever started in {folder}")
        raise typer.Exit(1)
    _print_status(stack)
    if not all(service.running for service in stack.services):
        raise typer.Exit(1)


@app.command()
def key(
    role: RoleOf,
    name: Name,
    store: Prefix = "",
    another: Another = False,
    folder: Folder = USUAL,
) -> None:
    """Give a node, an annotator, a reader or a worker keys of its own for the object store."""
    make = Identity.further if another else Identity
    identity, stack = make(role, name, store.strip("/")), _known(folder)
    file = stack.add(identity, step)
    typer.echo(f"keys of {role} {name}: {_short(file)}")


@app.command()
def revoke(
    role: RoleOf,
    name: Name,
    all_but: AllBut = None,
    folder: Folder = USUAL,
) -> None:
    """Take keys away from a node, an annotator or another: they work no longer."""
    gone = _known(folder).revoke(role, name, all_but, step)
    typer.echo(f"gone: {', '.join(gone) or 'nothing, no others are left'}")


def _known(folder: Path) -> Stack:
    stack = known_stack(folder)
    if stack is None:
        raise InputError(f"nothing was ever started in {folder}: `make up` first")
    return stack


def _print_status(stack: Stack) -> None:
    for service in stack.services:
        state = "up" if service.running else "down"
        typer.echo(
            f"{service.title:<15} {state:<5} {service.address:<34} {_short(service.log)}"
        )


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 something is down, 2 it cannot be done."""
    # A shell makes jobs in the background deaf to SIGINT; workers end on it, and would be, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(prog_name="python -m deployments.local")
    except InputError as error:
        typer.echo(f"\nerror: {error}", err=True)
        sys.exit(WRONG_INPUT)


if __name__ == "__main__":
    main()
