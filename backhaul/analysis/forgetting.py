"""What later trainings did to what was learned earlier: a table and charts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from backhaul.analysis.series import ForgettingPlan, own_test
from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.layout import INITIAL
from backhaul.measure.forgetting import backward_transfer, forgetting

COLUMNS = ("method", "batch", "epoch", "n_tests", "backward_transfer", "forgetting")
"""Columns of the table, before the score on each test set."""

BEFORE = -1
"""Number of the initial model among the batches."""

NOTE = (
    "Measured on the old test set (init) and on the test part of what the method sent of each "
    "batch, with the checkpoint that each round ended with. backward_transfer is the mean, "
    "over the tests of earlier trainings (n_tests), of {0} now minus right after that training "
    "(Lopez-Paz and Ranzato 2017); forgetting is the mean of the best {0} since that training, "
    "minus {0} now (Chaudhry et al. 2018)."
)


def forgetting_finding(table: pd.DataFrame, plan: ForgettingPlan) -> Finding:
    """Return backward transfer and forgetting of each method, batch by batch.

    Args:
        table: Rows over all classes of `backhaul.analysis.points.points_table`: of each model
            one a test set.
        plan: What was measured.
    """
    first = table[table["method"] == INITIAL]
    labels = [label for label in dict.fromkeys(table["method"]) if label != INITIAL]
    found = [_of_method(pd.concat([first, _own(table, each)]), plan.metric) for each in labels]
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*COLUMNS])
    tests = [name for name in dict.fromkeys(table["test_set"]) if name in rows]
    return Finding(
        name=plan.name,
        title="Forgetting: what later trainings did to what was learned earlier",
        note=NOTE.format(plan.metric),
        columns=(*COLUMNS, *tests),
        rows=cells(rows[[*COLUMNS, *tests]]),
        charts=tuple(_charts(rows, table, plan.metric)),
    )


def _own(table: pd.DataFrame, label: str) -> pd.DataFrame:
    return table[table["method"] == label]


def _of_method(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a row a batch of one method; `rows` begin with those of the initial model."""
    batches = sorted(int(batch) for batch in rows["batch"].dropna().unique())
    moments = rows.assign(moment=rows["batch"].fillna(BEFORE).astype(int))
    wide = moments.pivot_table(index="moment", columns="test_set", values=metric, sort=False)
    tests = ["init", *(own_test(batch) for batch in batches)]
    wide = wide.reindex(index=[BEFORE, *batches], columns=tests)
    scores = wide.to_numpy(dtype=float)
    earlier = np.tri(len(scores), k=-1, dtype=bool) & ~np.isnan(scores - np.diag(scores))
    last = moments.drop_duplicates("moment", keep="last").set_index("moment")
    known = {
        "method": str(rows["method"].iloc[-1]),
        "batch": batches,
        "epoch": last.loc[batches, "epoch"].to_numpy(),
        "n_tests": earlier.sum(axis=1)[1:],
        "backward_transfer": backward_transfer(scores)[1:],
        "forgetting": forgetting(scores)[1:],
    }
    return pd.DataFrame(known).join(wide.iloc[1:].reset_index(drop=True))


def _charts(rows: pd.DataFrame, table: pd.DataFrame, metric: str) -> Iterable[Chart]:
    start = table.loc[(table["method"] == INITIAL) & (table["test_set"] == "init"), metric]
    yield _chart(rows, "init", f"{metric} on the old test set", metric, tuple(values(start)))
    yield _chart(rows, "backward_transfer", "Backward transfer", f"change of {metric}")
    yield _chart(rows, "forgetting", "Forgetting", f"loss of {metric}")


def _chart(
    rows: pd.DataFrame,
    column: str,
    title: str,
    y_title: str,
    start: tuple[float | None, ...] = (),
) -> Chart:
    """Return a line a method over its batches, the initial model first if `start` is given."""
    lines = [
        Series(
            name=str(method),
            x=(*(INITIAL for _ in start), *(f"batch{batch}" for batch in own["batch"])),
            y=(*start, *values(own[column])),
        )
        for method, own in rows.groupby("method", sort=False)
    ]
    return Chart(title=title, x_title="", y_title=y_title, series=tuple(lines))
