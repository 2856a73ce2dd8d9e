"""The trainings of a study, and which of them a table has already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import PurePath
from typing import Any

import numpy as np

from backhaul.campaign.config import CampaignConfig
from backhaul.identity import canonical, content_digest, fields_in_keys
from backhaul.randomness import generator
from backhaul.study.rows import Row
from backhaul.study.settings import CEILING, CONTROL, INITIAL, Budget, StudyConfig
from backhaul.values.offers import ORIGINAL

DESIGN = 1
"""Raise it whenever the same inputs would give other rows, so that they are computed again."""

SETTINGS = (
    *("data", "lists", "initial", "start", "batches", "augmentation", "training", "stopping"),
    *("inference", "labelling", "evaluation"),
)
"""Fields of a set that a row depends on."""


@dataclass(frozen=True)
class Cell:
    """One training of a study, and so one row of its table.

    Args:
        set: Name of the set.
        seed: Seed of the pool, the test set and the initial model.
        arm: Label of the arm, or one of `settings.REFERENCES`.
        draw: Number of the draw; only the baseline is drawn more than once.
        budget: What may be sent; None for references.
        training_seed: Number of the retraining; None for the initial model.
        recipe: Name of the form in which images are sent; nothing is sent for references.
    """

    set: str
    seed: int
    arm: str
    draw: int = 0
    budget: Budget | None = None
    training_seed: int | None = None
    recipe: str = ORIGINAL

    def __str__(self) -> str:
        budget = f" at {self.budget_name}" if self.budget else ""
        form = "" if self.recipe == ORIGINAL else f" as {self.recipe}"
        return f"{self.set}, seed {self.seed}: {self.arm}{form}{budget}"

    @property
    def budget_name(self) -> str:
        """Name of the budget; empty for those that have none."""
        return "" if self.budget is None else self.budget.name


def cells_of(study: StudyConfig) -> tuple[Cell, ...]:
    """Return all trainings, seed by seed: those that test first, as they count."""
    seeds = (*study.seeds.test, *study.seeds.choose)
    return tuple(
        cell for seed in seeds for name in study.sets for cell in _of(study, name, seed)
    )


def _of(study: StudyConfig, name: str, seed: int) -> Iterator[Cell]:
    yield Cell(name, seed, INITIAL)
    repeats = range(study.training_seeds)
    yield from (Cell(name, seed, CONTROL, training_seed=t) for t in repeats)
    for label, recipe in product(study.methods, study.recipes_of(name)):
        for draw in range(study.draws if label == study.baseline.label else 1):
            for budget in study.budgets:
                yield from (Cell(name, seed, label, draw, budget, t, recipe) for t in repeats)
    yield from (Cell(name, seed, CEILING, training_seed=t) for t in repeats)


def digests_of(study: StudyConfig) -> dict[Cell, str]:
    """Return the digest of what each row is computed from, as far as the config says it.

    It is the same on every machine. What data sets and files hold is not in it, since it is
    known without them: the name of the set stands for it, and rows tell it by ``data``.
    """
    settings = {name: _settings(campaign) for name, campaign in study.sets.items()}
    return {cell: _digest(study, cell, settings[cell.set]) for cell in cells_of(study)}


def choice_digest(study: StudyConfig, cell: Cell) -> str:
    """Return the digest of what a choice of images depends on, as of rows in `digests_of`."""
    chosen = replace(cell, training_seed=None)
    return _digest(study, chosen, _settings(study.sets[cell.set]))


def _digest(study: StudyConfig, cell: Cell, settings: dict[str, Any]) -> str:
    known = {
        "design": DESIGN,
        "set": cell.set,
        "settings": settings,
        "seed": cell.seed,
        "method": study.methods.get(cell.arm, cell.arm),
        "draw": cell.draw,
        "budget": cell.budget,
        "training_seed": cell.training_seed,
    }
    sending = study.recipes_of(cell.set).get(cell.recipe)
    if sending is None or sending.kind == ORIGINAL:  # as before there were recipes
        return content_digest(known)
    return content_digest(known | {"sending": sending})


def _settings(campaign: CampaignConfig) -> dict[str, Any]:
    """Return what of a set a row depends on; of paths, the names alone."""
    found = {k: v for k, v in fields_in_keys(campaign).items() if k in SETTINGS}
    for part, name in (("start", "checkpoint"), ("data", "names")):
        if name in found.get(part, {}):
            found[part][name] = PurePath(found[part][name]).name
    if campaign.lists is not None:
        found["lists"] = campaign.lists.name
    return canonical(found)  # type: ignore[no-any-return] # a dict stays one


def derived_seed(seed: int, word: str, number: int) -> int:
    """Return a seed of its own for a draw or a retraining of a seed of the study."""
    return int(generator(seed, "study", word, number).integers(np.iinfo(np.int32).max))


@dataclass(frozen=True)
class Plan:
    """What of a study is there, and what is to be computed.

    Args:
        known: Rows of the study as it is now.
        missing: Trainings that have no row, with the digest of each.
        foreign: Rows of other settings; they are kept, and count for nothing.
    """

    known: tuple[Row, ...]
    missing: dict[Cell, str]
    foreign: tuple[Row, ...]

    @property
    def complete(self) -> tuple[Row, ...]:
        """The known rows of each arm, recipe and seed of which none is missing."""
        partial = {(cell.set, cell.seed, cell.arm, cell.recipe) for cell in self.missing}
        rows = ((row, (row.set, row.seed, row.arm, row.recipe)) for row in self.known)
        return tuple(row for row, key in rows if key not in partial)

    @property
    def unfinished(self) -> dict[str, dict[int, int]]:
        """How many trainings are missing, by set and seed, where any is."""
        found: dict[str, dict[int, int]] = {}
        for cell in self.missing:
            of_set = found.setdefault(cell.set, {})
            of_set[cell.seed] = of_set.get(cell.seed, 0) + 1
        return found

    def limited(self, sets: Collection[str], seeds: Collection[int]) -> Plan:
        """Return the plan with what is missing of some sets and seeds; of none given, all."""
        missing = {
            cell: digest
            for cell, digest in self.missing.items()
            if (not sets or cell.set in sets) and (not seeds or cell.seed in seeds)
        }
        return replace(self, missing=missing)


def plan_of(study: StudyConfig, rows: Sequence[Row]) -> Plan:
    """Compare the trainings of a study with the rows that are there."""
    digests = digests_of(study)
    wanted = set(digests.values())
    known = {row.inputs: row for row in rows if row.inputs in wanted}
    return Plan(
        known=tuple(known.values()),
        missing={cell: digest for cell, digest in digests.items() if digest not in known},
        foreign=tuple(row for row in rows if row.inputs not in wanted),
    )


def remaining_s(missing: Iterable[Cell], rows: Sequence[Row], parallel: int) -> float | None:
    """Return about how many seconds the trainings take that are missing.

    Each takes what is typical of its set, or of all sets where none of its own was measured;
    initial trainings apart, since they last longer. None if nothing was measured.
    """
    if not rows:
        return None
    measured: dict[Any, list[float]] = {}
    for row in rows:
        initial = row.arm == INITIAL
        for kind in ((row.set, initial), initial, None):
            measured.setdefault(kind, []).append(row.seconds)
    typical = {kind: _typical(seconds) for kind, seconds in measured.items()}
    total = 0.0
    for cell in missing:
        initial = cell.arm == INITIAL
        total += typical.get((cell.set, initial), typical.get(initial, typical[None]))
    return total / parallel


def _typical(seconds: Sequence[float]) -> float:
    """Return the duration up to which half of all the time was spent.

    Trainings that came from the cache took hardly any, and so do not count, as they would in a
    mean; a single one that was held up does not decide.
    """
    ascending = np.sort(seconds)
    spent = np.cumsum(ascending)
    return float(ascending[np.searchsorted(spent, spent[-1] / 2)])
