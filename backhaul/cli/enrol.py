"""`backhaul node enrol`: make a node of a bare machine, by a token."""

from __future__ import annotations

import getpass
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.uplink.s3 import S3Home
    from backhaul.uplink.token import Token


def enrol(
    given: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN|-|FILE",
            help="The token, a file that has it, or - to read it from standard input. "
            "Arguments lie in the history of the shell, and all users see them while it runs: "
            "prefer - or a file.",
        ),
    ] = "-",
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where node.yaml, keys and root.json go.")
    ] = Path(),
    frames: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Folder that its frames come from.",
            show_default="as the token says, else to be filled in",
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Replace the keys and the root of an enrolled node, as after a theft; the "
            "old ones stay beside them (.before).",
        ),
    ] = False,
) -> None:
    """Enrol this machine as a node, by a token of `backhaul fleet token`.

    Nothing that is there is overwritten. Whoever has a token is that node, until its keys are
    revoked: remove the file once it was used.

    [bold]Examples[/bold]

      backhaul node enrol < cam-1.token

      backhaul node enrol cam-1.token --folder /var/lib/backhaul --frames /var/frames

      backhaul node enrol cam-1.token --folder /var/lib/backhaul --again
    """
    import time

    from backhaul.node.enrolment import (
        NODE,
        first_files,
        node_text,
        other_files,
        require_settings,
        write_files,
    )
    from backhaul.untrusted import user_path
    from backhaul.uplink.opening import open_bucket
    from backhaul.uplink.token import decoded

    token = decoded(_text(given))
    token.require_fresh(time.time())
    require_settings(token, "the token")
    place = user_path(folder).absolute()
    source = None if frames is None else str(user_path(frames).absolute())
    files = (other_files if again else first_files)(token, place)
    home = open_bucket(token.uplink, token.keys.keys)
    try:
        reached = _checked(token, home)
        changed = write_files(files)
        if again:
            for file in changed:
                typer.echo(f"{file}: replaced")
        else:
            _bring_first_model(token, home, place, reached=reached)
            # Last: without it, a call that was cut off can be made again, and goes on.
            write_files({place / NODE: node_text(token, place, source)})
            typer.echo(f"{token.node}: {place} has node.yaml, keys and what it trusts")
    finally:
        home.close()
    _say_next(place / NODE, again=again)


def _text(given: str) -> str:
    from backhaul.untrusted import read_text
    from backhaul.uplink.token import MOST_BYTES, PREFIX

    if given.startswith(PREFIX):
        typer.echo("the token is in this shell's history now: prefer a file, or -", err=True)
        return given
    if given != "-":
        text = read_text(given, MOST_BYTES)
        if Path(given).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            typer.echo(f"others may read {given}: remove it after this", err=True)
        return text
    if sys.stdin.isatty():
        return getpass.getpass("token (it is not shown): ")
    return sys.stdin.buffer.read(MOST_BYTES).decode("ascii", "replace")


def _checked(token: Token, home: S3Home) -> bool:
    """Say what may be read and written at home; return whether it was reached."""
    from backhaul.node.homecheck import check_home
    from backhaul.uplink.home import HomeRefusedError, LinkDownError

    bucket = f"{token.uplink.bucket}/{token.uplink.prefix}".rstrip("/")
    where = f"{bucket} at {token.uplink.endpoint or 'AWS'}"
    try:
        is_published = check_home(token, home)
    except HomeRefusedError as error:
        raise InputError(f"home refuses the keys of the token: {error}") from None
    except LinkDownError as error:
        typer.echo(f"home was not reached, the node will go on trying: {error}", err=True)
        return False
    told = "reads what is published" if is_published else "nothing is published yet"
    typer.echo(f"home: {where}: writes and reads below nodes/{token.node}, {told}")
    return True


def _bring_first_model(token: Token, home: S3Home, place: Path, *, reached: bool) -> None:
    """Fetch the model to begin with, where home publishes one; else say what to do."""
    from backhaul.node.enrolment import settings_of
    from backhaul.node.firstmodel import bring_model
    from backhaul.node.updates.errors import RefusedError, UnreachedError
    from backhaul.node.updates.settings import Updates

    fields = settings_of(token, place, None)
    model = Path(fields["model"])
    missing = "home publishes none for its group" if reached else "home was not reached"
    if model.exists():
        return
    if "updates" in fields and reached:
        try:
            updates = Updates.model_validate(fields["updates"])
            name = bring_model(home, updates, Path(fields["folder"]), model)
            if name is not None:
                typer.echo(f"model: {model}, which is {name}")
                return
        except (RefusedError, UnreachedError, OSError) as error:
            missing = str(error)
    typer.echo(f"put a model there, of backhaul export-model: {model}  ({missing})")


def _say_next(path: Path, *, again: bool) -> None:
    from backhaul.settingsfile import fields_of

    if again:
        typer.echo("next: start the agent again, which reads its keys when it starts")
    elif "frames" in fields_of(path):
        typer.echo(f"next: backhaul node run {path}")
    else:
        typer.echo(f"next: say in {path} where frames come from, then")
        typer.echo(f"      backhaul node run {path}")
