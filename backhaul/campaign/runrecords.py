"""All records of one run in a store, each read on first use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.campaign.claim import CONFIG
from backhaul.campaign.finding import StoredFinding, read_findings
from backhaul.campaign.outcome import RunOutcome
from backhaul.campaign.provenance import START, Start, read_starts
from backhaul.campaign.recordfiles import RecordType
from backhaul.campaign.records import RoundRecord, Waiting
from backhaul.campaign.rounds import ROUND, read_rounds
from backhaul.campaign.runstate import RunState, read_state
from backhaul.campaign.setting import Beginning, Setting
from backhaul.errors import InputError
from backhaul.layout import INITIAL, RunFiles, all_records, run_of_config
from backhaul.look.settings import Inference
from backhaul.measure.settings import Evaluation
from backhaul.storage.conditional import read_or_none
from backhaul.storage.listing import listing
from backhaul.storage.objects import exists_at
from backhaul.untrusted import one_line

R = TypeVar("R")

BEGINNING = RecordType("beginning", Beginning)
SETTING = RecordType("setting", Setting)
OUTCOME = RecordType("outcome", RunOutcome)
WAITING = RecordType("waiting list", Waiting)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Training(_Part):
    img_size: int
    device: str
    threads: int


class _Batches(_Part):
    holdout_batches: int


class _Labelling(_Part):
    source: Any


class LookingConfig(_Part):
    """The parts of a run's config that determine how its checkpoints predict on images.

    The rest is left alone: a method or data set of the user's may be gone by now.
    """

    seed: int
    parallel: int
    batches: _Batches
    training: _Training
    inference: Inference
    evaluation: Evaluation
    labelling: _Labelling

    @property
    def labels_exist(self) -> bool:
        """Whether labels come from the data set, so that the truth of all images is known."""
        return bool(self.labelling.source == "existing")


class RunRecords:
    """The records of one run in a store.

    Args:
        files: Where its files lie.
    """

    def __init__(self, files: RunFiles) -> None:
        self.files = files

    @property
    def exist(self) -> bool:
        """Whether the store has this run, with its data arranged."""
        return exists_at(self.files.beginning)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its config, as it was stored.

        Raises:
            InputError: If there is none.
        """
        data = read_or_none(self.files.config)
        if data is None:
            raise InputError(f"{self.files.view.folder}: no run there: expected its records")
        return CONFIG.fields(data, self.files.config)

    @cached_property
    def looking(self) -> LookingConfig:
        """The parts of its config that determine how checkpoints predict on images.

        Raises:
            InputError: If its config does not say so in today's words.
        """
        try:
            return LookingConfig.model_validate(self.config)
        except ValidationError as error:
            first = error.errors()[0]
            key = one_line(".".join(str(part) for part in first["loc"]))
            reason = one_line(first["msg"])
            raise InputError(f"{self.files.config}: {key}: {reason}") from None

    @property
    def goes_on_for_ever(self) -> bool:
        """Whether images arrive hour by hour, so that it has no end."""
        data = self.config.get("data")
        return isinstance(data, dict) and data.get("kind") == "inbox"

    @cached_property
    def beginning(self) -> Beginning:
        """How it began.

        Raises:
            InputError: If its data were not arranged yet.
        """
        return _required(BEGINNING.read(self.files.beginning), self.files.beginning)

    @cached_property
    def setting(self) -> Setting | None:
        """What all its methods are put through; None before its initial model is trained."""
        return SETTING.read(self.files.setting)

    @property
    def required_setting(self) -> Setting:
        """What all its methods are put through.

        Raises:
            InputError: If its initial model is not trained yet.
        """
        return _required(self.setting, self.files.setting)

    @cached_property
    def rounds(self) -> tuple[RoundRecord, ...]:
        """Its rounds: the initial training, then by method and batch."""
        return read_rounds(self.files)

    @property
    def latest(self) -> tuple[RoundRecord, ...]:
        """The initial training, and the last round of each method that has played one.

        Of a run that continues hour by hour, nothing else is read.
        """
        if not self.goes_on_for_ever:
            last = {each.method: each for each in self.rounds}
            return tuple(last.values())
        prefixes = [f"{label}{n - 1}" for label, n in self.state.played.items() if n]
        found = (ROUND.read(self.files.round(each)) for each in (INITIAL, *prefixes))
        return tuple(each for each in found if each is not None)

    @property
    def batches_played(self) -> dict[str, int]:
        """How many batches each method has behind it, by label."""
        return {each.method: each.batch + 1 for each in self.latest if each.batch is not None}

    @cached_property
    def state(self) -> RunState:
        """Its progress, if images arrive hour by hour."""
        return read_state(self.files)

    @cached_property
    def outcome(self) -> RunOutcome:
        """How it ended, as far as it did."""
        return OUTCOME.read(self.files.outcome) or RunOutcome()

    @cached_property
    def starts(self) -> tuple[Start, ...]:
        """All its starts, the first one first."""
        return read_starts(self.files)

    @cached_property
    def last_start(self) -> Start | None:
        """Its last start; None if it has no record of one."""
        return START.read(self.files.last_start)

    @cached_property
    def findings(self) -> tuple[StoredFinding, ...]:
        """Its findings by name."""
        return read_findings(self.files)

    @cached_property
    def waiting(self) -> dict[str, Waiting]:
        """Images that wait for labels, by the prefix of their round."""
        return WAITING.read_all(self.files.all_waiting)

    @property
    def parts(self) -> Iterator[BaseModel]:
        """All records that may refer to objects of the store."""
        if self.exist:
            yield self.beginning
        if self.setting is not None:
            yield self.setting
        yield from (self.state, *self.rounds, *self.findings, *self.waiting.values())


def _required(record: R | None, place: str) -> R:
    if record is None:
        raise InputError(f"{place}: is not there: expected a run that has begun")
    return record


def has_begun(files: RunFiles) -> bool:
    """Return whether the initial model of a run is trained, and recorded."""
    return exists_at(files.setting) and exists_at(files.beginning)


def runs_in(root: str) -> tuple[RunRecords, ...]:
    """Return all runs in the store at `root`, by name."""
    found = (run_of_config(file.uri) for file in listing(all_records(root)))
    return tuple(RunRecords(files) for files in found if files is not None)


def runs_of(files: RunFiles) -> tuple[RunRecords, ...]:
    """Return a run that has begun, or those of its seeds, by number; none if there is none."""
    if exists_at(files.beginning):
        return (RunRecords(files),)
    seeds = [
        each
        for each in (run_of_config(file.uri) for file in listing(files.records))
        if each is not None and each.name != files.name
    ]
    seeds.sort(key=lambda each: int(each.name.rpartition("/seed")[2]))
    return tuple(RunRecords(each) for each in seeds if exists_at(each.beginning))


def required_runs(files: RunFiles) -> tuple[RunRecords, ...]:
    """Return a run that has begun, or those of its seeds, by number.

    Raises:
        InputError: If the store knows no such run.
    """
    runs = runs_of(files)
    if not runs:
        place = files.view.folder
        raise InputError(f"{place}: no run there: expected its records in the store")
    return runs
