"""The runs of one campaign, one a seed, taken together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from backhaul.campaign.finding import read_findings
from backhaul.campaign.importing import import_findings, import_runs
from backhaul.campaign.outcome import MethodOutcome
from backhaul.campaign.run import Findings, Run, SampledBatch
from backhaul.campaign.runrecords import required_runs
from backhaul.campaign.runtables import run_of
from backhaul.layout import RunFiles, seed_in_name
from backhaul.registry.overview import Registry, read_registry
from backhaul.registrylayout import RegistryFiles
from backhaul.report.fleetnow import Fleet, fleet_of

STATES = (
    "failed",
    "completed-with-failures",
    "awaiting-labels",
    "awaiting-approval",
    "running",
    "completed",
)
"""States of a run, the worst first."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """The content of a page: one run, or several that differ only in their seed.

    Args:
        place: The folder or address that the page will lie in.
        runs: The runs, by seed.
        seeds: Seed of each of them.
        summary: All rows of all ``summary.csv``, with the column ``seed``.
        classes: All rows of all ``classes.csv``, with the column ``seed``.
        findings: What analyses found.
        fleet: The nodes whose choice the runs go by; None = they go by none.
        models: The versions of the run's model; None of several seeds, or without its store.
    """

    place: str
    runs: tuple[Run, ...]
    seeds: tuple[int, ...]
    summary: pd.DataFrame
    classes: pd.DataFrame
    findings: Findings
    fleet: Fleet | None = None
    models: Registry | None = None

    @property
    def name(self) -> str:
        """Name of the campaign, without the seed if there are several."""
        name = self.runs[0].name
        return re.sub(r"/seed\d+$", "", name) if len(self.runs) > 1 else name

    @property
    def state(self) -> str:
        """The worst state of all runs."""
        return min((run.state for run in self.runs), key=STATES.index)

    @property
    def labels(self) -> tuple[str, ...]:
        """The methods of all runs, in the order they first come."""
        return tuple(dict.fromkeys(label for run in self.runs for label in run.labels))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of all runs; those of one data set are the same."""
        return tuple(dict.fromkeys(n for run in self.runs for n in run.class_names))

    @property
    def random_label(self) -> str:
        """Label of the true-random arm."""
        return self.runs[0].random_label

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, with all seeds if there are several."""
        config = dict(self.runs[0].config)
        if len(self.runs) == 1:
            return config
        common = {key: value for key, value in config.items() if key != "seed"}
        return common | {"name": self.name, "seeds": list(self.seeds)}

    @property
    def troubled(self) -> dict[str, MethodOutcome]:
        """Methods that failed or wait, by label, with the seed if there are several."""
        return {
            label if len(self.runs) == 1 else f"seed {seed}: {label}": method
            for seed, run in zip(self.seeds, self.runs, strict=True)
            for label, method in run.methods.items()
            if method.state in ("failed", "waiting")
        }

    def batches(self, label: str) -> list[SampledBatch]:
        """Return the batches of one method in all runs."""
        return [r for run in self.runs for r in run.batches if r.method == label]


def stored_campaign(files: RunFiles) -> Campaign:
    """Return a run of a store, or the campaign of several seeds of that name.

    Raises:
        InputError: If the store knows no such run.
    """
    runs = tuple(run_of(records) for records in required_runs(files))
    found = {each.finding.name: each.finding for each in read_findings(files)}
    models = read_registry(RegistryFiles(files)) if len(runs) == 1 else None
    fleet = fleet_of(files.root, runs)
    return replace(_campaign(files.view.folder, runs, found), fleet=fleet, models=models)


def imported_campaign(folder: Path) -> Campaign:
    """Return what the folder of a run, or of several seeds, holds that came without its store.

    Raises:
        InputError: If there is no record of a run, or one is damaged.
    """
    return _campaign(folder.as_posix(), import_runs(folder), import_findings(folder))


def _campaign(place: str, runs: tuple[Run, ...], findings: Findings) -> Campaign:
    seeds = tuple(_seed(run, place) for run in runs)

    def pooled(table: Callable[[Run], pd.DataFrame]) -> pd.DataFrame:
        parts = [table(run).assign(seed=seed) for seed, run in zip(seeds, runs, strict=True)]
        return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)

    return Campaign(
        place=place,
        runs=runs,
        seeds=seeds,
        summary=pooled(lambda run: run.summary),
        classes=pooled(lambda run: run.classes),
        findings=findings,
    )


def _seed(run: Run, place: str) -> int:
    seed = seed_in_name(run.place) if run.place != place else None
    return int(run.config.get("seed", 0)) if seed is None else seed
