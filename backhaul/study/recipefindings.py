"""Charts and tables of what a set shows about the forms in which images are sent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from backhaul.campaign.finding import Chart, Finding, Series, values
from backhaul.data.recipes import Sending
from backhaul.report.wording import NONE, count, signed
from backhaul.study.recipes import (
    BreakEven,
    break_even,
    matrix,
    over_original,
    recipe_levels,
    series_of,
)
from backhaul.study.statistics import t_interval
from backhaul.study.wording import interval

SCORES = {"map50": "mAP50", "map50_small": "mAP50 of small objects"}


def recipe_findings(
    name: str, recipes: Mapping[str, Sending], budgets: Mapping[str, str], rows: pd.DataFrame
) -> tuple[Finding, ...]:
    """Return what the recipes of a set change; nothing if it has one alone.

    Args:
        name: Name of the set.
        recipes: Its recipes by name, the original among them.
        budgets: Names of the budgets, and how they are called.
        rows: Its rows of the seeds that count (`backhaul.study.rows.Row`); of each arm, recipe
            and seed all or none.
    """
    chosen = rows[rows["budget"] != ""]
    if len(recipes) < 2 or not len(chosen):  # noqa: PLR2004 - nothing to compare
        return ()
    levels = {score: recipe_levels(chosen, score) for score in SCORES}
    arms = tuple(dict.fromkeys(chosen["arm"]))
    found = [_differences(name, arms, recipes, budgets, levels, chosen)]
    if several := series_of(recipes):
        found.append(_break_evens(name, arms, several, levels))
    return tuple(found)


def _differences(
    name: str,
    arms: Sequence[str],
    recipes: Mapping[str, Sending],
    budgets: Mapping[str, str],
    levels: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
) -> Finding:
    n_images = rows.groupby(["arm", "recipe", "budget"])["n_images"].mean()
    table: list[tuple[str | int, ...]] = []
    for arm in arms:
        for recipe in recipes:
            for budget, words in {**budgets, "": "all budgets"}.items():
                images = n_images.get((arm, recipe, budget), math.nan)
                own = [_difference(each, arm, recipe, budget) for each in levels.values()]
                table.append((arm, recipe, words, count(images), *own[0], *own[1]))
    known = {words: levels[score] for score, words in SCORES.items() if levels[score].size}
    charts = [_over_originals(name, arms, recipes, each, w) for w, each in known.items()]
    if len(budgets) > 1:  # else each curve is a point
        charts += [
            _curves(name, arm, recipes, budgets, each, words)
            for words, each in known.items()
            for arm in arms
        ]
    return Finding(
        name=f"{name}-recipes",
        title="In what form images are sent",
        note="All may send the same bytes, so a form that takes less sends more images; all "
        "are trained on for as many steps. An arm is compared with itself with originals, seed "
        "by seed; the 95 % t-interval is that of the mean. Small objects have a box of at most "
        "32 x 32 pixels in the image as it was captured, as COCO defines them.",
        columns=(
            *("arm", "recipe", "budget", "images", "mAP50 over original", "t-interval"),
            *("seeds", "small objects over original", "t-interval, small", "seeds, small"),
        ),
        rows=tuple(table),
        charts=tuple(charts),
    )


def _difference(
    levels: pd.DataFrame, arm: str, recipe: str, budget: str
) -> tuple[str, str, int]:
    found = over_original(levels, arm, recipe, budget).to_numpy(dtype=float)
    mean = float(found.mean()) if len(found) else math.nan
    return signed(mean), interval(*t_interval(found)), len(found)


def _over_originals(
    name: str,
    arms: Sequence[str],
    recipes: Mapping[str, Sending],
    levels: pd.DataFrame,
    words: str,
) -> Chart:
    """Return what each recipe wins over originals, over all budgets, with its t-interval."""
    series = []
    for arm in arms:
        found = [over_original(levels, arm, recipe, "").to_numpy(float) for recipe in recipes]
        ends = [t_interval(each) for each in found]
        series.append(
            Series(
                name=arm,
                kind="points",
                x=tuple(recipes),
                y=values(float(each.mean()) if len(each) else math.nan for each in found),
                low=values(low for low, _ in ends),
                high=values(high for _, high in ends),
            )
        )
    return Chart(
        title=f"{name}: {words} over originals, for the same bytes",
        x_title="sent as",
        y_title=f"{words} over originals",
        series=tuple(series),
    )


def _curves(
    name: str,
    arm: str,
    recipes: Mapping[str, Sending],
    budgets: Mapping[str, str],
    levels: pd.DataFrame,
    words: str,
) -> Chart:
    mean = levels.mean()
    series = [
        Series(
            name=recipe,
            x=tuple(budgets.values()),
            y=values(mean.get((arm, recipe, budget), math.nan) for budget in budgets),
        )
        for recipe in recipes
    ]
    return Chart(
        title=f"{name}, {arm}: {words} against the bytes",
        x_title="budget",
        y_title=words,
        series=tuple(series),
    )


def _break_evens(
    name: str,
    arms: Sequence[str],
    several: Mapping[str, Mapping[int, str]],
    levels: Mapping[str, pd.DataFrame],
) -> Finding:
    rows: list[tuple[str | int, ...]] = []
    for arm in arms:
        for words, names in several.items():
            for score, measured in levels.items():
                found = break_even([*names], matrix(measured, arm, [*names.values()]))
                rows.append((arm, words, SCORES[score], *_in_words(found, [*names])))
    return Finding(
        name=f"{name}-break-even",
        title="Down to which quality it is worth it",
        note="Shown is the lowest quality whose 95 % t-interval over originals does not reach "
        "below 0, over all budgets. The crossing is where the mean difference, a straight line "
        "between the measured qualities, becomes negative on the way down; its interval is a "
        "percentile bootstrap over seeds. Beyond the measured qualities nothing is said.",
        columns=("arm", "format", "score", "shown", "crossing", "bootstrap", "seeds"),
        rows=tuple(rows),
    )


def _in_words(found: BreakEven, qualities: Sequence[int]) -> tuple[str, str, str, int]:
    def told(quality: float) -> str:
        if math.isnan(quality):
            return NONE
        if math.isinf(quality):
            bound = min(qualities) if quality < 0 else max(qualities)
            return f"{'below' if quality < 0 else 'above'} {bound}"
        return f"{quality:.0f}"

    shown = "none" if found.shown is None else str(found.shown)
    return shown, told(found.crossing), f"[{told(found.low)}, {told(found.high)}]", found.n
