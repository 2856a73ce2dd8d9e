"""What a campaign keeps of each round: enough to go on, and to write a run's folder."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.setting import Beginning, Setting
from backhaul.errors import InputError
from backhaul.identity import canonical
from backhaul.storage.conditional import read_or_none
from backhaul.storage.objects import exists_at, names_in, read_uri, remove, replace
from backhaul.storage.places import absolute
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Sent, Timing, TrainingResult

INITIAL = "init"
"""What stands for a method where there is none yet: the initial model."""


class Standing(BaseModel):
    """Where a method stands after a round.

    Args:
        seen: All `Splits` seen so far, with the copies of training images.
        checkpoints: Checkpoints of the model and of those it was trained from, oldest first.
        current: The checkpoint that is evaluated, and that the next retraining starts from.
        sent: What the method sent of each batch so far (`ImageSet`), where it sent anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seen: Artifact
    checkpoints: tuple[Checkpoint, ...]
    current: Checkpoint
    sent: tuple[Artifact, ...] = ()

    def having_sent(self, chosen: Artifact) -> Standing:
        """Return the standing once these images were sent, too."""
        return self.model_copy(update={"sent": (*self.sent, chosen)})

    def after(self, seen: Artifact, training: TrainingResult, current_epoch: int) -> Standing:
        """Return the standing after a training of which one checkpoint is carried on."""
        lineage = (*self.checkpoints, *training.checkpoints)
        kept = tuple(c for c in lineage if c.epoch <= current_epoch)
        return Standing(seen=seen, checkpoints=kept, current=kept[-1], sent=self.sent)


class RoundRecord(BaseModel):
    """What happened in one round of one method, or in the initial training.

    Args:
        method: Label of the method, or ``init``.
        batch: Number of the batch; None for the initial training.
        images: The batch as it arrived (`ImageSet` without labels).
        sent: What was sent of it.
        benchmark: What the ensemble saw in the batch before sampling, matched with the truth.
        new: `Splits` of the labelled images of this round.
        training: The training of this round; None if there was none.
        evaluation: Table of metrics by test set and class.
        standing: Where the method stands now.
        timings: How long each stage took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    batch: int | None
    images: Artifact | None = None
    sent: Sent | None = None
    benchmark: Artifact | None = None
    new: Artifact | None = None
    training: TrainingResult | None = None
    evaluation: Artifact
    standing: Standing
    timings: tuple[Timing, ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of this round's files begin with."""
        return self.method if self.batch is None else f"{self.method}{self.batch}"

    def equals(self, other: RoundRecord) -> bool:
        """Return whether the other says the same, however long it took, wherever it lies."""
        mine, theirs = (canonical(r.model_copy(update={"timings": ()})) for r in (self, other))
        return bool(mine == theirs)

    def follows(self, other: RoundRecord) -> bool:
        """Return whether this round began with what the other, or one after it, left."""
        if self.batch is None:
            return False
        same = self.method == other.method
        return other.batch is None or (same and self.batch > other.batch)

    @property
    def new_checkpoints(self) -> tuple[Checkpoint, ...]:
        """Those that this round added to the model's past, oldest first."""
        if self.training is None:
            return self.standing.checkpoints if self.batch is None else ()
        made = set(self.training.checkpoints)
        return tuple(c for c in self.standing.checkpoints if c in made)


def run_folder(root: str, name: str) -> str:
    """Return where the folder of a run lies."""
    return f"{absolute(root)}/runs/{name}"


def write_record(folder: str, record: RoundRecord) -> None:
    """Keep `record` in the run's folder, from which all the rest of it can be written again.

    Where an earlier start came to something else in this round, what followed from that goes,
    so that no two starts are ever mixed.
    """
    place = f"{folder}/rounds/{record.prefix}.json"
    known = read_or_none(place)
    if known is not None and not RoundRecord.model_validate_json(known).equals(record):
        _forget_after(folder, record)
    replace(place, record.model_dump_json(indent=1).encode())


def _forget_after(folder: str, record: RoundRecord) -> None:
    for other in read_records(folder):
        if other.follows(record):
            remove(f"{folder}/rounds/{other.prefix}.json")


def read_records(folder: str) -> list[RoundRecord]:
    """Return all records of a run: the initial training, then by method and batch."""
    found = [
        RoundRecord.model_validate_json(read_uri(f"{folder}/rounds/{name}"))
        for name in names_in(f"{folder}/rounds")
        if name.endswith(".json")
    ]
    return sorted(
        found, key=lambda r: (r.batch is not None, r.method, -1 if r.batch is None else r.batch)
    )


def read_record(folder: str, prefix: str) -> RoundRecord:
    """Return the record of one round of a run.

    Raises:
        InputError: If there is none.
    """
    place = f"{folder}/rounds/{prefix}.json"
    if not exists_at(place):
        raise InputError(f"{place}: is missing: expected a run whose initial model is trained")
    return RoundRecord.model_validate_json(read_uri(place))


def write_beginning(folder: str, beginning: Beginning) -> None:
    """Keep how a run began."""
    replace(f"{folder}/beginning.json", beginning.model_dump_json(indent=1).encode())


def read_beginning(folder: str) -> Beginning:
    """Return how a run began."""
    return Beginning.model_validate_json(read_uri(f"{folder}/beginning.json"))


def write_setting(folder: str, setting: Setting) -> None:
    """Keep what all methods of a run are put through."""
    replace(f"{folder}/setting.json", setting.model_dump_json(indent=1).encode())


def read_setting(folder: str) -> Setting:
    """Return what all methods of a run are put through.

    Raises:
        InputError: If the run was not prepared yet.
    """
    if not exists_at(f"{folder}/setting.json"):
        raise InputError(f"{folder}: no setting.json: expected a run that has begun")
    return Setting.model_validate_json(read_uri(f"{folder}/setting.json"))
