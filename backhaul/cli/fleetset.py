"""`backhaul fleet set`: change single settings of what is published for a group."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from backhaul.cli.models import Days, KeyFolder, Store, repository_at


def set_settings(
    group: Annotated[
        str, typer.Argument(metavar="GROUP", help="The group.", show_default=False)
    ],
    key_folder: KeyFolder,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...",
            help="policies.NAME.FIELD, budget.FIELD or cohort; the value in YAML, null = as "
            "each node has it.",
            show_default="show what is set",
        ),
    ] = None,
    store: Store = ".",
    days: Days = 7.0,
) -> None:
    """Change single settings of what is published for a group of nodes, or show them.

    [bold]Examples[/bold]

      backhaul fleet set all --keys signing --store s3://edge/a
      backhaul fleet set all policies.street.explore=0.2 budget.uplink_kbit_s=64 --keys signing
      backhaul fleet set all cohort=0.5 --keys signing
    """
    from backhaul.node.updates.release import Release
    from backhaul.publication.changing import changed_settings, settings_of, with_settings
    from backhaul.publication.publishing import Targets, republish
    from backhaul.publication.releases import required_release

    repository = repository_at(store, key_folder, days)
    root = repository.root
    before = required_release(root, repository.read().targets.targets, group)
    if not changes:
        if before.policies is None:
            typer.echo("policies: as each node has them")
        for key, value in settings_of(before).items():
            typer.echo(f"{key}: {_shown(key, value)}")
        return
    if not changed_settings(before, with_settings(before, changes)):
        typer.echo(f"{group}: nothing changes")
        return

    def change(targets: Targets) -> tuple[Release, Targets]:
        nonlocal before
        before = required_release(root, targets, group)
        return with_settings(before, changes), {}

    after = republish(repository, group, change)
    for key, was, now in changed_settings(before, after):
        typer.echo(f"{key}: {_shown(key, was)} -> {_shown(key, now)}")


def _shown(key: str, value: Any) -> str:
    """Return a value as it is given, in YAML."""
    if value is None:
        return "as each node has it" if key.startswith("budget.") else "-"
    return value if isinstance(value, str) else json.dumps(value, default=_plain)


def _plain(value: BaseModel) -> Any:
    return value.model_dump(exclude_none=True)
