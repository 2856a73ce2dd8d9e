"""Trained weights, and the number of epochs they were trained for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backhaul.values.artifacts import Artifact


class Checkpoint(BaseModel):
    """A stored checkpoint and the number of epochs it was trained for.

    Args:
        epoch: Epochs behind it.
        artifact: The file. Its digest is `model_digest`, or `file_digest` for a detector of the
            user's own.
        detector: Content digest of that detector's `UserCode`; empty = Ultralytics. So its
            source enters the key of every stage that looks through the checkpoint, while what
            is run is named by the campaign's config alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    artifact: Artifact
    detector: str = ""


@dataclass(frozen=True, slots=True)
class LocalCheckpoint:
    """A checkpoint file on this machine's disk.

    Args:
        epoch: Epochs behind it.
        path: The file.
        sha256: Digest it must have.
    """

    epoch: int
    path: Path
    sha256: str
