"""What a store knows of the studies that are computed in it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.layout import internal


class StudyRecord(BaseModel):
    """What a study has used of the store, and whether it may need that again.

    Its table says what it found, so a study that is finished needs nothing.

    Args:
        finished: Whether no training of it is missing.
        results: Keys of the results of all stages that it has used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    finished: bool
    results: tuple[str, ...]


STUDY = RecordType("record of a study", StudyRecord)


def study_records(root: str) -> str:
    """Return the folder of the records of all studies in a store."""
    return internal(root, "studies")


def unfinished_studies(root: str) -> dict[str, StudyRecord]:
    """Return the studies in the store at `root` that are not finished, by name."""
    found = STUDY.read_all(study_records(root))
    return {name: record for name, record in found.items() if not record.finished}
