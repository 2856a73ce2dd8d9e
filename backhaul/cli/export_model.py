"""`backhaul export-model`: a model of a run as a file that nodes run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.options import RunName
from backhaul.cli.prefect import flows_at_hand, prepare_prefect
from backhaul.cli.runplace import find_stored


def export_model(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    run: RunName,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="New or empty folder to write.")
    ],
    method: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="Method whose model is exported, or init, the initial model.",
            show_default="the only method",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--round",
            min=0,
            metavar="N",
            help="Batch after which it was trained.",
            show_default="the last one",
        ),
    ] = None,
    checkpoints: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            help="Most checkpoints in the model: a look takes as many times as long.",
            show_default="as the campaign's ensembles",
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Convolutions in integers of 8 bits.")
    ] = False,
    max_drop: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="X", help="Most that mAP50 on validation images may fall by."
        ),
    ] = 0.02,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The campaign's config, where it has `training.trust`."
        ),
    ] = None,
) -> None:
    """Write a model of a run as one file that nodes run, once it has been evaluated again.

    FOLDER gets model.onnx with all checkpoints of the ensemble, report.json with mAP50 before
    and after, size, latency, digests and versions, and with --int8 calibration.txt, the images
    that it was calibrated on. If mAP50 falls by more than --max-drop, nothing is written.

    [bold]Examples[/bold]

      backhaul export-model quickstart --method random --to model

      backhaul export-model cars --checkpoints 3 --int8 --to cars-int8

      backhaul export-model runs/cars/seed0 --method iqr --round 2 --to cars-iqr2
    """
    with flows_at_hand():
        from backhaul.campaign.configfile import load_config
        from backhaul.campaign.export import require_empty
        from backhaul.learn.export.settings import Export, ModelExport
    require_empty(to)
    files = find_stored(run)
    trust = config is not None and load_config(config).training.trust
    wanted = ModelExport(
        method=method,
        batch=batch,
        checkpoints=checkpoints,
        export=Export(precision="int8" if int8 else "fp32"),
        max_drop=max_drop,
    )
    prepare_prefect(files.root)
    with flows_at_hand():
        from flows.server.temporary import begin_temporary_server, use_temporary_server

        begin_temporary_server()  # it starts while the flows are imported
        from flows.export import export_model as flow
    use_temporary_server()
    refused = flow(files.view.folder, wanted, to.absolute().as_posix(), trust)
    if refused is not None:
        typer.echo(f"refused: {refused}", err=True)
        raise typer.Exit(1)
    _show(to)


def _show(folder: Path) -> None:
    from backhaul.learn.export.report import MODEL_FILE, REPORT_FILE, ExportReport

    report = ExportReport.model_validate_json((folder / REPORT_FILE).read_bytes())
    for each in report.map50:
        typer.echo(
            f"epoch {each.epoch}: mAP50 {each.map50_after:.3f} on {report.validation_images} "
            f"validation images, {each.map50_before:.3f} before"
        )
    size_mb = report.files[MODEL_FILE].bytes / 1e6
    latency = report.latency
    typer.echo(
        f"{report.model.precision}, {size_mb:.1f} MB, {latency.p50_ms:.1f} ms a look at "
        f"{report.model.img_size} px on one core, 95 % within {latency.p95_ms:.1f} ms"
    )
    typer.echo(folder / MODEL_FILE)
