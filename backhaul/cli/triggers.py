"""`backhaul triggers`: when is a run played? Ask, explain, and fire by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from backhaul.cli.options import ConfigFile, Overrides, RunName, read_config
from backhaul.cli.person import user_name
from backhaul.data.settings import InboxData
from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.campaign.config import CampaignConfig
    from backhaul.triggers.decisions import Decision, Decisions
    from backhaul.triggers.unplayed import Hourly

MOST_REASON = 500
triggers = typer.Typer(
    no_args_is_help=True, help="Say when a run is played and why, or let it be played now."
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of text.")]


@triggers.callback()
def _group() -> None:
    """Say when a run is played and why, or let it be played now."""


@triggers.command()
def ask(config: ConfigFile, settings: Overrides = None, as_json: AsJson = False) -> None:
    """Say what the triggers of a campaign would decide now; nothing is written.

    Asks about what the last hour took in: `backhaul hourly` takes in what is new, asks, and
    plays if they fire.

    [bold]Examples[/bold]

      backhaul triggers ask configs/hourly.yaml

      backhaul triggers ask edge.yaml --set triggers='{kind: labelled, images: 20}'
    """
    campaign = read_config(config, settings)
    if campaign.triggers is None:
        raise InputError(f"{config}: triggers: is null: whatever is full is played at once")
    from backhaul.triggers.asking import look

    decision = look(_hourly(campaign), campaign.triggers, datetime.now(UTC))
    _show([decision], as_json=as_json)


@triggers.command()
def explain(
    run: RunName,
    last: Annotated[
        int, typer.Option("--last", min=1, metavar="N", help="Only the last N decisions.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what the triggers of a run decided: when, what was found, and what was asked.

    Decisions that found the same in a row are one, with its first and last time.

    [bold]Examples[/bold]

      backhaul triggers explain hourly

      backhaul triggers explain block://store/runs/hourly --last 3 --json
    """
    decisions = _decisions_of(run).read().decisions[-last:]
    if not decisions and not as_json:
        typer.echo(f"{run}: no trigger was asked so far")
    _show(decisions, as_json=as_json)


@triggers.command()
def fire(
    run: RunName,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why, one line.", show_default=False),
    ],
) -> None:
    """Let the next hour play what is full, whatever the triggers ask.

    It stands until an hour has a full batch to play. A second one before that changes nothing.

    [bold]Example[/bold]

      backhaul triggers fire hourly --reason "new cameras at the gate"
    """
    from backhaul.triggers.wording import line_of
    from backhaul.untrusted import one_line

    why = one_line(reason.strip(), MOST_REASON)
    if not why:
        raise InputError("--reason: is empty: expected why it is fired, one line")
    now_s = datetime.now(UTC).timestamp()
    decisions = _decisions_of(run)
    fired = decisions.fire(user_name(), why, now_s)
    before = "" if fired.first_s == now_s else ", stands from before"
    typer.echo(f"{run}: {line_of(fired)}{before}")
    typer.echo("the next `backhaul hourly`, or the deployment `triggers`, plays what is full")


def _decisions_of(run: str) -> Decisions:
    from backhaul.campaign.runrecords import RunRecords
    from backhaul.cli.runplace import find_stored
    from backhaul.triggers.decisions import Decisions

    files = find_stored(run)
    records = RunRecords(files)
    if not records.exist or not records.goes_on_for_ever:
        raise InputError(f"{run}: expected a run of `backhaul hourly`, whose images arrive")
    return Decisions(files)


def _hourly(campaign: CampaignConfig) -> Hourly:
    """Return the run of a campaign, which has begun."""
    from backhaul.campaign.claim import files_of, stored_config
    from backhaul.campaign.runrecords import has_begun
    from backhaul.cli.prefect import blocks_of, flows_at_hand, require_server
    from backhaul.triggers.unplayed import Hourly

    assert isinstance(campaign.data, InboxData)  # noqa: S101 - the config takes no others
    if blocks_of(campaign):
        require_server(campaign)
    with flows_at_hand():
        from flows.arguments import opened
        from flows.course import labels_at
    here = opened(campaign)
    stored_config(here)
    files = files_of(here)
    if not has_begun(files):
        raise InputError(f"{campaign.name}: has not begun: run `backhaul hourly` once")
    return Hourly(here, campaign.data, files, labels_at(files.root, campaign.data))


def _show(decisions: tuple[Decision, ...] | list[Decision], *, as_json: bool) -> None:
    from backhaul.triggers.wording import explained

    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in decisions], indent=1))
        return
    for line in explained(decisions):
        typer.echo(line)
