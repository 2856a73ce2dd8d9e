"""Measure checkpoints of a campaign on test sets of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Annotated, Any, TypeAlias

from prefect import flow
from pydantic import Field

from backhaul.analysis.points import further_tables, points_table
from backhaul.analysis.series import BatchesPlan, ForgettingPlan, Point, SeriesPlan
from backhaul.analysis.series_charts import finding_of
from backhaul.analysis.subject import OwnCode, Subject, open_subject
from backhaul.analysis.writing import keep_finding
from backhaul.campaign.finding import Finding
from backhaul.code import Code
from backhaul.errors import InputError
from backhaul.layout import RunFiles, run_at
from backhaul.report import write_report
from backhaul.report.campaign import stored_campaign
from backhaul.report.remotepictures import RemotePictures
from backhaul.values.results import Measured
from blocks.opening import resolve, take_up_keys
from flows.arguments import step_of_subject
from flows.events import emit_flow_run
from flows.forms import Form
from flows.parallel import side_by_side
from flows.parts import PartsOfTestSets, collect_parts
from tasks.progress import Progress
from tasks.series import measure, predict_part

Plan: TypeAlias = Annotated[
    SeriesPlan | BatchesPlan | ForgettingPlan, Field(discriminator="kind"), Form()
]


@flow(name="analyze", flow_run_name="analyze-{plan.kind}")
def analyze(
    folder: str,
    methods: tuple[str, ...],
    plan: Plan,
    parallel: int | None = None,
    detector: Code | None = None,
    trust: bool = False,
) -> tuple[Finding, tuple[str, ...]]:
    """Measure what `plan` asks for of a run, keep it there, and show it on its page.

    Args:
        folder: Folder of the run, in its store, or its s3:// or block:// address; its campaign
            need not be over.
        methods: Labels of the methods. The initial training is always there.
        plan: What to measure.
        parallel: How many checkpoints are run side by side; None = as many as methods were.
        detector: The campaign's detector of the user's own; None = Ultralytics.
        trust: Whether code in checkpoints may be run; False = Ultralytics' classes alone.

    Returns:
        What was found, and where it was written.

    Raises:
        InputError: If there is no such run, or its test sets have no images yet.
    """
    emit_flow_run()
    files = run_at(resolve(folder))
    if files is None:
        raise InputError(f"{folder}: expected the folder of a run in its store")
    run = open_subject(files, methods, OwnCode(detector, trust))
    take_up_keys(run.blocks)
    fraction = run.config.inference.first_epoch_fraction
    planned = plan.points(run.rounds, run.schedule, fraction)
    parts = collect_parts(run, planned)
    points = [point for point in planned if parts.sets(point)]
    if not points:
        raise InputError(f"{folder}: {', '.join(plan.sets)}: no images there yet")
    measured = _measure_all(run, points, parts, parallel or run.config.parallel)
    table = points_table(points, measured)
    finding = finding_of(table, plan, run.rounds, run.schedule)
    tables = further_tables(files.root, finding.name, table, points, measured)
    written = keep_finding(files, finding, tables)
    page = write_report(stored_campaign(files), RemotePictures())
    return finding, (*written, *_places(files, tables), page)


def _places(files: RunFiles, tables: Iterable[str]) -> tuple[str, ...]:
    """Return where further tables of a finding lie, or the folder of several of them."""
    names = dict.fromkeys(name.partition("/")[0] for name in tables)
    return tuple(files.view.finding(name, "") for name in names)


def _measure_all(
    run: Subject, points: Sequence[Point], parts: PartsOfTestSets, parallel: int
) -> tuple[Measured, ...]:
    """Evaluate each point; no checkpoint predicts on an image twice."""
    inference, evaluation = run.config.inference, run.config.evaluation
    owners = {look: point for point in reversed(points) for look in parts.looks(point)}
    predictions = side_by_side(
        {
            (checkpoint, images): partial(
                predict_part,
                images,
                checkpoint,
                inference,
                evaluation.conf_floor,
                run.config.training.img_size,
                step=step_of_subject(run, owner.method, owner.batch),
            )
            for (checkpoint, images), owner in owners.items()
        },
        parallel,
        _counting("predictions", len(owners)),
    )
    measured = side_by_side(
        {
            number: partial(
                measure,
                point.looking,
                tuple(predictions[look] for look in parts.looks(point)),
                parts.sets(point),
                inference,
                evaluation,
                step=step_of_subject(run, point.method, point.batch),
            )
            for number, point in enumerate(points)
        },
        parallel,
        _counting("points", len(points)),
    )
    return tuple(measured[number] for number in range(len(points)))


def _counting(description: str, total: int) -> Callable[[Any, Any], None]:
    """Return a callback that reports how many of the calls are finished."""
    progress, done = Progress(description), count(1)
    return lambda key, result: progress(next(done), total)
