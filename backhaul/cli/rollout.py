"""`backhaul fleet rollout`: what is published reaches a few nodes, then more, then all."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backhaul.cli.models import Days, Store, repository_at
from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.campaign.steps import Steps
    from backhaul.fleet.nodes import NodeView
    from backhaul.fleet.rollout import Rollout
    from backhaul.publication.repository import Repository

LATE_S = 900.0
_UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d)")


_OF_BEGINNING = ("cohorts", "soak", "most_failed", "silent")
"""Options of a rollout that begins, which stay as they are until it ends."""


def roll_out(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    context: typer.Context,
    group: Annotated[
        str, typer.Argument(metavar="GROUP", help="The group.", show_default=False)
    ],
    cohorts: Annotated[
        str, typer.Option(metavar="X,Y,...", help="Shares of the nodes, one after the other.")
    ] = "0.1,0.5,1",
    soak: Annotated[
        str, typer.Option(metavar="TIME", help="How long a node must run it: 90min, 6h, 1d.")
    ] = "6h",
    most_failed: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="X", help="Share that may refuse, go back or fall silent."
        ),
    ] = 0.1,
    silent: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Not heard of for longer is silent; more than a night's pause."
        ),
    ] = "2h",
    status: Annotated[bool, typer.Option("--status", help="Say how it stands.")] = False,
    advance: Annotated[
        bool, typer.Option("--advance", help="Go on, if it is time; for cron.")
    ] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Go no further.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on; nodes that failed no longer count.")
    ] = False,
    back: Annotated[
        bool, typer.Option("--back", help="Publish again what all nodes had before.")
    ] = False,
    key_folder: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FOLDER",
            help="Folder of `backhaul models keys`; not for --status, --pause, --resume.",
            show_default=False,
        ),
    ] = None,
    store: Store = ".",
    days: Days = 7.0,
) -> None:
    """Let what is published for a group reach a few nodes, then more, then all.

    Each step waits until enough nodes have run the release for the soak time. Too many that
    refuse it, go back from it or fall silent pause it. The flow `fleet`, or --advance by cron,
    takes the steps. What all nodes had before is what was published; of a run's versions,
    `backhaul models rollback` goes back further, and its registry says so at once.

    [bold]Examples[/bold]

      backhaul fleet rollout all --keys signing --store s3://edge/a
      backhaul fleet rollout all --cohorts 0.05,0.25,1 --soak 1d --keys signing
      backhaul fleet rollout all --status
      backhaul fleet rollout all --advance --keys signing
      backhaul fleet rollout all --back --keys signing
    """
    from backhaul.cli.address import resolved
    from backhaul.publication import rollouts

    chosen = [status, advance, pause, resume, back]
    if sum(chosen) > 1:
        raise InputError("expected one of --status, --advance, --pause, --resume and --back")
    if any(chosen):
        _require_none_of_beginning(context)
    root = resolved(store)
    if back:
        release = rollouts.back(_repository(store, key_folder, days), group)
        typer.echo(f"{group}: {release.name} ({release.model.sha256[:12]}) again for all nodes")
        return
    fleet, now_s = fleet_now(root)
    if status:
        plan = rollouts.rollout_of(root, group)
    elif pause:
        plan = rollouts.pause(root, group)
    elif resume:
        plan = rollouts.resume(root, group, fleet, now_s)
    else:
        repository = _repository(store, key_folder, days)
        if advance:
            plan = rollouts.advance(repository, group, fleet, now_s)
        else:
            steps = _steps(cohorts, soak, most_failed, silent)
            plan = rollouts.begin(repository, group, steps, fleet, now_s)
    say(plan, fleet, now_s)


def fleet_now(root: str) -> tuple[list[NodeView], float]:
    """Return the nodes as they told last, and the time."""
    from backhaul.fleet.nodes import read_fleet

    now_s = time.time()
    return read_fleet(root, now_s, LATE_S), now_s


def say(plan: Rollout, fleet: Sequence[NodeView], now_s: float) -> None:
    """Print how a rollout stands, and each node of its cohort that failed."""
    from backhaul.fleet.rollout import fates_of

    what = f"{plan.group}: {plan.name} ({plan.model[:12]}): {plan.state}"
    if plan.state in ("back", "replaced"):  # what nodes run now is none of its business
        typer.echo(f"{what}: {plan.why}")
        return
    steps = f"step {plan.step + 1} of {len(plan.steps.cohorts)}"
    typer.echo(f"{what}, for {plan.cohort:.0%} of the nodes ({steps})")
    if plan.why:
        typer.echo(plan.why)
    fates = fates_of(plan, fleet, now_s)
    counts = {kind: sum(each.fate == kind for each in fates) for kind in _WORDS}
    typer.echo(", ".join(f"{n} {_WORDS[kind]}" for kind, n in counts.items()))
    for each in fates:
        if each.fate == "failed":
            typer.echo(f"  {each.node}: {each.reason}")
    if untold := sum(view.status is not None and not view.status.group for view in fleet):
        typer.echo(f"{untold} nodes tell no group, and do not count")


_WORDS = {
    "soaked": "ran it long enough",
    "runs": "run it",
    "waits": "have not taken it",
    "failed": "failed",
}


def _require_none_of_beginning(context: typer.Context) -> None:
    for name in _OF_BEGINNING:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = name.replace("_", "-")
            raise InputError(f"--{option}: is for a rollout that begins, and stays as it was")


def _repository(store: str, key_folder: Path | None, days: float) -> Repository:
    if key_folder is None:
        raise InputError("--keys: expected the folder of `backhaul models keys`")
    return repository_at(store, key_folder, days)


def _steps(cohorts: str, soak: str, most_failed: float, silent: str) -> Steps:
    from pydantic import ValidationError

    from backhaul.campaign.steps import Steps

    try:
        shares = tuple(float(each) for each in cohorts.split(","))
    except ValueError:
        raise InputError(f"--cohorts {cohorts}: expected shares, as 0.1,0.5,1") from None
    try:
        return Steps(
            cohorts=shares,
            soak_s=_seconds("--soak", soak),
            most_failed=most_failed,
            silent_s=_seconds("--silent", silent),
        )
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ").removeprefix("cohorts: ")
        key = str(first["loc"][0]) if first["loc"] else "cohorts"
        raise InputError(f"--{key.removesuffix('_s')}: {reason}") from None


def _seconds(option: str, text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InputError(f"{option} {text}: expected a time, as 90min, 6h or 1d")
    return float(found[1]) * _UNITS[found[2]]
