"""Charts and tables of one set of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.report.wording import NONE, number, p_value, plus_minus, signed
from backhaul.study.recipefindings import recipe_findings
from backhaul.study.rows import Row
from backhaul.study.settings import CEILING, CONTROL, INITIAL, REFERENCES
from backhaul.study.statistics import GAIN, Effect, wins
from backhaul.study.summary import Summary
from backhaul.study.wording import budget_in_words, interval, more_images

SHORT = 10
"""Digits of a digest that tell it apart on a page."""


def findings_of(summary: Summary, rows: Sequence[Row]) -> tuple[Finding, ...]:
    """Return what a set shows, as charts and tables; what has no rows yet is left out.

    Args:
        summary: What is known of it by the seeds that test.
        rows: All rows of the set that belong to the study.
    """
    found = (
        curve(summary),
        differences(summary),
        win_matrix(summary),
        until(summary),
        *recipe_findings(
            summary.name,
            summary.study.recipes_of(summary.name),
            {budget.name: budget_in_words(budget) for budget in summary.study.budgets},
            summary.everything,
        ),
        table_of(summary.name, rows),
    )
    return tuple(each for each in found if each.rows)


def curve(summary: Summary) -> Finding:
    """Return mAP50 at each budget, with what is reached without and with all images."""
    budgets = {budget.name: budget_in_words(budget) for budget in summary.study.budgets}
    points = _curve_points(summary, list(budgets))
    x = tuple(budgets.values())
    chart = Chart(
        title=f"{summary.name}: mAP50 against the budget",
        x_title="budget",
        y_title="mAP50",
        series=tuple(
            Series(name=arm, x=x, y=values(mean for mean, _ in own))
            for arm, own in points.items()
        ),
    )
    return Finding(
        name=f"{summary.name}-curve",
        title="mAP50 against the budget",
        note="Means over the seeds on the test set of each; ± is half the width of the 95 % "
        f"t-interval. {INITIAL} is the model that all start from, {CONTROL} that retrained for "
        f"as many steps without any new image, {CEILING} with the whole pool. Absolute values "
        "vary with the test set of a seed, differences do less.",
        columns=("arm", *x),
        rows=tuple((arm, *(plus_minus(*p) for p in own)) for arm, own in points.items()),
        charts=(chart,),
    )


def _curve_points(
    summary: Summary, budgets: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
    """Return mean mAP50 and half the width of its interval at each budget, by arm."""
    mean, half = summary.curves.mean["map50"], summary.curves.half_width["map50"]
    found = {}
    for arm in (*REFERENCES, *summary.study.methods):
        names = [""] * len(budgets) if arm in REFERENCES else budgets
        keys = [(arm, name) for name in names]
        found[arm] = [(mean.get(key, math.nan), half.get(key, math.nan)) for key in keys]
    return {arm: own for arm, own in found.items() if not all(math.isnan(y) for y, _ in own)}


def differences(summary: Summary) -> Finding:
    """Return how much better each arm is than the baseline, seed by seed and on average."""
    baseline, effects = summary.baseline, summary.effects
    arms = [arm for arm, found in effects.items() if found.n]
    return Finding(
        name=f"{summary.name}-differences",
        title=f"Paired differences to {baseline}",
        note="The value of a seed is the mean over the planned budgets of the arm's mAP50 "
        f"minus that of {baseline}, each a mean over draws and retrainings. The t-interval "
        "comes first; BCa is a bootstrap interval. Holm corrects the p-values of the arms "
        "that are only described for their number. Detectable is the true difference that as "
        "many seeds with this spread find four times out of five.",
        columns=(
            *("arm", "role", f"over {baseline}", "t-interval", "p", "p, Holm", "BCa"),
            *("Wilcoxon p", "detectable", "seeds"),
        ),
        rows=tuple(_effect_row(summary, arm, found) for arm, found in effects.items()),
        charts=(_differences_chart(summary, arms),) if arms else (),
    )


def _differences_chart(summary: Summary, arms: Sequence[str]) -> Chart:
    by_seed = {arm: summary.differences(arm) for arm in arms}
    effects = [summary.effects[arm] for arm in arms]
    points = [
        Series(
            name=f"seed {seed}",
            kind="points",
            x=tuple(arm for arm in arms if seed in by_seed[arm]),
            y=tuple(by_seed[arm][seed] for arm in arms if seed in by_seed[arm]),
        )
        for seed in summary.seeds
        if any(seed in by_seed[arm] for arm in arms)
    ]
    means = Series(
        name="mean, 95 % t-interval",
        kind="points",
        x=tuple(arms),
        y=values(each.mean for each in effects),
        low=values(each.low for each in effects),
        high=values(each.high for each in effects),
    )
    return Chart(
        title=f"{summary.name}: mAP50 over {summary.baseline}, seed by seed",
        x_title="",
        y_title=f"mAP50 over {summary.baseline}",
        series=(means, *points),
    )


def _effect_row(summary: Summary, arm: str, found: Effect) -> tuple[str | int, ...]:
    primary = arm == summary.study.primary_label
    role = "primary" if primary else "control" if arm == CONTROL else "described"
    adjusted = summary.adjusted.get(arm, math.nan)
    return (
        *(arm, role, signed(found.mean), interval(found.low, found.high)),
        *(p_value(p) for p in (found.p, adjusted)),
        *(interval(*found.bca), p_value(found.wilcoxon), number(found.detectable), found.n),
    )


def win_matrix(summary: Summary) -> Finding:
    """Return in what share of the seeds the arm of a row beats that of a column."""
    by_arm = summary.by_arm
    order = [arm for arm in (*summary.study.methods, *REFERENCES) if arm in by_arm]
    found = wins(by_arm[order])
    return Finding(
        name=f"{summary.name}-wins",
        title="Which arm beats which",
        note="In what share of the seeds the arm of a row has the higher mean mAP50 over the "
        "budgets than that of a column; a tie counts half.",
        columns=("arm", *order),
        rows=tuple(
            (arm, *(NONE if math.isnan(v) else f"{v:.0%}" for v in shares))
            for arm, shares in zip(order, found.to_numpy().tolist(), strict=True)
        ),
    )


def until(summary: Summary) -> Finding:
    """Return how many more images each arm needs for a small gain."""
    words = {budget.name: budget_in_words(budget) for budget in summary.study.budgets}
    rows = [
        (arm, words.get(start, "no new image"), more_images(n))
        for arm in summary.study.methods
        for start, n in summary.until(arm).items()
    ]
    return Finding(
        name=f"{summary.name}-images",
        title=f"How many more images until +{GAIN}",
        note="Read off the line between the measured budgets; beyond the largest one nothing "
        "is said.",
        columns=("arm", "from", f"until mAP50 is {GAIN} higher"),
        rows=tuple(rows),
    )


def table_of(name: str, rows: Sequence[Row]) -> Finding:
    """Return what each arm chose and reached, seed by seed, with digests of the choice."""
    keys = ["seed", "role", "arm", "recipe", "draw", "budget"]
    columns = [*keys, "n_images", "n_bytes", "map50", "selection", "data", "start"]
    found = pd.DataFrame([row.model_dump() for row in rows], columns=list(Row.model_fields))
    found = found.sort_values(["role", "seed"], ascending=[False, True], kind="stable")
    by_choice = found.groupby(keys, sort=False, as_index=False).agg(
        n_images=("n_images", "first"),
        n_bytes=("n_bytes", "first"),
        map50=("map50", lambda scores: ", ".join(number(float(s)) for s in scores)),
        **{each: (each, "first") for each in ("selection", "data", "start")},
    )
    for each in ("selection", "data", "start"):
        by_choice[each] = by_choice[each].str[:SHORT]
    return Finding(
        name=f"{name}-rows",
        title="All choices",
        note=f"mAP50 of each retraining. Digests are cut to {SHORT} digits; rows.csv has them "
        "whole, selections.jsonl the images.",
        columns=tuple(columns),
        rows=cells(by_choice[columns]),
    )
