"""Export a model of a run for nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow

from backhaul.campaign.modelchoice import round_of
from backhaul.campaign.runrecords import LookingConfig, RunRecords, required_runs
from backhaul.errors import InputError
from backhaul.layout import run_at
from backhaul.learn.export.report import Origin, refusal, write_export
from backhaul.learn.export.settings import Export, ModelExport
from backhaul.registry.cards import Card, read_card
from backhaul.registry.exports import Exported, exported_of, put_exported
from backhaul.registrylayout import RegistryFiles
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import NodeModel
from blocks.opening import resolve, take_up_keys
from flows.events import emit_flow_run
from flows.exporting import export_measured
from flows.forms import NO_FORM
from flows.leftovers import end_leftovers
from tasks.stage import Step


class RefusedExportError(InputError):
    """A version loses too much where it becomes a model for nodes."""


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
    step = _step(records, played.method, played.batch, trust)
    checkpoints = _ensemble(played.standing.checkpoints, looking, wanted.checkpoints)
    model, measured = export_measured(
        checkpoints, played.standing.seen, wanted.export, looking, step
    )
    reason = refusal(measured, wanted.max_drop)
    if reason is None:
        origin = Origin(run=records.files.name, method=played.method, batch=played.batch)
        write_export(model, measured, origin, wanted.max_drop, Path(folder))
    return reason


@flow(name="export-version")
def export_version(run: str, version: int, wanted: Annotated[Export, NO_FORM]) -> NodeModel:
    """Return the model for nodes of a version; it is made and recorded if there is none yet.

    Args:
        run: Folder of the run, in its store, or its s3:// or block:// address.
        version: The version.
        wanted: How it is made.

    Raises:
        InputError: If there is none, it loses too much by that, or it cannot be exported.
    """
    emit_flow_run()
    end_leftovers()
    files = RegistryFiles(_one_run(run).files)
    return version_for_nodes(files, read_card(files, version), wanted)


def version_for_nodes(
    files: RegistryFiles, card: Card, wanted: Export | None, *, trust: bool = False
) -> NodeModel:
    """Return the model for nodes of a version; it is made and recorded if there is none yet.

    Args:
        files: Where the registry lies.
        card: The version.
        wanted: How it is made; None = as by default.
        trust: Whether code in checkpoints may be run; False = Ultralytics' classes alone.

    Raises:
        RefusedExportError: If it loses too much by that.
        InputError: If a detector of the user's own trained it, or nothing is there to evaluate
            it on.
    """
    known = exported_of(files, card)
    if known is not None:
        return known
    records = RunRecords(files.run)
    checkpoints = _ensemble(card.checkpoints, records.looking, None)
    step = _step(records, card.method, card.batch, trust)
    model, measured = export_measured(
        checkpoints, card.seen, wanted or Export(), records.looking, step
    )
    reason = refusal(measured, ModelExport().max_drop)
    if reason is not None:
        raise RefusedExportError(f"{card.name}: {reason}")
    return put_exported(files, card, Exported(model=model, reevaluated=measured))


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


def _step(records: RunRecords, method: str, batch: int | None, trust: bool) -> Step:
    looking = records.looking
    return Step(
        root=records.files.root,
        seed=looking.seed,
        method="" if batch is None else method,
        batch=batch,
        device=looking.training.device,
        threads=looking.training.threads,
        trust=trust,
    )


def _ensemble(
    checkpoints: tuple[Checkpoint, ...], looking: LookingConfig, most: int | None
) -> tuple[Checkpoint, ...]:
    inference = looking.inference
    if most is not None:
        inference = inference.model_copy(update={"conf_check_num": most})
    found = inference.looking(checkpoints)
    if any(each.detector for each in found):
        raise InputError(
            "a detector of the user's own trained the model: expected one of Ultralytics, "
            "which alone can be exported"
        )
    return found
