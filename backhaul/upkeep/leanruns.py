"""Which checkpoints a run needs whose config says that the others may go."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.campaign.records import RoundRecord, Standing, read_records
from backhaul.campaign.tables import checkpoint_file
from backhaul.errors import InputError
from backhaul.look.settings import Inference
from backhaul.storage.objects import read_uri
from backhaul.values.checkpoints import Checkpoint


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Data(_Part):
    kind: str


class _Config(_Part):
    inference: Inference
    data: _Data


class _About(_Part):
    state: str
    config: _Config

    @property
    def goes_on(self) -> bool:
        """Whether batches may follow: where images arrive hour by hour they always may."""
        return self.state != "completed" or self.config.data.kind == "inbox"


class LeanRun(BaseModel):
    """A run with ``keep_checkpoints: ensemble``.

    Args:
        folder: Its folder.
        needed: Names of the objects of the checkpoints that it needs.
        spare: Where its folder has the other checkpoints, by the names of their objects.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    needed: frozenset[str]
    spare: dict[str, str]


def lean_run(folder: str) -> LeanRun | None:
    """Return what the run in `folder` needs; None if it keeps all checkpoints.

    It needs those that its ensembles looked with, at a batch or at test sets, those that are
    evaluated and retrained, and until the run is over also those that an ensemble of a later
    batch may have: all after the fraction of epochs that its config leaves out.

    Raises:
        InputError: If its records cannot be understood.
    """
    said: Any = json.loads(read_uri(f"{folder}/run.json"))
    if said["config"].get("keep_checkpoints") != "ensemble":
        return None
    try:
        about = _About.model_validate(said)
        records = read_records(folder)
    except ValidationError as error:
        raise InputError(
            f"{folder}: which checkpoints it needs is unclear ({error.errors()[0]['msg']}): "
            "start the run once more with this version, or move its folder away"
        ) from None
    needed = _needed(records, about)
    spare = {
        _name(checkpoint): f"{folder}/{checkpoint_file(record, checkpoint)}"
        for record in records
        for checkpoint in record.new_checkpoints
        if _name(checkpoint) not in needed
    }
    return LeanRun(folder=folder, needed=needed, spare=spare)


def _needed(records: list[RoundRecord], about: _About) -> frozenset[str]:
    inference = about.config.inference
    needed = {c for record in records for c in inference.looking(record.standing.checkpoints)}
    needed |= {record.standing.current for record in records}
    if about.goes_on:
        last = {record.method: record.standing for record in records}
        needed |= {c for standing in last.values() for c in _later(standing, inference)}
    return frozenset(map(_name, needed))


def _later(standing: Standing, inference: Inference) -> list[Checkpoint]:
    """Return the checkpoints that can still be chosen: the epoch of the first only rises."""
    first = inference.first_epoch_fraction * standing.current.epoch
    return [c for c in standing.checkpoints if c.epoch >= first]


def _name(checkpoint: Checkpoint) -> str:
    return checkpoint.artifact.uri.rpartition("/")[2]
