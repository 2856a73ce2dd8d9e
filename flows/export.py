"""Export a model of a run for nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow

from backhaul.campaign.modelchoice import round_of
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import LookingConfig, RunRecords, required_runs
from backhaul.errors import InputError
from backhaul.layout import run_at
from backhaul.learn.export.report import Origin, refusal, write_export
from backhaul.learn.export.settings import ModelExport
from backhaul.values.checkpoints import Checkpoint
from blocks.opening import resolve, take_up_keys
from flows.events import emit_flow_run
from flows.exporting import export_measured
from flows.forms import NO_FORM
from flows.leftovers import end_leftovers
from tasks.stage import Step


@flow(name="export-model")
def export_model(
    run: str, wanted: Annotated[ModelExport, NO_FORM], folder: str, trust: bool = False
) -> str | None:
    """Write the ensemble of a model as one file for nodes, unless it has lost too much by that.

    What stages have computed comes from the store.

    Args:
        run: Folder of the run, in its store, or its s3:// or block:// address.
        wanted: Which model, how it is made, and what it may lose.
        folder: New or empty folder on this disk.
        trust: Whether code in checkpoints may be run; False = Ultralytics' classes alone.

    Returns:
        Why nothing was written; None if the model was.

    Raises:
        InputError: If there is no such model, or nothing to evaluate it on.
    """
    emit_flow_run()
    end_leftovers()
    records = _one_run(run)
    played = round_of(records, wanted.method, wanted.batch)
    looking = records.looking
    step = _step(records, played, trust)
    checkpoints = _ensemble(played, looking, wanted.checkpoints)
    model, measured = export_measured(
        checkpoints, played.standing.seen, wanted.export, looking, step
    )
    reason = refusal(measured, wanted.max_drop)
    if reason is None:
        origin = Origin(run=records.files.name, method=played.method, batch=played.batch)
        write_export(model, measured, origin, wanted.max_drop, Path(folder))
    return reason


def _one_run(run: str) -> RunRecords:
    files = run_at(resolve(run))
    if files is None:
        raise InputError(f"{run}: expected the folder of a run in its store")
    runs = required_runs(files)
    if len(runs) > 1:
        names = ", ".join(each.files.name for each in runs)
        raise InputError(f"{run}: has several seeds: expected one of runs/{{{names}}}")
    take_up_keys(runs[0].beginning.blocks)
    return runs[0]


def _step(records: RunRecords, played: RoundRecord, trust: bool) -> Step:
    looking = records.looking
    return Step(
        root=records.files.root,
        seed=looking.seed,
        method="" if played.batch is None else played.method,
        batch=played.batch,
        device=looking.training.device,
        threads=looking.training.threads,
        trust=trust,
    )


def _ensemble(
    played: RoundRecord, looking: LookingConfig, most: int | None
) -> tuple[Checkpoint, ...]:
    inference = looking.inference
    if most is not None:
        inference = inference.model_copy(update={"conf_check_num": most})
    found = inference.looking(played.standing.checkpoints)
    if any(each.detector for each in found):
        raise InputError(
            "a detector of the user's own trained the model: expected one of Ultralytics, "
            "which alone can be exported"
        )
    return found
