"""`backhaul analyze curves`, `method` and `compare`: what was measured, batch after batch."""

from __future__ import annotations

from typing import Annotated

import typer

from backhaul.analysis.compare import Aggregate
from backhaul.analysis.results import COMMON
from backhaul.cli.analyze.inputs import Methods, TestSet, open_run
from backhaul.cli.analyze.show import Format, show
from backhaul.cli.options import RunName


def curves(
    run: RunName,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X",
            help="loss, mAP50, mAP50-95, prec, recall, acc, conf, conf_std, detect_conf_std or "
            "one of these after ensemble_. Repeatable; none = loss and mAP50.",
        ),
    ] = None,
    method: Methods = None,
    test_set: TestSet = COMMON,
    output: Format = "table",
) -> None:
    """Follow the trainings epoch by epoch, with the batches marked.

    Losses and the validation mAP50 are known after every epoch, other metrics at the epochs
    whose checkpoint was evaluated.

    [bold]Examples[/bold]

      backhaul analyze curves quickstart

      backhaul analyze curves quickstart --metric loss --metric recall --method iqr
    """
    from backhaul.analysis.curves import DEFAULT
    from backhaul.analysis.curves import curves as follow

    opened, place = open_run(run)
    finding = follow(opened, metric or DEFAULT, method or (), test_set)
    show(finding, place.keep(finding), output)


def method(
    run: RunName,
    label: Annotated[str, typer.Argument(metavar="METHOD", help="Label of the method.")],
    test_set: TestSet = COMMON,
    output: Format = "table",
) -> None:
    """Show all metrics of one method by batch, with what was sent and the epochs trained.

    [bold]Examples[/bold]

      backhaul analyze method quickstart iqr

      backhaul analyze method quickstart iqr --test-set old_test --format csv > iqr.csv
    """
    from backhaul.analysis.method import one_method

    opened, place = open_run(run)
    finding = one_method(opened, label, test_set)
    show(finding, place.keep(finding), output)


def compare(
    run: RunName,
    metric: Annotated[
        str, typer.Option(metavar="X", help="mAP50, mAP50-95, prec, recall, acc, conf, ...")
    ] = "mAP50",
    test_set: TestSet = COMMON,
    compare_init: Annotated[
        bool, typer.Option("--compare-init", help="Differences to the initial model.")
    ] = False,
    filter_sample: Annotated[
        list[str] | None,
        typer.Option(metavar="M1,M2", help="Keep these methods. Repeatable; none = all."),
    ] = None,
    aggregate: Annotated[
        Aggregate | None, typer.Option(help="Add this over the batches.", show_default=False)
    ] = None,
    output: Format = "table",
) -> None:
    """Compare the methods by one metric, batch after batch.

    [bold]Examples[/bold]

      backhaul analyze compare quickstart

      backhaul analyze compare quickstart --metric recall --compare-init --aggregate mean

      backhaul analyze compare quickstart --filter-sample iqr,true-random
    """
    from backhaul.analysis.compare import compare as put_side_by_side

    kept = [label for labels in filter_sample or () for label in labels.split(",") if label]
    opened, place = open_run(run)
    finding = put_side_by_side(
        opened,
        metric,
        test_set,
        over_initial=compare_init,
        methods=kept,
        aggregate=aggregate,
    )
    show(finding, place.keep(finding), output)
