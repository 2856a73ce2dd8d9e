"""`backhaul node`: the agent of an edge node."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.enrol import enrol

node = typer.Typer(
    no_args_is_help=True, help="Run the agent of an edge node.", rich_markup_mode="rich"
)
node.command()(enrol)


@node.callback()
def _group() -> None:
    """Run the agent of an edge node."""


@node.command()
def run(
    config: Annotated[
        Path, typer.Argument(metavar="NODE.yaml", help="The node.", show_default=False)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting that wins over the file, for example node=cam-2. Repeatable.",
            show_default=False,
        ),
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle", help="Stop once no frame is left and all that was chosen is sent."
        ),
    ] = False,
) -> None:
    """Look at frames, choose among them, and send the best home; until it is stopped.

    It may be killed at any moment, and goes on where it was.

    [bold]Examples[/bold]

      backhaul node run node.yaml
      backhaul node run node.yaml --set node=cam-2 --set frames.path=/var/frames
      backhaul node run node.yaml --until-idle
    """
    from backhaul.node.lookout import Lookout
    from backhaul.node.running import Node
    from backhaul.node.settings import NodeConfig
    from backhaul.node.watchdog import notify
    from backhaul.settingsfile import fields_of, validated

    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    given = validated(config, NodeConfig, fields_of(config), "a node", tuple(settings or ()))
    stopping = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: stopping.set())
    with Node(given) as agent:
        lookout = Lookout(agent)
        notify("READY=1")

        def stops() -> bool:
            notify("WATCHDOG=1")
            lookout.tell()
            return stopping.is_set() or (until_idle and agent.is_done)

        agent.run(stops)
        notify("STOPPING=1")
        lookout.tell(is_last=True)
