"""A run in the form that reports and analyses use, independent of where it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backhaul.campaign.finding import Finding
from backhaul.campaign.outcome import MethodOutcome
from backhaul.campaign.provenance import GitState

CONTROL = "no-new-data"
"""The arm that sends nothing, with which methods are compared."""

Losses: TypeAlias = Mapping[tuple[str, int | None], pd.DataFrame]
"""Training logs by method (``init`` with batch None) and batch: epoch, train_loss, valid_loss,
and the mAP50 on the validation images."""

Findings: TypeAlias = Mapping[str, Finding | str]
"""What analyses found, by name, or in words why a finding cannot be shown."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TrainingRow(_Row):
    """One training: of the initial model, or of a method after a batch."""

    method: str
    batch: int | None = None
    first_epoch: int
    last_epoch: int
    epochs: int
    best_epoch: int | None = None
    stopped_because: str
    resumed: bool
    seconds: float
    train_images: int
    valid_images: int


class ProportionRow(_Row):
    """A fraction of new images that was tried for a retraining.

    The scores are mAP50 on validation images that were seen earlier, on new ones, and the mean
    of both; None where there is no object.
    """

    method: str
    batch: int | None = None
    retrain_new: float
    old: float | None = None
    new: float | None = None
    mean: float | None = None
    chosen: bool


class TimingRow(_Row):
    """How long one stage took, and whether it was read from the cache."""

    stage: str
    method: str | None = None
    batch: int | None = None
    seconds: float
    cached: bool


class SourceRow(_Row):
    """Software and time of one start of a run."""

    versions: dict[str, str] = {}
    git: GitState = GitState()


@dataclass(frozen=True, slots=True)
class SampledBatch:
    """One batch of one method: its pool, the images sent, and the predictions.

    Args:
        method: The method's label.
        batch: Number of the batch.
        pool: Paths of all images of the batch.
        sent: Paths of the images sent, in the order they were drawn.
        reasons: Why an image was drawn, by path.
        n_bytes: What sending an image cost, by path; without those of which it is not known.
        n_objects: Objects in an image that was sent, by its labels, by path; without those that
            nobody labelled.
        seen: What the ensemble saw before sampling, one row a detection or missed object:
            file, detected, actual (None where empty), conf, conf_std, x1, y1, x2, y2 (pixels),
            and hit (None where the batch has no truth at all).
    """

    method: str
    batch: int
    pool: tuple[str, ...]
    sent: tuple[str, ...]
    reasons: Mapping[str, str]
    n_bytes: Mapping[str, int]
    n_objects: Mapping[str, int]
    seen: pd.DataFrame


class RunTables(Protocol):
    """Source of the tables of a run, each read on first use."""

    def summary(self) -> pd.DataFrame:
        """Return method, batch (nullable), test_set and ``SUMMARY_NUMBERS``."""

    def classes(self) -> pd.DataFrame:
        """Return method, batch (nullable), test_set, class and ``CLASS_NUMBERS``."""

    def batches(self) -> tuple[SampledBatch, ...]:
        """Return all batches, sorted by method and batch."""

    def losses(self) -> Losses:
        """Return the logs of all trainings."""

    def findings(self) -> Findings:
        """Return what analyses found."""


@dataclass(frozen=True)
class Run:
    """A run.

    Args:
        place: Its folder or address; relative paths of images start there.
        name: Its name.
        state: See `backhaul.campaign.outcome.Overall`.
        started: When it began.
        config: Its config, as it was stored.
        class_names: Names of the classes.
        data: Sizes of the parts of its data set.
        methods: How the methods ended, by label.
        sources: What it was started with, the first start first.
        trainings: Its trainings.
        proportions: The fractions of new images that were tried for its retrainings.
        timings: How long its stages took.
        labels: The methods that have anything to show, in the order of the config.
        tables: Where its tables come from.
    """

    place: str
    name: str
    state: str
    started: str
    config: Mapping[str, Any]
    class_names: tuple[str, ...]
    data: Mapping[str, int]
    methods: Mapping[str, MethodOutcome]
    sources: tuple[SourceRow, ...]
    trainings: tuple[TrainingRow, ...]
    proportions: tuple[ProportionRow, ...]
    timings: tuple[TimingRow, ...]
    labels: tuple[str, ...]
    tables: RunTables

    @cached_property
    def summary(self) -> pd.DataFrame:
        """See `RunTables.summary`."""
        return self.tables.summary()

    @cached_property
    def classes(self) -> pd.DataFrame:
        """See `RunTables.classes`."""
        return self.tables.classes()

    @cached_property
    def batches(self) -> tuple[SampledBatch, ...]:
        """See `RunTables.batches`."""
        return self.tables.batches()

    @cached_property
    def losses(self) -> Losses:
        """See `RunTables.losses`."""
        return self.tables.losses()

    @cached_property
    def findings(self) -> Findings:
        """See `RunTables.findings`."""
        return self.tables.findings()

    @property
    def random_label(self) -> str:
        """Label of the true-random arm; methods may be labelled freely."""
        arms = [m for m in self.config.get("methods", ()) if m.get("kind") == "true-random"]
        return str(arms[0].get("label") or "true-random") if arms else "true-random"
