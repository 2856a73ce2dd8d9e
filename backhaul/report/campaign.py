"""The runs of one campaign, one a seed, taken together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from backhaul.campaign.rundata import MethodState, Round, Run, read_runs

STATES = ("completed-with-failures", "awaiting-labels", "running", "completed")
"""States of a run, the worst first."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a page shows: one run, or several that differ in their seed alone.

    Args:
        folder: Where the page will lie.
        runs: The runs, by seed.
        seeds: Seed of each of them.
        summary: All rows of all ``summary.csv``, with the column ``seed``.
        classes: All rows of all ``classes.csv``, with the column ``seed``.
    """

    folder: Path
    runs: tuple[Run, ...]
    seeds: tuple[int, ...]
    summary: pd.DataFrame
    classes: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the campaign, without the seed if there are several."""
        name = self.runs[0].record.name
        return re.sub(r"/seed\d+$", "", name) if len(self.runs) > 1 else name

    @property
    def state(self) -> str:
        """The worst state of all runs."""
        return min((run.record.state for run in self.runs), key=STATES.index)

    @property
    def labels(self) -> tuple[str, ...]:
        """The methods of all runs, in the order they first come."""
        return tuple(dict.fromkeys(label for run in self.runs for label in run.labels))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of all runs; those of one data set are the same."""
        return tuple(dict.fromkeys(n for run in self.runs for n in run.record.class_names))

    @property
    def random_label(self) -> str:
        """Label of the true-random arm."""
        return self.runs[0].record.random_label

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, with all seeds if there are several."""
        config = dict(self.runs[0].record.config)
        if len(self.runs) == 1:
            return config
        told = {key: value for key, value in config.items() if key != "seed"}
        return told | {"name": self.name, "seeds": list(self.seeds)}

    @property
    def troubled(self) -> dict[str, MethodState]:
        """Methods that failed or wait, by label, with the seed if there are several."""
        return {
            label if len(self.runs) == 1 else f"seed {seed}: {label}": method
            for seed, run in zip(self.seeds, self.runs, strict=True)
            for label, method in run.record.methods.items()
            if method.state in ("failed", "waiting")
        }

    def rounds(self, label: str) -> list[Round]:
        """Return the rounds of one method in all runs."""
        return [r for run in self.runs for r in run.rounds if r.method == label]


def read_campaign(folder: Path) -> Campaign:
    """Read a run's folder, or that of a campaign of several seeds.

    Raises:
        InputError: If there is no record of a run, or one is damaged.
    """
    runs = read_runs(folder)
    seeds = tuple(_seed(run, folder) for run in runs)

    def pooled(table: Callable[[Run], pd.DataFrame]) -> pd.DataFrame:
        parts = [table(run).assign(seed=seed) for seed, run in zip(seeds, runs, strict=True)]
        return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)

    return Campaign(
        folder, runs, seeds, pooled(lambda run: run.summary), pooled(lambda run: run.classes)
    )


def _seed(run: Run, folder: Path) -> int:
    if run.folder != folder:
        return int(run.folder.name.removeprefix("seed"))
    return int(run.record.config.get("seed", 0))
