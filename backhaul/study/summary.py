"""What is known of one set: the effect of each arm, curves, and wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from backhaul.measure.statistics import Estimates, estimates
from backhaul.study.rows import Row
from backhaul.study.settings import CONTROL, REFERENCES, Role, StudyConfig
from backhaul.study.statistics import Effect, effect, holm, images_until, levels, over_budgets

ROUNDING = 12
"""Digits of a difference: equal means that were summed in another order differ by less."""


@dataclass(frozen=True)
class Summary:
    """The rows of one set, and of the seeds of one role.

    Args:
        study: The study.
        name: Name of the set.
        role: What the seeds are for.
        everything: Rows of these seeds (`Row`); of each arm, recipe and seed all or none.
    """

    study: StudyConfig
    name: str
    role: Role
    everything: pd.DataFrame

    @cached_property
    def table(self) -> pd.DataFrame:
        """The rows by which arms are compared: those with the first recipe, and references."""
        first = self.study.first_recipe(self.name)
        rows = self.everything
        same = (rows["recipe"] == first) | rows["arm"].isin(REFERENCES)
        return rows[same].reset_index(drop=True)

    @property
    def baseline(self) -> str:
        """Label of what all arms are compared with."""
        return self.study.baseline.label

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have any row."""
        return tuple(sorted(set(self.table["seed"].tolist())))

    @cached_property
    def by_arm(self) -> pd.DataFrame:
        """Mean mAP50 over the budgets, by seed (index) and arm (columns)."""
        return over_budgets(levels(self.table))

    def differences(self, arm: str) -> dict[int, float]:
        """Return how much better an arm is than the baseline, by seed: mAP50."""
        by_arm = self.by_arm
        if arm not in by_arm or self.baseline not in by_arm:
            return {}
        found = (by_arm[arm] - by_arm[self.baseline]).dropna().round(ROUNDING)
        return {int(str(seed)): float(value) for seed, value in found.items()}

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """The mean paired difference of each arm to the baseline, and of no new data."""
        arms = [arm for arm in (*self.study.methods, CONTROL) if arm != self.baseline]
        return {arm: effect(list(self.differences(arm).values())) for arm in arms}

    @property
    def adjusted(self) -> dict[str, float]:
        """The p-values of the arms beside the primary, adjusted for their number (Holm)."""
        primary = self.study.primary_label
        others = {a: e.p for a, e in self.effects.items() if a not in (primary, CONTROL)}
        return holm(others)

    @cached_property
    def curves(self) -> Estimates:
        """Mean over seeds of mAP50 and images, with intervals, by arm and budget.

        Index: arm, budget (empty for references); columns: map50, n_images.
        """
        keys = ["arm", "budget", "seed"]
        of_seeds = self.table.groupby(keys, sort=False)[["map50", "n_images"]].mean()
        return estimates(of_seeds.reset_index(), ["arm", "budget"], ["map50", "n_images"])

    def until(self, arm: str) -> dict[str, float]:
        """Return how many more images an arm needs for a gain, from no image and each budget.

        The last budget is left out: nothing was measured beyond it. Budgets count in the order
        of their images.
        """
        mean = self.curves.mean
        if arm not in mean.index.get_level_values("arm"):
            return {}
        own = mean.loc[[arm]].droplevel("arm").sort_values("n_images", kind="stable")
        if CONTROL in mean.index.get_level_values("arm"):
            own = pd.concat([mean.loc[[CONTROL]].droplevel("arm"), own])
        x, y = (own[name].to_numpy(dtype=float).tolist() for name in ("n_images", "map50"))
        starts = own.index.astype(str).tolist()[:-1]
        return {start: images_until(x[i:], y[i:]) for i, start in enumerate(starts)}

    @property
    def references(self) -> dict[str, float]:
        """Mean mAP50 of what every seed has beside the arms; NaN where it is not known."""
        by_arm = self.by_arm
        return {n: float(by_arm[n].mean()) if n in by_arm else np.nan for n in REFERENCES}


def summary_of(study: StudyConfig, name: str, role: Role, rows: Sequence[Row]) -> Summary:
    """Return what is known of a set by the seeds of a role.

    A seed that tests, and of which a row says that it chose, is left out.

    Args:
        study: The study; it says which seed is for what.
        name: Name of the set.
        role: What the seeds are for.
        rows: Rows of all sets; of each arm and seed all or none.
    """
    of_set = [row for row in rows if row.set == name]
    seeds = set(getattr(study.seeds, role))
    if role == "test":
        seeds -= {row.seed for row in of_set if row.role == "choose"}
    own = [row.model_dump() for row in of_set if row.seed in seeds]
    table = pd.DataFrame(own, columns=list(Row.model_fields))
    return Summary(study, name, role, table.astype({"map50": float, "n_images": float}))
