"""Scores of all choices of a study, and how well each ranks them as the trainings then did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from scipy import stats

from backhaul.arrays import FloatArray
from backhaul.campaign.finding import Chart, Finding, Series, cells, values
from backhaul.csvrows import read_rows, rows_as_csv
from backhaul.measure.statistics import CONFIDENCE
from backhaul.report.wording import number
from backhaul.storage.objects import replace as replace_file
from backhaul.study.design import Cell, cells_of, choice_digest
from backhaul.study.rows import Row
from backhaul.study.scores import SCORES
from backhaul.study.settings import StudyConfig
from backhaul.study.statistics import FEWEST_OF_BCA, RESAMPLES
from backhaul.study.wording import interval
from backhaul.untrusted import MOST_TABLE_BYTES

FILE = "screening.csv"
FEWEST_CHOICES = 3
"""Fewer have no rank correlation worth the name."""
WANTED = 40
"""Choices from which on a correlation is taken for evidence."""


class Screened(BaseModel):
    """A choice and its scores, see `backhaul.study.scores.SCORES`; None for one it has not.

    Args:
        inputs: Digest of the settings that it was chosen with.
        set: Name of the set.
        seed: Seed of the pool.
        arm: Label of the arm.
        draw: Number of the draw.
        budget: Name of the budget.
        n_images: How many images were chosen.
        n_bytes: Their bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    inputs: str
    set: str
    seed: int
    arm: str
    draw: int
    budget: str
    n_images: int
    n_bytes: int
    scenes: float | None
    objects: float | None
    classes: float | None
    radius: float | None
    chamfer: float | None
    probe: float | None


COLUMNS = tuple(Screened.model_fields)


def choices_of(study: StudyConfig, name: str, seed: int) -> tuple[Cell, ...]:
    """Return what arms choose of the pool of a set and a seed, each once, in order.

    They do with the first recipe: scores are of images as they were captured.
    """
    place = (name, seed, study.first_recipe(name))
    own = [cell for cell in cells_of(study) if (cell.set, cell.seed, cell.recipe) == place]
    return tuple(
        dict.fromkeys(replace(cell, training_seed=None) for cell in own if cell.budget)
    )


def read_screening(folder: Path) -> tuple[Screened, ...]:
    """Return the scores in a study's folder; none without the file.

    Raises:
        InputError: If the file is none of ours, with the line.
    """
    place = folder / FILE
    if not place.exists():
        return ()
    return read_rows(place, Screened, MOST_TABLE_BYTES, may_be_empty=SCORES)


def add_screened(folder: Path, new: Sequence[Screened]) -> None:
    """Write scores into a study's folder; those of other choices stay."""
    by_choice = {each.inputs: each for each in (*read_screening(folder), *new)}
    text = rows_as_csv(Screened, by_choice.values())
    folder.mkdir(parents=True, exist_ok=True)
    replace_file((folder / FILE).resolve().as_posix(), text.encode())


def table_of(
    study: StudyConfig, name: str, screened: Sequence[Screened], rows: Sequence[Row]
) -> pd.DataFrame:
    """Return the scores of a set's choices, and the mAP50 that each reached on average.

    Args:
        study: The study; choices of other settings are left out.
        name: Name of the set.
        screened: Scores of choices.
        rows: Rows of the study.

    Returns:
        Columns as `Screened`, and map50: NaN for a choice that lacks a training.
    """
    wanted = {
        choice_digest(study, cell)
        for seed in (*study.seeds.test, *study.seeds.choose)
        for cell in choices_of(study, name, seed)
    }
    own = [each.model_dump() for each in screened if each.inputs in wanted]
    table = pd.DataFrame(own, columns=list(COLUMNS))
    reached: dict[tuple[int, str, int, str], list[float]] = {}
    for row in rows:
        same = (row.set, row.recipe) == (name, study.first_recipe(name))
        if same and row.map50 is not None:
            key = (row.seed, row.arm, row.draw, row.budget)
            reached.setdefault(key, []).append(row.map50)
    keys = zip(table["seed"], table["arm"], table["draw"], table["budget"], strict=True)
    trained = [reached.get(key, []) for key in keys]
    table["map50"] = [
        float(np.mean(found)) if len(found) == study.training_seeds else math.nan
        for found in trained
    ]
    return table.astype(dict.fromkeys(SCORES, float))


def mean_scores(study: StudyConfig, name: str, screened: Sequence[Screened]) -> Finding:
    """Return the mean scores of each arm of a set over its choices."""
    table = table_of(study, name, screened, ())
    means = table.groupby("arm", sort=False)[["n_images", *SCORES]].mean()
    return Finding(
        name=f"{name}-scores",
        title=f"{name}: mean scores of the choices of each arm",
        note="Greater is better.",
        columns=("arm", *means.columns),
        rows=cells(means.reset_index()),
    )


def rank_correlations(table: pd.DataFrame, score: str) -> FloatArray:
    """Return how well a score ranks choices as their mAP50 does, seed by seed.

    Ranks are compared within a pool and a budget alone (Spearman), and are averaged over the
    budgets of a seed.

    Args:
        table: What `table_of` returns.
        score: Name of the score.

    Returns:
        One value a seed that has any, in [-1, 1], shape (n_seeds,).
    """
    known = table.dropna(subset=[score, "map50"])
    found: dict[int, list[float]] = {}
    for (seed, _), own in known.groupby(["seed", "budget"], sort=True):
        alike = own[score].nunique() == 1 or own["map50"].nunique() == 1  # have no ranks
        if len(own) < FEWEST_CHOICES or alike:
            continue
        rho = float(stats.spearmanr(own[score], own["map50"]).statistic)
        found.setdefault(int(str(seed)), []).append(rho)
    return np.array([np.mean(each) for each in found.values()], dtype=np.float64)


def over_seeds(correlations: FloatArray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean over seeds; NaN below three."""
    if len(correlations) < FEWEST_OF_BCA:
        return math.nan, math.nan
    rng = np.random.default_rng(0)  # a page says the same each time that it is made
    drawn = rng.integers(len(correlations), size=(RESAMPLES, len(correlations)))
    means = correlations[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def screening_finding(
    study: StudyConfig, name: str, screened: Sequence[Screened], rows: Sequence[Row]
) -> Finding | None:
    """Return how well each score ranks the choices of a set; None if none was scored.

    Args:
        study: The study.
        name: Name of the set.
        screened: Scores of choices.
        rows: Rows of the study.
    """
    table = table_of(study, name, screened, rows)
    if table.empty:
        return None
    known = table.dropna(subset=["map50"])
    n, seeds = len(known), known["seed"].nunique()
    lines, means, ends = [], [], []
    for score, meaning in SCORES.items():
        found = rank_correlations(table, score)
        mean = float(found.mean()) if len(found) else math.nan
        low, high = over_seeds(found)
        lines.append((score, number(mean), interval(low, high), len(found), meaning))
        means.append(mean)
        ends.append((low, high))
    few = "" if n >= WANTED else f" Fewer than {WANTED} choices are no evidence."
    return Finding(
        name=f"{name}-screening",
        title="Scores before training",
        note="Rank correlation of each score with the mAP50 that was reached, among choices of "
        "one pool and budget (Spearman), mean over seeds, with a bootstrap interval over "
        f"seeds: {n} choices of {seeds} seeds have both.{few}",
        columns=("score", "rank correlation", "interval", "seeds", "what it is"),
        rows=tuple(lines),
        charts=(_chart(name, means, ends),) if np.isfinite(means).any() else (),
    )


def _chart(name: str, means: Sequence[float], ends: Sequence[tuple[float, float]]) -> Chart:
    """Return the mean rank correlation of each score, with the ends of its interval."""
    bars = Series(
        name="Spearman",
        kind="points",
        x=tuple(SCORES),
        y=values(means),
        low=values(low for low, _ in ends),
        high=values(high for _, high in ends),
    )
    return Chart(
        title=f"{name}: rank correlation of scores with mAP50",
        x_title="",
        y_title="Spearman",
        series=(bars,),
    )
