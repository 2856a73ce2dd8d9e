"""`backhaul models`: versions of a run's model, and what is published for nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from backhaul.cli.address import resolved
from backhaul.cli.approval import approve_version, reject_version
from backhaul.cli.rollback import roll_back
from backhaul.cli.versions import diff_versions, list_versions, mirror_versions, show_version

if TYPE_CHECKING:
    from backhaul.node.updates.release import Choice
    from backhaul.publication.repository import Repository

models = typer.Typer(
    no_args_is_help=True,
    help="See a run's models, decide on them, and publish them for nodes, signed.",
)
models.command("list")(list_versions)
models.command("show")(show_version)
models.command("diff")(diff_versions)
models.command("mirror")(mirror_versions)
models.command("approve")(approve_version)
models.command("reject")(reject_version)
models.command("rollback")(roll_back)
Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        help="The store that nodes read: a folder, s3://BUCKET/PREFIX, or block://NAME.",
    ),
]
KeyFolder = Annotated[
    Path,
    typer.Option("--keys", metavar="FOLDER", help="Folder of `backhaul models keys`."),
]
Days = Annotated[
    float,
    typer.Option(min=0.01, metavar="DAYS", help="What is published is good for so long."),
]


@models.callback()
def _group() -> None:
    """See a run's models, decide on them, and publish them and policies for nodes, signed."""


@models.command()
def keys(
    folder: Annotated[Path, typer.Argument(help="New folder.", show_default=False)],
    root_keys: Annotated[
        int,
        typer.Option(min=1, max=9, metavar="N", help="Root keys; more than half must sign."),
    ] = 1,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Replace the online keys, as after a theft."),
    ] = False,
) -> None:
    """Make the keys that nodes trust, and say which are to be kept where.

    [bold]Examples[/bold]

      backhaul models keys signing
      backhaul models keys signing --root-keys 3
      backhaul models keys signing --renew
    """
    from backhaul.publication.keys import OFFLINE, ONLINE, ROLES, make_keys, renew_keys

    if renew:
        n_signed = renew_keys(folder)
        typer.echo(f"{folder}: new online keys, signed by {n_signed} root key(s)")
        typer.echo("publish or refresh once, and nodes trust the old ones no longer")
        return
    make_keys(folder, root_keys)
    typer.echo(f"{folder / 'root.json'}: put it on each node (updates.root); it is no secret")
    typer.echo(
        f"{folder / OFFLINE}: OFFLINE, {root_keys} root key(s). Move them to a medium that is "
        "locked away, and delete them here. Who has more than half can replace all others."
    )
    typer.echo(f"{folder / ONLINE}: ONLINE, needed by whoever publishes: {', '.join(ROLES)}.")
    typer.echo(
        "Who has all three can give any model and policy to all nodes, though no code, until "
        "`models keys --renew`. Who has timestamp alone can withhold what is new, and no more."
    )


@models.command()
def publish(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    key_folder: KeyFolder,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL.onnx|RUN@VERSION",
            help="File that `backhaul export-model` wrote, or a version of a run's model.",
            show_default="the model that is published",
        ),
    ] = None,
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Images as the nodes have them: they check that a model sees there what it "
            "sees here. Needed with a model; 8 are used.",
            show_default=False,
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Labelled data set: nodes refuse a model that is worse on 32 of its images "
            "than the one before.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="POLICY.yaml",
            help="Policies and budget of the group.",
            show_default="those that are published, else as each node has them",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="G",
            help="Group of nodes; for a version none but publish.group of its run.",
            show_default="all; of a version, publish.group of its run",
        ),
    ] = None,
    cohort: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="Share of the group's nodes that take it; 0 = none, until `backhaul fleet "
            "rollout` begins with some. For a version 1 alone.",
            show_default="1 with a new model, else as it was",
        ),
    ] = None,
    store: Store = ".",
    days: Days = 7.0,
) -> None:
    """Publish a model, a policy, or both for a group of nodes.

    A version of a run is published in the store of the run, for all nodes of its group, and its
    registry says so.

    [bold]Examples[/bold]

      backhaul models publish runs/cars@3 --probe frames --keys signing
      backhaul models publish new/model.onnx --probe frames --keys signing --store s3://edge/a
      backhaul models publish new/model.onnx --probe frames --cohort 0.1 --keys signing
      backhaul models publish --cohort 1 --keys signing
      backhaul models publish new/model.onnx --probe frames --cohort 0 --keys signing
      backhaul models publish --policy policy.yaml --group night --keys signing
    """
    from backhaul.cli import publishing as of
    from backhaul.cli.versionplace import find_version
    from backhaul.publication.byhand import publish_by_hand
    from backhaul.publication.publishing import policies_in_words
    from backhaul.publication.publishing import publish as put

    choice = _choice(policy)
    if model is not None and "@" in model and not Path(model).exists():
        of.require_all_nodes(model, cohort)
        files, version = find_version(model)
        order = of.order_of(files, key_folder, days, group)
        new = of.model_of_version(files, version, probe, labelled)
        repository, group = order.repository, order.group
        release = publish_by_hand(order, version, new, choice)
    else:
        repository, group = repository_at(store, key_folder, days), group or "all"
        given = None if model is None else of.model_of_file(Path(model), probe, labelled)
        release = put(repository, group, given, choice, cohort)
    size, policies = decimal(release.model.bytes), policies_in_words(release.policies)
    typer.echo(
        f"{group}: {release.name} ({size}, {release.model.sha256[:12]}) for "
        f"{release.cohort:.0%} of the nodes, policies: {policies}"
    )
    if repository.keys.expires_soon(datetime.now(UTC)):
        expires = repository.keys.root.expires
        typer.echo(f"the root expires on {expires:%Y-%m-%d}: backhaul models keys --renew")


@models.command()
def published(key_folder: KeyFolder, store: Store = ".") -> None:
    """Show what is published for groups of nodes, and until when it is good.

    [bold]Examples[/bold]

      backhaul models published --keys signing --store s3://edge/a
    """
    from backhaul.publication.publishing import groups_of, policies_in_words

    repository = repository_at(store, key_folder, 1.0)
    standing = repository.read()
    if standing.raw is None:
        typer.echo("nothing is published")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("group", "model", "digest", "size", "nodes", "policies"):
        table.add_column(title)
    for each in groups_of(repository, standing):
        release = each.release
        cells = ["", "", "", "", "its release is damaged: publish it again"]
        if release is not None:
            words = policies_in_words(release.policies)
            cells = [release.name, release.model.sha256[:12], decimal(release.model.bytes)]
            cells += [f"{release.cohort:.0%}", words]
        table.add_row(*(Text(cell) for cell in (each.name, *cells)))
    Console(highlight=False, soft_wrap=True).print(table)
    timestamp = standing.timestamp
    typer.echo(
        f"version {timestamp.version}, good until {timestamp.expires:%Y-%m-%d %H:%M} UTC"
    )


@models.command()
def refresh(key_folder: KeyFolder, store: Store = ".", days: Days = 7.0) -> None:
    """Sign anew what is published, before it expires; nothing else changes.

    [bold]Examples[/bold]

      backhaul models refresh --keys signing --store s3://edge/a
    """
    from backhaul.publication.publishing import refresh as sign

    expires = sign(repository_at(store, key_folder, days))
    typer.echo(f"good until {expires:%Y-%m-%d %H:%M} UTC")


def repository_at(store: str, key_folder: Path, days: float) -> Repository:
    """Return where a person publishes, by the options of a command."""
    from backhaul.publication.keys import read_keys
    from backhaul.publication.repository import Repository

    return Repository(resolved(store), read_keys(key_folder), days)


def _choice(policy: Path | None) -> Choice:
    from backhaul.node.updates.release import Choice
    from backhaul.settingsfile import fields_of, validated

    if policy is None:
        return Choice()
    return validated(policy, Choice, fields_of(policy), "a policy")
