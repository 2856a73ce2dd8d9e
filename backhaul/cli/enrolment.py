"""`backhaul fleet token`, `rotate` and `keys`: how nodes come to keys, and to new ones."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backhaul.cli.address import resolved

DAY_S = 86_400.0
Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        help="The store that nodes send to: s3://BUCKET/PREFIX, or block://NAME.",
    ),
]
KeyFile = Annotated[
    Path,
    typer.Option(
        "--keys",
        metavar="FILE",
        help="Lines AWS_ACCESS_KEY_ID=... and so on, as `python -m deployments.keys add node "
        "NODE` prints them; mode 600.",
        show_default=False,
    ),
]
Secrets = Annotated[
    Path,
    typer.Option(
        "--secrets",
        metavar="FOLDER",
        help="Where home keeps what seals keys for nodes: a private folder, never the store.",
    ),
]
NODE_SECRETS = Path("node-secrets")


def token(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    node: Annotated[str, typer.Argument(help="Name of the node.", show_default=False)],
    key_file: KeyFile,
    group: Annotated[str, typer.Option(metavar="G", help="Group of the node.")] = "all",
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="ROOT.json",
            help="root.json of `backhaul models keys`: the node takes updates.",
            show_default="no updates",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="NODE.yaml",
            help="Settings that the node begins with: policies, link, and so on.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where the node sends to: s3://BUCKET/PREFIX, or block://NAME.",
            show_default="BACKHAUL_STORE of the file of --keys",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the node reaches the object store.",
            show_default="that of NODE.yaml, else of the file of --keys",
        ),
    ] = None,
    days: Annotated[
        float, typer.Option(min=0.01, max=366, metavar="DAYS", help="How long it is good for.")
    ] = 7.0,
    secrets: Secrets = NODE_SECRETS,
    again: Annotated[
        bool, typer.Option("--again", help="Replace the token that was made for the node.")
    ] = False,
) -> None:
    """Print a token with which a bare machine becomes a node: `backhaul node enrol`.

    It is as secret as the keys in it: whoever has it is that node until these are revoked.
    Rotate the keys once the node has begun.

    [bold]Examples[/bold]

      (umask 077; backhaul fleet token cam-1 --keys cam-1.env --root root.json > cam-1.token)

      backhaul fleet token cam-1 --keys cam-1.env --config night.yaml --group night

      backhaul fleet token cam-1 --keys new.env --again
    """
    from backhaul.fleet.enrolment import Records, uplink_of
    from backhaul.node.enrolment import require_settings
    from backhaul.untrusted import read_text
    from backhaul.uplink.keys import keys_in, read_lines
    from backhaul.uplink.token import encoded, token_of

    settings, where = _template(config, endpoint)
    lines = read_lines(key_file)
    keys = keys_in(lines, key_file)
    made = token_of(
        node=node,
        uplink=uplink_of(lines, None if store is None else resolved(store), where),
        keys={"key_id": keys.key_id, "secret": keys.secret, "token": keys.token},
        expires_s=time.time() + days * DAY_S,
        root=None if root is None else read_text(root),
        group=group,
        settings=settings,
    )
    require_settings(made, str(config or "the token"))
    line = encoded(made)
    Records(secrets).begin(made, again=again)
    typer.echo(line)
    typer.echo(
        f"good until {_day(made.expires_s)}; on the device: backhaul node enrol", err=True
    )


def rotate(
    node: Annotated[str, typer.Argument(help="Name of the node.", show_default=False)],
    key_file: KeyFile,
    store: Store = ".",
    secrets: Secrets = NODE_SECRETS,
) -> None:
    """Give a node new keys: sealed, so that nobody else who reads the store can use them.

    The node tries them first, and keeps its own where they do not work. Revoke the old ones
    once `backhaul fleet keys` shows that it uses the new ones.

    [bold]Examples[/bold]

      backhaul fleet rotate cam-1 --keys new.env --store s3://edge/site/a

      backhaul fleet keys --store s3://edge/site/a
    """
    from backhaul.fleet.enrolment import Records, give_keys
    from backhaul.uplink.keys import keys_in, read_lines

    keys = keys_in(read_lines(key_file), key_file)
    record = give_keys(resolved(store), Records(secrets), node, keys)
    typer.echo(f"{node}: {record.newest.key_id} waits for it, sealed")
    typer.echo("once backhaul fleet keys shows that it uses them, revoke the ones before")


def keys(store: Store = ".", secrets: Secrets = NODE_SECRETS) -> None:
    """Show which keys nodes use, and which still use old ones.

    [bold]Examples[/bold]

      backhaul fleet keys --store s3://edge/site/a
    """
    from backhaul.fleet.enrolment import Records
    from backhaul.fleet.keyuse import read_key_use

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("node", "enrolled", "uses", "newest", "given", "to know"):
        table.add_column(title, overflow="fold")  # ids are copied whole
    every = read_key_use(resolved(store), Records(secrets))
    for each in every:
        enrolled = "not yet" if each.enrolled_s is None else _day(each.enrolled_s)
        cells = (each.node, enrolled, each.uses or "?", each.newest, _day(each.given_s))
        table.add_row(*(Text(cell) for cell in (*cells, each.problem)))
    if not every:
        table.add_row(Text("no token was made with this folder"))
    Console(highlight=False, soft_wrap=True).print(table)


def _template(
    config: Path | None, endpoint: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that a node begins with, and what they say of where home is."""
    from backhaul.settingsfile import fields_of

    settings = {} if config is None else fields_of(config)
    settings.pop("node", None)
    uplink = settings.pop("uplink", None)
    is_bucket = isinstance(uplink, dict) and uplink.get("kind") == "s3"
    where = dict(uplink) if is_bucket else {}
    return settings, where if endpoint is None else {**where, "endpoint": endpoint}


def _day(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
