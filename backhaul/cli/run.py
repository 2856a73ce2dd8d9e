"""`backhaul run`: a campaign on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from backhaul.campaign.config import CampaignConfig
from backhaul.cli.init import campaign_of, is_data_set
from backhaul.cli.options import Overrides, Plain, read_config
from backhaul.cli.prefect import flows_at_hand, prepare_prefect, require_server
from backhaul.cli.view.stopping import stopping
from backhaul.cli.view.watch import Watch
from backhaul.cli.view.wording import shortened
from backhaul.errors import AwaitingLabelsError, InputError
from backhaul.events import Planned, emit
from backhaul.layout import RunFiles


def run(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|FOLDER",
            help="A campaign, as YAML, or a data set, for which one is written.",
            show_default=False,
        ),
    ],
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
    plain: Plain = False,
) -> None:
    """Run a campaign on this machine; a second start goes on where the first one stopped.

    In a terminal you see the plan, what runs, scores and warnings. The full log is
    kept in .backhaul/runs/NAME/log.txt. Ctrl-C stops the run; nothing is lost.

    For the folder of a data set, or its address, a campaign is written as by `backhaul init`
    and begun; a second start goes on with that file.

    [bold]Examples[/bold]

      backhaul run configs/quickstart.yaml

      backhaul run ~/cars

      backhaul run configs/quickstart.yaml --plain > run.log 2>&1

      backhaul run configs/bccd.yaml --set data.root=~/bccd --set seeds=[0,1,2]

      backhaul run cars.yaml --name second --reload runs/first/checkpoints/init_ckpt_50.pt
    """
    if epoch is not None and reload is None:
        raise InputError("--epoch: says how old the checkpoint of --reload is; give that too")
    given = {"name": name, "start.checkpoint": reload, "start.epoch": epoch}
    wins = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    overrides = [*(settings or []), *wins]
    file = campaign_of(config) if is_data_set(config) else Path(config)
    campaign = read_config(file, overrides)
    watch = Watch(campaign.name, campaign.store, plain)
    with watch.open():
        _tell_plan(campaign)
        prepare_prefect(campaign.store)
        require_server(campaign)
        with flows_at_hand():
            from flows.server.temporary import begin_temporary_server

            begin_temporary_server()  # it starts while the flows are imported
            from flows.campaign import campaign as flow
        state = play(flow, campaign, watch)
    _show(campaign, state, watch)
    if state.is_failed():
        raise typer.Exit(1)


def _tell_plan(campaign: CampaignConfig) -> None:
    """Tell what the config says of the plan; batches that are not counted there come later."""
    first = campaign.each_seed[0]
    labels = tuple(arm.label for arm in first.arms)
    emit(Planned(first.name, labels, tuple(range(first.batches.count or 0))))


def play(flow: Callable[..., Any], campaign: CampaignConfig, watch: Watch) -> Any:
    """Run a flow on a campaign in this process, and return its final state.

    Args:
        flow: The flow.
        campaign: What it is called with.
        watch: What shows it.

    Raises:
        InputError: If the campaign's input is wrong.
        Exit: If something else ended it, unless some of its methods did.
    """
    if campaign.execution == "work-pool":
        stopping.notes.append(
            f"what runs on workers goes on; to end it, cancel the runs tagged {campaign.name} "
            "in Prefect's UI"
        )
    with watch.flows():
        state = flow(campaign, return_state=True)
    if state.is_failed():
        _raise(state, watch)
    return state


def _raise(state: Any, watch: Watch) -> None:
    """Raise what ended the campaign, or say it in a line if no input can be mended.

    Where methods failed, and not the campaign around them, nothing is raised.
    """
    from prefect.exceptions import FailedRun

    try:
        state.result()
    except FailedRun:
        return
    except (InputError, AwaitingLabelsError):
        raise
    except Exception as error:
        watch.say_failed(error)
        raise typer.Exit(1) from None


def _show(campaign: CampaignConfig, state: Any, watch: Watch) -> None:
    from backhaul.campaign.claim import files_of
    from backhaul.cli.tables import print_gains
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
    if campaign.futility is not None:
        show_futility(files_of(opened))
    for run in played.runs:
        for label, method in run.methods.items():
            if method.state != "completed":
                text = f"{run.name}: {label} {method.state}: {method.error}"
                console.print(text, markup=False, soft_wrap=True)
    report = page.removeprefix(f"{Path.cwd().as_posix()}/")
    console.print(f"report: {report}", highlight=False, soft_wrap=True)
    console.print(f"log: {shortened(watch.log)}", highlight=False, soft_wrap=True)


def show_futility(files: RunFiles) -> None:
    """Print what the rounds so far say of the wished gain of a run."""
    from backhaul.analysis.futility import NAME
    from backhaul.campaign.finding import FINDING

    stored = FINDING.read(files.finding(NAME))
    if stored is not None:
        typer.echo(f"futility: {stored.finding.note}")
