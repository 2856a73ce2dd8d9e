"""Keys for the object store of compose: ``python -m deployments.keys``, in its service `keys`.

The folder /keys is a volume that SeaweedFS reads; keys of home and the bucket's name come from
the environment, as compose.yaml sets them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from backhaul.errors import InputError
from deployments.local.access import Access, Administrator
from deployments.local.identities import Identity, Keys
from deployments.local.options import AllBut, Another, Name, Prefix, RoleOf

WRONG_INPUT = 2
FOLDER = Path("/keys")

Folder = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files lie.")]

app = typer.Typer(help="Keys of those who use the object store.", no_args_is_help=True)


@app.command()
def write(folder: Folder = FOLDER) -> None:
    """Write who may do what for SeaweedFS, and its certificate if it has none."""
    home = Administrator(_variable("AWS_ACCESS_KEY_ID"), _variable("AWS_SECRET_ACCESS_KEY"))
    Access(folder).write(_variable("BUCKET"), home, Keys(folder / "keys").identities)


@app.command()
def add(
    role: RoleOf,
    name: Name,
    store: Prefix = "",
    another: Another = False,
    folder: Folder = FOLDER,
) -> None:
    """Give a node, an annotator or another keys, and print them; then restart SeaweedFS."""
    make = Identity.further if another else Identity
    identity = make(role, name, store.strip("/"))
    keys, address = Keys(folder / "keys"), _variable("AWS_ENDPOINT_URL_S3")
    file = keys.add(identity, _variable("BUCKET"), address)
    write(folder)
    typer.echo(file.read_text(encoding="utf-8"), nl=False)


@app.command()
def revoke(
    role: RoleOf,
    name: Name,
    all_but: AllBut = None,
    folder: Folder = FOLDER,
) -> None:
    """Take keys away, and print their ids; they work until SeaweedFS is restarted."""
    try:
        gone = Keys(folder / "keys").revoke(role, name, all_but)
    finally:  # also if there is nothing left to take: a call before may have been cut off
        write(folder)
    typer.echo("\n".join(gone) or "no others are left")


@app.command("list")
def show(folder: Folder = FOLDER) -> None:
    """Print who has keys: role, name, id of the keys, and the prefix of the store."""
    for each in Keys(folder / "keys").identities:
        typer.echo(f"{each.role:<10} {each.name:<20} {each.access_key:<40} {each.store or '/'}")


def _variable(name: str) -> str:
    if not os.environ.get(name):
        raise InputError(f"{name}: is not set, or empty")
    return os.environ[name]


def main() -> None:
    """Run the command. Exit codes: 0 done, 2 it cannot be done."""
    try:
        app(prog_name="python -m deployments.keys")
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(WRONG_INPUT)


if __name__ == "__main__":
    main()
