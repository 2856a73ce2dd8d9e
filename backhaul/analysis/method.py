"""All metrics of one method, batch after batch."""

from __future__ import annotations

import pandas as pd

from backhaul.analysis.results import COMMON, METRICS, choose_methods, measured
from backhaul.campaign.finding import Chart, Finding, Series, cells, name_of, values
from backhaul.campaign.run import Run
from backhaul.layout import INITIAL
from backhaul.measure.names import COUNTS
from backhaul.measure.names import SENT as TOTALS

SENT = ("images_sent", "bytes_sent", *TOTALS, "epochs_trained", "epoch")
MEASURED = (*METRICS, *COUNTS)
CHARTS = {
    "average precision": ("mAP50", "mAP50-95"),
    "precision, recall, accuracy": ("prec", "recall", "acc"),
    "confidence": ("conf", "conf_std", "detect_conf_std"),
    "bytes sent": ("bytes_sent",),
    "epochs trained": ("epochs_trained",),
}


def one_method(run: Run, label: str, test_set: str = COMMON) -> Finding:
    """Follow one method through its batches.

    Args:
        run: The run.
        label: Label of the method.
        test_set: Name of the test set.

    Returns:
        A row for the initial model, whose batch is empty, then one a batch: what was sent,
        epochs trained, and all metrics on the test set.

    Raises:
        InputError: If the method or the test set is not there.
    """
    choose_methods(run, (label,))
    rows = measured(run, test_set)
    rows = rows[rows["method"].isin([INITIAL, label])]
    table = rows.sort_values("batch", na_position="first", ignore_index=True)
    table = table[["batch", *SENT, *MEASURED]].astype(dict.fromkeys((*SENT, *COUNTS), "Int64"))
    return Finding(
        name=name_of(f"method_{label}", None if test_set == COMMON else test_set),
        title=f"{label} on {test_set}, batch after batch",
        note="The row without a batch is the initial model. Of n_detections, those from "
        "evaluation.pos_thres on; precision, recall and accuracy follow from them.",
        columns=tuple(table.columns),
        rows=cells(table),
        charts=tuple(_chart(table, title, names) for title, names in CHARTS.items()),
    )


def _chart(table: pd.DataFrame, title: str, names: tuple[str, ...]) -> Chart:
    x = tuple("init" if pd.isna(batch) else f"batch {batch}" for batch in table["batch"])
    kind = "bars" if len(names) == 1 else "line"
    series = [Series(name=name, x=x, y=values(table[name]), kind=kind) for name in names]
    return Chart(title=title, x_title="", y_title=title, series=tuple(series))
