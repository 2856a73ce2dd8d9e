"""What commands ask that give keys and take them: of this machine's store and of compose's."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.local.identities import Role

RoleOf = Annotated[Role, typer.Argument(help="What it may do: see docs/security.md.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a node, its inbox's folder.")]
Prefix = Annotated[
    str, typer.Option(metavar="PREFIX", help="Where in the bucket its store lies.")
]
Another = Annotated[
    bool,
    typer.Option(
        "--another", help="Further keys of one that has some, to be used in their place."
    ),
]
AllBut = Annotated[
    str | None,
    typer.Option(
        metavar="KEYID",
        help="Id of the keys that it keeps, as `backhaul fleet keys` shows it.",
        show_default="it keeps none",
    ),
]
