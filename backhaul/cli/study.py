"""`backhaul study`: which method is better than chance, and how sure is that?"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.options import Overrides, find_code_beside
from backhaul.cli.prefect import flows_at_hand, prepare_prefect, require_server
from backhaul.cli.view.logfile import begin_log, logging_to
from backhaul.cli.view.stopping import stopping
from backhaul.errors import AwaitingLabelsError, InputError
from backhaul.events import Doing, Entered, Happening, Warned, emit, listening
from backhaul.study.design import Plan, plan_of, remaining_s
from backhaul.study.rows import Table
from backhaul.study.settings import StudyConfig
from backhaul.study.studyfile import load_study
from backhaul.untrusted import one_line

Limit = Annotated[str, typer.Option(metavar="A,B", help="Compute these alone; none = all.")]


def study(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    file: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A study, as YAML.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of table and page.", show_default="studies/NAME"),
    ] = None,
    sets: Limit = "",
    seeds: Limit = "",
    settings: Overrides = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print how much there is to do, and stop.")
    ] = False,
    screen: Annotated[
        bool,
        typer.Option("--screen", help="Score all choices without retraining, and stop."),
    ] = False,
    page_only: Annotated[
        bool, typer.Option("--page-only", help="Write the page from the table, and stop.")
    ] = False,
) -> None:
    """Compare methods over sets, seeds and budgets, and say what is shown and what is not.

    All methods choose from the same pool, and the same initial model is retrained with each
    choice, for the same number of steps. A row is written as soon as it is known: a second
    start adds what is missing, also on another machine, from the table alone.

    [bold]Examples[/bold]

      backhaul study configs/study.yaml --plan

      backhaul study configs/study.yaml --seeds 0,1

      backhaul study configs/studies/screening.yaml --screen
    """
    find_code_beside(file)
    config = load_study(file, tuple(settings or ()))
    folder = out or Path("studies") / config.name
    chosen = _names("--sets", sets, config.sets)
    numbers = _names("--seeds", seeds, map(str, (*config.seeds.test, *config.seeds.choose)))
    limited = plan_of(config, Table(folder).rows()).limited(chosen, set(map(int, numbers)))
    _tell(config, limited)
    if plan:
        return
    try:
        if screen or (limited.missing and not page_only):
            _compute(config, folder, chosen, tuple(map(int, numbers)), screen)
    finally:
        if screen:
            _tell_scores(config, folder)
        _write_page(config, folder)


def _names(option: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    there = tuple(known)
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if unknown := [name for name in wanted if name not in there]:
        told = one_line(repr(unknown[0]))
        raise InputError(f"{option}: {told} is none of {', '.join(there)}")
    return wanted


def _tell(config: StudyConfig, plan: Plan) -> None:
    """Say how much there is to do, and which rows no longer belong to the study."""
    from backhaul.report.wording import duration, plural

    n, known = len(plan.missing), len(plan.known)
    seconds = remaining_s(plan.missing, plan.known, config.parallel)
    took = "how long each takes is not known before one is measured"
    if seconds is not None:
        took = f"about {duration(seconds)}, {config.parallel} side by side"
    more = took if n else "nothing is to be computed"
    typer.echo(f"{config.name}: {plural(n, 'training')} missing, {known:,} known; {more}")
    if plan.foreign:
        foreign = dict.fromkeys(f"{row.set} {row.arm}" for row in plan.foreign)
        typer.echo(
            f"{plural(len(plan.foreign), 'row')} of other settings are kept, and not counted: "
            f"{', '.join(foreign)}"
        )


def _tell_scores(config: StudyConfig, folder: Path) -> None:
    """Print the mean scores of each arm, set by set, and how well scores rank so far."""
    from backhaul.cli.analyze.show import show
    from backhaul.study.screening import mean_scores, read_screening, screening_finding

    screened, rows = read_screening(folder), plan_of(config, Table(folder).rows()).known
    for name in config.sets:
        if (found := screening_finding(config, name, screened, rows)) is None:
            continue
        show(mean_scores(config, name, screened), ())
        show(found, ())


def _write_page(config: StudyConfig, folder: Path) -> None:
    from backhaul.study.page import write_page
    from backhaul.study.summaryfile import write_summary

    rows = Table(folder).rows()
    write_summary(config, folder, rows)
    typer.echo(f"page: {write_page(config, folder, rows)}")


def _compute(
    config: StudyConfig,
    folder: Path,
    sets: tuple[str, ...],
    seeds: tuple[int, ...],
    screen: bool,
) -> None:
    """Run the flow, of screening or of the study, and say in a line what happens."""
    log = folder / "log.txt"
    folder.mkdir(parents=True, exist_ok=True)
    begin_log(log)
    flow_runs: list[str] = []
    with (
        listening(partial(_show, flow_runs)),
        stopping.doing(lambda: None, lambda: _end(flow_runs)),
    ):
        prepare_prefect(config.store)
        for name in config.sets:
            require_server(config.campaign(name, 0))
        with flows_at_hand():
            from flows.server.temporary import begin_temporary_server, use_temporary_server

            begin_temporary_server()  # it starts while the flows are imported
            flow = _flow(screen)
        with logging_to(log):
            emit(Doing("starting Prefect's server"))
            try:
                use_temporary_server()
                flow(config, folder.as_posix(), sets, seeds)
            except (InputError, AwaitingLabelsError):
                raise
            except Exception as error:
                _say(f"failed: {type(error).__name__}: {error}")
                _say(f"all of it: {log}; the same command goes on")
                raise typer.Exit(1) from None


def _show(flow_runs: list[str], happening: Happening) -> None:
    """Say in a line what happens, and note the flow run that is entered."""
    match happening.event:
        case Entered(flow_run):
            flow_runs.append(flow_run)
        case Doing(what):
            _say(what)
        case Warned(level, text):
            _say(f"{level}: {text}")


def _flow(screen: bool) -> Callable[..., None]:
    if screen:
        from flows.screening import screening

        return screening
    from flows.study import study as computing

    return computing


def _end(flow_runs: list[str]) -> None:
    """Tell the user's Prefect server, if any, that the flow runs of this process end."""
    from flows.cancellation import end_here
    from flows.server.temporary import is_temporary

    if flow_runs and not is_temporary():
        end_here(flow_runs[0])


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()
