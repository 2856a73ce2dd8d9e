"""`backhaul hourly`: take in what edge nodes dropped, and go on."""

from __future__ import annotations

from functools import partial
from typing import Annotated, TypeAlias

import typer

from backhaul.cli.options import ConfigFile, Overrides, Plain, read_config
from backhaul.cli.prefect import flows_at_hand, prepare_prefect, require_server
from backhaul.cli.run import play, show_futility
from backhaul.cli.view.watch import Watch
from backhaul.data.settings import InboxData
from backhaul.errors import InputError

Now: TypeAlias = Annotated[
    bool,
    typer.Option("--now", help="Fire the triggers by hand: play what is full now."),
]


def hourly(
    config: ConfigFile, settings: Overrides = None, now: Now = False, plain: Plain = False
) -> None:
    """Take in the images that nodes dropped, and play the batches that are full.

    Every method goes on from where it stood. Run it as often as you like, by hand or by cron:
    without new images it changes nothing. On workers, the deployment `hourly` does the same.
    With `triggers` in the campaign it plays once they fire: see `backhaul triggers`.

    [bold]Examples[/bold]

      backhaul hourly configs/hourly.yaml --set initial.data.root=~/bccd

      backhaul hourly edge.yaml --now
    """
    campaign = read_config(config, settings)
    if not isinstance(campaign.data, InboxData):
        raise InputError(f"{config}: data.kind: expected inbox; for a data set: backhaul run")
    watch = Watch(campaign.name, campaign.store, plain)
    with watch.open():
        prepare_prefect(campaign.store)
        require_server(campaign)
        with flows_at_hand():
            from flows.server.temporary import begin_temporary_server

            begin_temporary_server()  # it starts while the flows are imported
            from flows.hourly import hourly as flow
        state = play(partial(flow, now=now), campaign, watch)
        from backhaul.campaign.claim import files_of
        from blocks.opening import resolve

        files = files_of(campaign.model_copy(update={"store": resolve(campaign.store)}))
    typer.echo(f"{campaign.name}: {state.name}: {state.message}")
    if campaign.futility is not None:
        show_futility(files)
    if state.is_failed():
        raise typer.Exit(1)
