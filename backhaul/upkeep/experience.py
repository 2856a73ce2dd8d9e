"""What earlier rounds in a store took: time, and room."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.rundata import RunRecord, TimingRecord, TrainingRecord
from backhaul.layout import INTERNAL
from backhaul.storage.objects import CHECKPOINT, Stored, listing, read_uri

TRAINING = "training"


class Experience(BaseModel):
    """What rounds of comparable runs took: the same model, at the same image size.

    Args:
        runs: Names of these runs.
        seconds_per_image: To train with one image, in one epoch.
        seconds_beside: All the rest of a round.
        checkpoint_bytes: Mean size of a checkpoint; None if none of them is left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: tuple[str, ...]
    seconds_per_image: float
    seconds_beside: float
    checkpoint_bytes: float | None


def experience_of(config: CampaignConfig) -> Experience | None:
    """Return what rounds of this run took, or else those of comparable runs in its store.

    Args:
        config: The campaign, opened.

    Returns:
        None if there is no such run.
    """
    found = [
        said
        for file in listing(f"{config.store}/runs")
        if file.uri.endswith("/run.json")
        and _is_comparable(said := json.loads(read_uri(file.uri)), config)
    ]
    own = [said for said in found if said["name"] == config.name]
    for candidates in (own, found):
        records = [RunRecord.model_validate(said) for said in candidates]
        if any(record.trainings for record in records):
            return _told_by(records, _checkpoints(candidates), config.store)
    return None


def _is_comparable(said: Any, config: CampaignConfig) -> bool:
    theirs, ours = said["config"].get("training", {}), config.training.model_dump(mode="json")
    return all(theirs.get(key) == ours[key] for key in ("model", "img_size", "detector"))


def _checkpoints(found: Iterable[Any]) -> frozenset[str]:
    """Return the names of the objects of all checkpoints of runs."""
    rounds = (each for said in found for each in said.get("artifacts", {}).values())
    trainings = (each["training"] for each in rounds if each.get("training"))
    checkpoints = (c["artifact"]["uri"] for t in trainings for c in t["checkpoints"])
    return frozenset(uri.rpartition("/")[2] for uri in checkpoints)


def _told_by(records: list[RunRecord], checkpoints: frozenset[str], root: str) -> Experience:
    trainings = [t for record in records for t in record.trainings]
    looked_at = sum(t.epochs * t.train_images for t in trainings)
    sizes = [
        file.size_bytes
        for file in _objects(root)
        if file.uri.endswith(CHECKPOINT) and file.uri.rpartition("/")[2] in checkpoints
    ]
    beside = [_beside(r.timings, t) for r in records for t in r.trainings]
    known = [seconds for seconds in beside if seconds is not None]
    return Experience(
        runs=tuple(record.name for record in records if record.trainings),
        seconds_per_image=sum(t.seconds for t in trainings) / max(looked_at, 1),
        seconds_beside=sum(known) / len(known) if known else 0.0,
        checkpoint_bytes=sum(sizes) / len(sizes) if sizes else None,
    )


def _objects(root: str) -> list[Stored]:
    return listing(f"{root}/{INTERNAL}/objects")


def _beside(timings: Iterable[TimingRecord], training: TrainingRecord) -> float | None:
    """Return what a round took apart from its epochs; None if its training was cached."""
    mine = [t for t in timings if (t.method, t.batch) == (training.method, training.batch)]
    if not any(t.stage == TRAINING and not t.cached for t in mine):
        return None
    return max(sum(t.seconds for t in mine if not t.cached) - training.seconds, 0.0)
