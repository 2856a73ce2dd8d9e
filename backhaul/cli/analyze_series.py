"""`backhaul analyze series`, `batches`, `forgetting`: checkpoints measured once more."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from backhaul.analysis.results import check_metric, choose_methods
from backhaul.analysis.series import (
    SET_NAMES,
    BatchesPlan,
    ForgettingPlan,
    Mode,
    SeriesPlan,
    SetName,
)
from backhaul.analysis.subject import OwnCode, open_subject
from backhaul.campaign.configfile import load_config
from backhaul.campaign.run import Run
from backhaul.cli.analyze.inputs import Methods, open_run
from backhaul.cli.analyze.show import Format, show
from backhaul.cli.options import Plain, RunName
from backhaul.cli.prefect import flows_at_hand, prepare_prefect
from backhaul.cli.runplace import find_stored
from backhaul.cli.view.watch import Watch
from backhaul.errors import InputError, MissingObjectError
from backhaul.layout import RunFiles
from backhaul.measure.names import METRICS

OF_CONFIG = 0

Drawn = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="X",
        help=f"Draw this: {', '.join(METRICS[:8])}. Repeatable; none = mAP50.",
    ),
]
Parallel = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="P", help="Checkpoints side by side; none = the run's `parallel`."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The campaign's config, where it has a detector of its own or `training.trust`: "
        "what lies in a store names no code to run.",
    ),
]


class OptionalCount(TyperCommand):
    """A command whose option ``--avg`` may stand without a number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with a number after each ``--avg``."""
        given: list[str] = []
        for this, following in zip(args, [*args[1:], ""], strict=True):
            bare = this == "--avg" and not following.isdecimal()
            given.append(f"--avg={OF_CONFIG}" if bare else this)
        return super().parse_args(ctx, given)


def series(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    run: RunName,
    method: Methods = None,
    test_sets: Annotated[
        str,
        typer.Option("--set", metavar="S1,S2", help=f"Test sets: {', '.join(SET_NAMES)}."),
    ] = "common",
    delta: Annotated[
        int, typer.Option(min=1, metavar="N", help="Epochs between two points of a training.")
    ] = 1,
    avg: Annotated[
        int | None,
        typer.Option(
            min=OF_CONFIG,
            metavar="[N]",
            help="The mean of N checkpoints, equally spaced over all epochs so far; without N, "
            "of as many as the run's ensembles have.",
            show_default="one checkpoint",
        ),
    ] = None,
    roll: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="The mean of the last N checkpoints.",
            show_default="one checkpoint",
        ),
    ] = None,
    batch_test: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Batches of the set batch_test; none = those held out."
        ),
    ] = None,
    metric: Drawn = None,
    parallel: Parallel = None,
    config: Config = None,
    output: Format = "table",
    plain: Plain = False,
) -> None:
    """Measure checkpoints epoch by epoch, on test sets of your choice.

    Runs the detector; a second call takes what is known from the cache.

    [bold]Examples[/bold]

      backhaul analyze series quickstart

      backhaul analyze series quickstart --set init,all_iter --delta 5 --method iqr

      backhaul analyze series quickstart --set batch_test --batch-test 2 --avg --metric recall
    """
    opened, files, watch = _open(run, plain)
    if avg is not None and roll is not None:
        raise InputError("--roll: means other checkpoints than --avg; give one of them")
    stored = opened.config
    mode = Mode()
    if roll is not None:
        mode = Mode(kind="roll", count=roll)
    elif avg is not None:
        mode = Mode(kind="avg", count=avg or stored["inference"]["conf_check_num"])
    plan = SeriesPlan(
        sets=_sets(test_sets),
        mode=mode,
        delta=delta,
        batch_test=batch_test or stored["batches"]["holdout_batches"],
        metrics=_metrics(metric),
    )
    labels = choose_methods(opened, method or ())
    _analyze(files, labels, plan, parallel, _own_code(config), output, watch)


def batches(  # noqa: PLR0913, PLR0917 - as many as options
    run: RunName,
    method: Methods = None,
    batch_test: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Measure on the last N batches; none = on the batch that comes next.",
        ),
    ] = None,
    metric: Drawn = None,
    parallel: Parallel = None,
    config: Config = None,
    output: Format = "table",
    plain: Plain = False,
) -> None:
    """Measure the model after each batch on a later one, alone and as an ensemble.

    Runs the detector; a second call takes what is known from the cache.

    [bold]Examples[/bold]

      backhaul analyze batches quickstart

      backhaul analyze batches quickstart --batch-test 2 --metric recall
    """
    opened, files, watch = _open(run, plain)
    ensemble = Mode(kind="avg", count=opened.config["inference"]["conf_check_num"])
    plan = BatchesPlan(
        modes=(Mode(), ensemble), batch_test=batch_test, metrics=_metrics(metric)
    )
    labels = choose_methods(opened, method or ())
    _analyze(files, labels, plan, parallel, _own_code(config), output, watch)


def forgetting(
    run: RunName,
    method: Methods = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="X", help=f"One of {', '.join(METRICS[:8])}.")
    ] = "mAP50",
    parallel: Parallel = None,
    config: Config = None,
    output: Format = "table",
    plain: Plain = False,
) -> None:
    """Measure the model after each batch on the tests of earlier ones: backward transfer.

    Runs the detector; a second call takes what is known from the cache.

    [bold]Examples[/bold]

      backhaul analyze forgetting quickstart

      backhaul analyze forgetting quickstart --method iqr --metric recall
    """
    opened, files, watch = _open(run, plain)
    check_metric(metric, METRICS)
    labels = choose_methods(opened, method or ())
    plan = ForgettingPlan(metric=metric)
    _analyze(files, labels, plan, parallel, _own_code(config), output, watch)


def _own_code(config: Path | None) -> OwnCode:
    """Return what of the user's own a campaign's config names."""
    sys.path.append(str(Path.cwd()))  # where a detector of the user's own may lie
    if config is None:
        return OwnCode()
    training = load_config(config).training
    return OwnCode(training.detector, training.trust)


def _open(name: str, plain: bool) -> tuple[Run, RunFiles, Watch]:
    """Return a run, where its files lie, and what shows its analysis.

    Prefect then finds what its settings are.
    """
    remote = "://" in name
    if remote:
        prepare_prefect(name)
    run, place = open_run(name)
    files = find_stored(place.address)
    if not remote:
        prepare_prefect(files.root)
    return run, files, Watch(run.name, files.root, plain)


def _sets(text: str) -> tuple[SetName, ...]:
    names = dict.fromkeys(part for part in text.split(",") if part)
    for name in names:
        if name not in SET_NAMES:
            raise InputError(
                f"--set: unknown test set {name!r}: expected {', '.join(SET_NAMES)}"
            )
    return tuple(name for name in SET_NAMES if name in names)


def _metrics(names: list[str] | None) -> tuple[str, ...]:
    for name in names or ():
        check_metric(name, METRICS)
    return tuple(dict.fromkeys(names or ("mAP50",)))


def _analyze(
    files: RunFiles,
    labels: tuple[str, ...],
    plan: SeriesPlan | BatchesPlan | ForgettingPlan,
    parallel: int | None,
    own: OwnCode,
    output: Format,
    watch: Watch,
) -> None:
    with watch.open():
        with flows_at_hand():
            from blocks.opening import take_up_keys
            from flows.analyze import analyze
        subject = open_subject(
            files, labels, own
        )  # what is wrong is said before a server starts
        if not isinstance(plan, ForgettingPlan) and "batch_test" in plan.sets:
            subject.schedule.first_tested(plan.batch_test or 0)
        take_up_keys(subject.blocks)
        for lines in ("prefect.task_runs", "prefect.flow_runs"):  # there are hundreds of each
            logging.getLogger(lines).setLevel(logging.WARNING)
        with watch.flows():
            state = analyze(
                files.view.folder,
                labels,
                plan,
                parallel,
                own.detector,
                own.trust,
                return_state=True,
            )
    try:
        finding, written = state.result()
    except MissingObjectError as error:
        raise InputError(f"{error}; expected it in the store {files.root}") from None
    show(finding, written, output)
