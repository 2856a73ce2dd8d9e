"""`backhaul run`: a campaign on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from backhaul.campaign.config import CampaignConfig
from backhaul.cli.options import ConfigFile, Overrides, read_config
from backhaul.cli.prefect import flows_at_hand, prepare_prefect, require_server
from backhaul.cli.tables import print_gains
from backhaul.errors import AwaitingLabelsError, InputError


def run(
    config: ConfigFile,
    settings: Overrides = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run, and of its folder.", show_default="the config's"),
    ] = None,
    reload: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Start from this checkpoint (a file or s3:// address), not from a training.",
            show_default="the config's",
        ),
    ] = None,
    epoch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs behind the checkpoint.",
            show_default="the number that ends its name",
        ),
    ] = None,
) -> None:
    """Run a campaign on this machine; a second start goes on where the first one stopped.

    [bold]Examples[/bold]

      backhaul run configs/quickstart.yaml

      backhaul run configs/bccd.yaml --set data.root=~/bccd --set seeds=[0,1,2]

      backhaul run cars.yaml --name second --reload runs/first/checkpoints/init_ckpt_50.pt
    """
    if epoch is not None and reload is None:
        raise InputError("--epoch: says how old the checkpoint of --reload is; give that too")
    given = {"name": name, "start.checkpoint": reload, "start.epoch": epoch}
    wins = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    overrides = [*(settings or []), *wins]
    campaign = read_config(config, overrides)
    prepare_prefect(campaign.store)
    with flows_at_hand():
        from flows.campaign import campaign as flow
    require_server(campaign)
    state = play(flow, campaign)
    _show(campaign, state)
    if state.is_failed():
        raise typer.Exit(1)


def play(flow: Callable[..., Any], campaign: CampaignConfig) -> Any:
    """Run a flow on a campaign in this process, and return its final state.

    Raises:
        Exception: What ended it, unless some of its methods did.
    """
    from backhaul.cli.progress import live_progress
    from flows.server.temporary import start_temporary_server

    with live_progress():
        start_temporary_server()
        state = flow(campaign, return_state=True)
    if state.is_failed() and state.name != "CompletedWithFailures":
        state.result()  # raises what ended the campaign
    return state


def _show(campaign: CampaignConfig, state: Any) -> None:
    from backhaul.campaign.claim import files_of
    from backhaul.report.campaign import stored_campaign
    from backhaul.storage.objects import exists_at
    from blocks.opening import resolve

    console = Console()
    opened = campaign.model_copy(update={"store": resolve(campaign.store)})
    page = files_of(opened).view.page
    if not exists_at(page):
        if state.is_failed():
            console.print(state.message, markup=False, soft_wrap=True)
            return
        raise AwaitingLabelsError(state.message)
    played = stored_campaign(files_of(opened))
    print_gains(console, played)
    for run in played.runs:
        for label, method in run.methods.items():
            if method.state != "completed":
                text = f"{run.name}: {label} {method.state}: {method.error}"
                console.print(text, markup=False, soft_wrap=True)
    report = page.removeprefix(f"{Path.cwd().as_posix()}/")
    console.print(f"report: {report}", highlight=False, soft_wrap=True)
