"""Which checkpoints are measured on which images: epoch by epoch, or batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from backhaul.errors import InputError
from backhaul.layout import INITIAL
from backhaul.look.ensemble import ensemble
from backhaul.values.checkpoints import Checkpoint

SetName: TypeAlias = Literal[
    "common", "init", "sample", "cur_iter", "all_iter", "all", "batch_test"
]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)
NEXT_BATCH = "next_batch"

Count: TypeAlias = Annotated[int, Field(ge=1)]


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mode(_Plan):
    """Which checkpoints make up one model.

    Args:
        kind: ``instant``: the last one; ``avg``: `count` ones, equally spaced over all epochs
            so far, as a campaign's ensembles are; ``roll``: the last `count` ones.
        count: How many, if there are as many.
    """

    kind: Literal["instant", "avg", "roll"] = "instant"
    count: Count = 1

    @property
    def name(self) -> str:
        """Name in tables and files: ``instant``, ``avg5``, ``roll3``."""
        return self.kind if self.kind == "instant" else f"{self.kind}{self.count}"

    def looking(
        self, past: Sequence[Checkpoint], first_epoch_fraction: float = 0.0
    ) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of `past`, oldest first, that form the ensemble."""
        match self.kind:
            case "instant":
                return tuple(past[-1:])
            case "roll":
                return tuple(past[-self.count :])
            case "avg":
                return ensemble(past, self.count, first_epoch_fraction)


@dataclass(frozen=True, slots=True)
class Played:
    """A round that is over.

    Args:
        method: Label of the method; ``init`` for the initial training.
        batch: Number of the batch; None for the initial training.
        past: All checkpoints behind the model that stands after it, and itself, oldest first.
    """

    method: str
    batch: int | None
    past: tuple[Checkpoint, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One model, and what it is measured on.

    Args:
        method: Label of the method; ``init`` for the initial training.
        batch: The batch in whose training the epoch lies, or after which the model stands.
        epoch: Epochs behind it.
        mode: Name of the mode.
        looking: The checkpoints it is made of.
        sets: By the name of a test set, the parts of images that it consists of.
    """

    method: str
    batch: int | None
    epoch: int
    mode: str
    looking: tuple[Checkpoint, ...]
    sets: Mapping[str, tuple[str, ...]]

    def benchmark(self, test_set: str) -> str:
        """Return the name of the file with its benchmark on a test set.

        The next batch is another one although the epoch may be the same: nothing may be sent.
        """
        of_batch = test_set == NEXT_BATCH and self.batch is not None
        method = f"{self.method}{self.batch}" if of_batch else self.method
        return f"{method}_{test_set}_{self.mode}_{self.epoch}.csv"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What arrives in a campaign: batches that are sampled, then those that are held out."""

    n_batches: int
    n_held_out: int

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the batches as parts of images, in the order they arrive."""
        sampled = tuple(batch_part(batch) for batch in range(self.n_batches))
        return sampled + self.held_out

    @property
    def held_out(self) -> tuple[str, ...]:
        """Names of the batches that are never sampled."""
        return tuple(f"held_out{i}" for i in range(self.n_held_out))

    def first_tested(self, n_test: int) -> int:
        """Return which arrival is the first of the last `n_test`.

        Raises:
            InputError: If there are not as many, or `n_test` is 0.
        """
        if not 1 <= n_test <= len(self.parts):
            raise InputError(
                f"--batch-test: expected 1 to {len(self.parts)}, the {self.n_batches} batches "
                f"that are sampled and {self.n_held_out} held out, got {n_test}"
            )
        return len(self.parts) - n_test

    def test_set(self, name: str, after: Played, n_test: int) -> tuple[str, ...]:
        """Return the parts of a test set as it is once `after` is over; empty if it is not.

        Args:
            name: Name of the test set.
            after: The round after which the test set is used.
            n_test: Number of batches in ``batch_test``.

        Raises:
            InputError: If ``batch_test`` is to hold more batches than arrive.
        """
        n_played = 0 if after.batch is None else after.batch + 1
        tests = tuple(split_part(after.method, batch) for batch in range(n_played))
        if name == "batch_test":
            first = self.first_tested(n_test)
            return self.parts[first:] if n_played <= first else ()
        return {
            "common": (INITIAL, *self.held_out),
            "init": (INITIAL,),
            "sample": self.parts[: self.n_batches],
            "cur_iter": tests[-1:] or (INITIAL,),
            "all_iter": tests,
            "all": (INITIAL, *tests),
            NEXT_BATCH: self.parts[n_played : n_played + 1],
        }[name]


def batch_part(batch: int) -> str:
    """Return the name of the images of a batch that is sampled."""
    return f"batch{batch}"


def split_part(method: str, batch: int) -> str:
    """Return the name of the test split of what a method sent of a batch."""
    return f"{method}{batch}_test"


class SeriesPlan(_Plan):
    """Checkpoints of all trainings, one after the other.

    Args:
        sets: What they are measured on.
        mode: Which checkpoints make up the model of an epoch.
        delta: Least number of epochs between two that are measured in one training.
        batch_test: Batches of the set ``batch_test``.
        metrics: Those that are drawn.
    """

    kind: Literal["series"] = "series"
    sets: tuple[SetName, ...] = ("common",)
    mode: Mode = Mode()
    delta: Count = 1
    batch_test: int = Field(1, ge=0)
    metrics: tuple[str, ...] = ("mAP50",)

    @property
    def name(self) -> str:
        """Name of the finding."""
        return f"series_{self.mode.name}"

    def points(
        self, rounds: Sequence[Played], schedule: Schedule, first_epoch_fraction: float = 0.0
    ) -> tuple[Point, ...]:
        """Return the points of all methods; those of the initial training are shared.

        Args:
            rounds: The initial training, then the rounds by method and batch.
            schedule: What arrives in the campaign.
            first_epoch_fraction: See `backhaul.look.ensemble.ensemble_epochs`.
        """
        points = []
        for before, after in with_their_past(rounds):
            made = after.past[len(before.past) if before else 0 :]
            for last in every(made, self.delta):
                past = after.past[: after.past.index(last) + 1]
                looking = self.mode.looking(past, first_epoch_fraction)
                point = _point(after, self.mode, looking, self.sets, schedule, self.batch_test)
                points.append(point)
        return tuple(points)


class BatchesPlan(_Plan):
    """The model that stands after each batch, on batches that came later.

    Args:
        modes: Which checkpoints make up the models.
        batch_test: How many of the last batches are the test set; None = the next one is.
        metrics: Those that are drawn.
    """

    kind: Literal["batches"] = "batches"
    modes: tuple[Mode, ...] = (Mode(),)
    batch_test: Count | None = None
    metrics: tuple[str, ...] = ("mAP50",)

    @property
    def name(self) -> str:
        """Name of the finding."""
        return "batches_next" if self.batch_test is None else "batches_test"

    @property
    def sets(self) -> tuple[str, ...]:
        """The test set."""
        return (NEXT_BATCH,) if self.batch_test is None else ("batch_test",)

    def points(
        self, rounds: Sequence[Played], schedule: Schedule, first_epoch_fraction: float = 0.0
    ) -> tuple[Point, ...]:
        """Return the points of all methods; see `SeriesPlan.points`.

        Args:
            rounds: The initial training, then the rounds by method and batch.
            schedule: What arrives in the campaign.
            first_epoch_fraction: See `backhaul.look.ensemble.ensemble_epochs`.
        """
        return tuple(
            _point(after, mode, looking, self.sets, schedule, self.batch_test or 0)
            for after in rounds
            for mode in self.modes
            for looking in [mode.looking(after.past, first_epoch_fraction)]
        )


class ForgettingPlan(_Plan):
    """The model that stands after each batch, on the test parts of all batches so far.

    Args:
        metric: What is compared.
    """

    kind: Literal["forgetting"] = "forgetting"
    metric: str = "mAP50"

    @property
    def name(self) -> str:
        """Name of the finding."""
        return "forgetting" if self.metric == "mAP50" else f"forgetting_{self.metric}"

    @property
    def sets(self) -> tuple[str, ...]:
        """The test set that there always is."""
        return ("init",)

    def points(
        self, rounds: Sequence[Played], schedule: Schedule, first_epoch_fraction: float = 0.0
    ) -> tuple[Point, ...]:
        """Return a point for each round; see `SeriesPlan.points`.

        Args:
            rounds: The initial training, then the rounds by method and batch.
            schedule: What arrives in the campaign; not used.
            first_epoch_fraction: Not used, as each model is one checkpoint.
        """
        return tuple(
            Point(
                method=after.method,
                batch=after.batch,
                epoch=after.past[-1].epoch,
                mode=Mode().name,
                looking=after.past[-1:],
                sets={"init": (INITIAL,)} | own_tests(after),
            )
            for after in rounds
        )


def own_tests(after: Played) -> dict[str, tuple[str, ...]]:
    """Return the test part of what a method sent of each batch so far, a set each."""
    n_played = 0 if after.batch is None else after.batch + 1
    return {own_test(batch): (split_part(after.method, batch),) for batch in range(n_played)}


def own_test(batch: int) -> str:
    """Return the name of the test set that is the test part of what was sent of a batch."""
    return f"batch{batch}_test"


def with_their_past(rounds: Sequence[Played]) -> list[tuple[Played | None, Played]]:
    """Return each round after its predecessor, which is None for the initial training."""
    first = [played for played in rounds if played.batch is None]
    found: list[tuple[Played | None, Played]] = [(None, played) for played in first]
    later = [played for played in rounds if played.batch is not None]
    for _, of_method in groupby(later, key=lambda played: played.method):
        found += pairwise([*first, *of_method])
    return found


def every(made: Sequence[Checkpoint], delta: int) -> tuple[Checkpoint, ...]:
    """Return the last checkpoint of a training, and before it each that is `delta` epochs off.

    Two of them are at least `delta` epochs apart, and none that is left out could join them.
    """
    chosen: list[Checkpoint] = []
    for checkpoint in reversed(made):
        if not chosen or chosen[-1].epoch - checkpoint.epoch >= delta:
            chosen.append(checkpoint)
    return tuple(reversed(chosen))


def _point(
    after: Played,
    mode: Mode,
    looking: tuple[Checkpoint, ...],
    names: Sequence[str],
    schedule: Schedule,
    n_test: int,
) -> Point:
    sets = {name: schedule.test_set(name, after, n_test) for name in names}
    return Point(
        method=after.method,
        batch=after.batch,
        epoch=looking[-1].epoch,
        mode=mode.name,
        looking=looking,
        sets={name: parts for name, parts in sets.items() if parts},
    )
