"""All commands of `backhaul`, and what becomes of their errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backhaul import __version__
from backhaul.cli.extras import missing_extra
from backhaul.cli.lazy import Entry, lazy
from backhaul.errors import AwaitingLabelsError, InputError, MissingObjectError
from backhaul.untrusted import one_line

WRONG_INPUT = 2
SUMMARY = "Finds out which images an edge camera should send home over a thin link."
COMMANDS = {
    "init": Entry(
        "backhaul.cli.init:init",
        "Look at a data set, and write a campaign that fits it, with all reasons.",
    ),
    "run": Entry(
        "backhaul.cli.run:run",
        "Run a campaign on this machine; a second start goes on where the first one stopped.",
    ),
    "hourly": Entry(
        "backhaul.cli.hourly:hourly",
        "Take in the images that nodes dropped, and play the batches that are full.",
    ),
    "labels": Entry(
        "backhaul.cli.labels:labels",
        "See what waits for labels, and exchange it with annotators' tools.",
    ),
    "triggers": Entry(
        "backhaul.cli.triggers:triggers",
        "Say when a run is played and why, or let it be played now.",
    ),
    "plan": Entry(
        "backhaul.cli.plan:plan",
        "Say what a campaign will take: trainings, time, bytes sent, and disk.",
    ),
    "validate": Entry(
        "backhaul.cli.validate:validate",
        "Check all that a campaign names, as the run would, and say what it would do.",
    ),
    "study": Entry(
        "backhaul.cli.study:study",
        "Compare methods over sets, seeds and budgets, and say what is shown and what is not.",
    ),
    "select": Entry(
        "backhaul.cli.select:select",
        "Choose the images to send of a folder, by the predictions of any detector.",
    ),
    "pretrain": Entry(
        "backhaul.cli.pretrain:pretrain",
        "Train a detector on several data sets, for others to start from.",
    ),
    "methods": Entry(
        "backhaul.cli.methods:methods",
        "List the sampling methods with what they need, their source and parameters.",
    ),
    "redundancy": Entry(
        "backhaul.cli.redundancy:redundancy",
        "Measure how much unlabelled frames repeat, and say whether choosing will help.",
    ),
    "node": Entry("backhaul.cli.node:node", "Run the agent of an edge node."),
    "fleet": Entry(
        "backhaul.cli.fleet:fleet",
        "See how nodes are, change what they go by, and ask for frames.",
    ),
    "models": Entry(
        "backhaul.cli.models:models",
        "See a run's models, decide on them, and publish them for nodes, signed.",
    ),
    "doctor": Entry(
        "backhaul.cli.doctor:doctor",
        "Check versions, server, work pools, store, GPU, disk and clock, and say what to do.",
    ),
    "report": Entry(
        "backhaul.cli.report:report",
        "Write the folder of a run again, and of each seed: report.html, tables, lists, logs.",
    ),
    "import-cfg": Entry(
        "backhaul.cli.import_cfg:import_cfg",
        "Turn a config of bandwidth-aware-learning (key = value, inherit) into a campaign.",
    ),
    "import-sedna": Entry(
        "backhaul.cli.import_sedna:import_sedna",
        "Turn an IncrementalLearningJob of KubeEdge Sedna, or an Ianvs benchmark, into a "
        "campaign.",
    ),
    "export": Entry(
        "backhaul.cli.export:export",
        "Write lists, benchmarks, logs and checkpoints of a run as the earlier tool did.",
    ),
    "export-model": Entry(
        "backhaul.cli.export_model:export_model",
        "Write a model of a run as one file that nodes run, once it has been evaluated again.",
    ),
    "data": Entry(
        "backhaul.cli.data:data", "Look at data sets, convert them, and write the demo's."
    ),
    "analyze": Entry(
        "backhaul.cli.analyze:analyze",
        "Tables and charts of a run.",
    ),
    "store": Entry("backhaul.cli.store:store", "Keep a store small."),
}
"""What the command can do. A test holds that each summary is the first line of its help."""

app = lazy(SUMMARY, COMMANDS)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"backhaul {__version__}")
        raise typer.Exit


@app.callback(help=SUMMARY)
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None: ...


def run_app() -> None:
    """Run the command that was given, and say in one line what is wrong with its input."""
    try:
        app()
    except AwaitingLabelsError as error:
        _say(f"waiting for labels: {error}")
    except InputError as error:
        _say(f"error: {error}")
        sys.exit(WRONG_INPUT)
    except MissingObjectError as error:
        _say(f"error: {error}; start the run again, which makes it anew")
        sys.exit(WRONG_INPUT)
    except OSError as error:
        if error.filename is None:
            raise
        _say(f"error: {one_line(str(error.filename))}: {error.strerror}")
        sys.exit(WRONG_INPUT)
    except ModuleNotFoundError as error:
        if (remedy := missing_extra(error)) is None:
            raise
        _say(f"error: {remedy}")
        sys.exit(WRONG_INPUT)


def _say(line: str) -> None:
    typer.echo(line, err=True)
