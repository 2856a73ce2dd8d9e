"""The probation of a version: what was seen of it on the first nodes, and what follows."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from backhaul.campaign.publish import Probation
from backhaul.campaign.recordfiles import RecordType
from backhaul.fleet.keeping import changed
from backhaul.measure.probation import Comparison, compare
from backhaul.registry.log import Value
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.conditional import create

_HOUR_S = 3_600.0


class ScoredFrame(BaseModel):
    """A labelled frame that both models have seen.

    Args:
        image_id: The frame.
        weight: How many frames it stands for: 1 / probability with which chance drew it.
        before: F1 of what the version before sees in it.
        now: F1 of what the version on probation saw.
        seen_on: Where that was seen: ``node``, or ``home`` where the node's own detections are
            not known, or were of another picture than the one that it sent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    image_id: str
    weight: float = Field(gt=0)
    before: float = Field(ge=0, le=1)
    now: float = Field(ge=0, le=1)
    seen_on: str = "node"


class ProbationRecord(BaseModel):
    """What is known of a version on probation. Frames are added, and never changed.

    So what was concluded from the first of them stays so, whatever labels come later, or are
    corrected: the comparison asks after every frame.

    Args:
        version: The version.
        against: The version that was champion before.
        began_s: When it was published for the first nodes, seconds since 1970.
        log: The last entry that the inbox's log had then.
        frames: Frames that were scored, in that order.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int
    against: int
    began_s: float
    log: int
    frames: tuple[ScoredFrame, ...] = ()

    def compared(self, settings: Probation, now_s: float) -> Comparison:
        """Return what the frames say by now.

        Args:
            settings: How it is compared.
            now_s: The time, seconds since 1970.
        """
        before, now, weight = (
            np.array([getattr(frame, name) for frame in self.frames], dtype=np.float64)
            for name in ("before", "now", "weight")
        )
        hours = settings.hours
        return compare(
            weight,
            now - before,
            most=settings.frames,
            margin=settings.margin,
            alpha=settings.alpha,
            is_over=hours is not None and now_s - self.began_s >= hours * _HOUR_S,
        )


PROBATION = RecordType("probation", ProbationRecord)


def begin_probation(files: RegistryFiles, record: ProbationRecord) -> None:
    """Record that a probation began, unless it is recorded."""
    create(files.probation(record.version), PROBATION.encode(record, files.run.root))


def add_frames(
    files: RegistryFiles, version: int, frames: tuple[ScoredFrame, ...]
) -> ProbationRecord:
    """Add frames to a probation, and return it; those that it has stay as they are."""

    def added(record: ProbationRecord | None) -> ProbationRecord:
        if record is None:
            raise LookupError(f"{files.run.name}@{version}: no probation")
        known = {frame.image_id for frame in record.frames}
        new = (frame for frame in frames if frame.image_id not in known)
        return record.model_copy(update={"frames": (*record.frames, *new)})

    return changed(PROBATION, files.probation(version), added)


def in_words(found: Comparison, settings: Probation) -> str:
    """Return what the frames of a probation say, in one line."""
    if not found.n:
        return f"no frame of {settings.frames} is labelled"
    between = f" ({found.low:+.3f} to {found.high:+.3f})" if np.isfinite(found.low) else ""
    figures = f"F1 of a frame differs by {found.difference:+.3f}{between} on {found.n} frames"
    said = {
        "worse": f"worse: {figures}",
        "not worse": f"not worse by {settings.margin:g}: {figures}",
        "not shown": f"not shown to be less than {settings.margin:g} worse: {figures}",
        "open": f"{found.n} of {settings.frames} frames: {figures}",
    }
    return said[found.outcome]


def values_of(found: Comparison) -> dict[str, Value]:
    """Return what a probation is decided by, as values of an entry of the registry."""
    figures = {
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "evidence": found.evidence,
    }
    finite = {name: round(v, 6) if np.isfinite(v) else None for name, v in figures.items()}
    return {"frames": found.n, **finite}
