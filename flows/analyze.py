"""Measure checkpoints of a campaign on test sets of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from functools import partial
from typing import Annotated, TypeAlias, TypeVar

from prefect import flow
from pydantic import Field

from backhaul.analysis.finding import Finding
from backhaul.analysis.recorded import RecordedRun, open_recorded
from backhaul.analysis.series import BatchesPlan, Point, SeriesPlan
from backhaul.analysis.series_charts import finding_of
from backhaul.errors import InputError
from backhaul.report import write_report
from backhaul.report.mirror import mirrored
from backhaul.report.remotepictures import RemotePictures
from backhaul.values.results import Measured
from blocks.opening import resolve, take_up_keys
from flows.arguments import step_of_recorded
from flows.blocks import Blocks, collect_blocks
from flows.forms import Form
from flows.telling import tell_of_flow_run
from tasks.progress import Progress
from tasks.series import measure, points_table, predict_block, write_points

Plan: TypeAlias = Annotated[SeriesPlan | BatchesPlan, Field(discriminator="kind"), Form()]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@flow(name="analyze", flow_run_name="analyze-{plan.kind}")
def analyze(
    folder: str, methods: tuple[str, ...], plan: Plan, parallel: int | None = None
) -> tuple[Finding, tuple[str, ...]]:
    """Measure what `plan` asks for of a run, and write it to its folder and on its page.

    Args:
        folder: Folder of the run, in its store, or its s3:// or block:// address; its campaign
            need not be over.
        methods: Labels of the methods. The initial training is always there.
        plan: What to measure.
        parallel: How many checkpoints are run side by side; None = as many as methods were.

    Returns:
        What was found, and where it was written.

    Raises:
        InputError: If there is no such run, or its test sets have no images yet.
    """
    tell_of_flow_run()
    folder = resolve(folder)
    run = open_recorded(folder, methods)
    take_up_keys(run.blocks)
    fraction = run.config.inference.first_epoch_fraction
    planned = plan.points(run.rounds, run.arrivals, fraction)
    blocks = collect_blocks(run, planned)
    points = [point for point in planned if blocks.sets(point)]
    if not points:
        raise InputError(f"{folder}: {', '.join(plan.sets)}: no images there yet")
    measured = _measure_all(run, points, blocks, parallel or run.config.parallel)
    table = points_table(points, measured)
    finding = finding_of(table, plan, run.rounds, run.arrivals)
    with mirrored(folder) as here:
        files = write_points(here, finding, table, points, measured)
        written = (*files, write_report(here, RemotePictures()))
        places = tuple(f"{folder}/{path.relative_to(here).as_posix()}" for path in written)
    return finding, places


def _measure_all(
    run: RecordedRun, points: Sequence[Point], blocks: Blocks, parallel: int
) -> tuple[Measured, ...]:
    """Return what each point is worth; no checkpoint looks at an image twice."""
    inference, evaluation = run.config.inference, run.config.evaluation
    owners = {look: point for point in reversed(points) for look in blocks.looks(point)}
    predictions = side_by_side(
        {
            (checkpoint, images): partial(
                predict_block,
                images,
                checkpoint,
                inference,
                evaluation.conf_floor,
                run.config.training.img_size,
                step=step_of_recorded(run, owner.method, owner.batch),
            )
            for (checkpoint, images), owner in owners.items()
        },
        parallel,
        "predictions",
    )
    measured = side_by_side(
        {
            number: partial(
                measure,
                point.looking,
                tuple(predictions[look] for look in blocks.looks(point)),
                blocks.sets(point),
                inference,
                evaluation,
                step=step_of_recorded(run, point.method, point.batch),
            )
            for number, point in enumerate(points)
        },
        parallel,
        "points",
    )
    return tuple(measured[number] for number in range(len(points)))


def side_by_side(
    calls: Mapping[K, Callable[[], V]], parallel: int, description: str
) -> dict[K, V]:
    """Make the calls, at most `parallel` at once, each in the context of this one.

    The first that fails ends all; those that are over stay cached.
    """
    progress = Progress(description)
    with ThreadPoolExecutor(parallel) as threads:
        futures = {threads.submit(copy_context().run, call): key for key, call in calls.items()}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(done, len(futures))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        return {key: future.result() for future, key in futures.items()}
