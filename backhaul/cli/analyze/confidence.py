"""`backhaul analyze classes`, `histogram` and `rolling`: how good single detections are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.analyze.inputs import BenchmarkOrRun, Methods, open_source
from backhaul.cli.analyze.show import Format, show

POS_THRES = 0.5


def classes(
    benchmark: Annotated[
        Path,
        typer.Argument(
            metavar="BENCHMARK.csv",
            help="A benchmark file, also of another tool, with the columns file, detected, "
            "actual, conf, conf_std, hit.",
        ),
    ],
    pos_thres: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Confidence from which a detection counts.")
    ] = POS_THRES,
    output: Format = "table",
) -> None:
    """Count hits and errors of each class in a benchmark file.

    The table is written beside the file, as NAME_classes.csv, with a chart.

    [bold]Example[/bold]

      backhaul analyze classes runs/quickstart/output/iqr0_benchmark_avg_1_14.csv
    """
    from backhaul.analysis.classes import by_class
    from backhaul.analysis.seen import read_benchmark
    from backhaul.analysis.writing import write_beside

    finding = by_class(read_benchmark(benchmark), pos_thres, f"{benchmark.stem}_classes")
    show(finding, write_beside(benchmark, finding), output)


def histogram(
    source: BenchmarkOrRun,
    only: Annotated[
        str | None,
        typer.Option("--class", metavar="C", help="Detections as this class; none = all."),
    ] = None,
    method: Methods = None,
    output: Format = "table",
) -> None:
    """Count hits, misses and all detections by confidence, together and class by class.

    Of a run, what the ensembles saw in all batches before sampling.

    [bold]Examples[/bold]

      backhaul analyze histogram quickstart --method iqr

      backhaul analyze histogram iqr0_benchmark_avg_1_14.csv --class two
    """
    from backhaul.analysis.histogram import histogram as count

    opened = open_source(source, method)
    name = opened.name("histogram", only, "+".join(method or ()))
    finding = count(opened.seen, only, name)
    show(finding, opened.write(finding), output)


def rolling(
    source: BenchmarkOrRun,
    window: Annotated[
        int | None,
        typer.Option(metavar="N", help="Detections in a window; none = a tenth of them."),
    ] = None,
    method: Methods = None,
    output: Format = "table",
) -> None:
    """Show precision among detections of about the same confidence, method by method.

    [bold]Examples[/bold]

      backhaul analyze rolling quickstart --window 50

      backhaul analyze rolling iqr0_benchmark_avg_1_14.csv --format csv > rolling.csv
    """
    from backhaul.analysis.rolling import rolling as slide

    width = f"window{window}" if window else None
    opened = open_source(source, method)
    name = opened.name("rolling", width, "+".join(method or ()))
    finding = slide(opened.parts, window, name)
    show(finding, opened.write(finding), output)
