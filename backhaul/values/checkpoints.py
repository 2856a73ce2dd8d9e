"""Trained weights, and how many epochs are behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backhaul.values.artifacts import Artifact


class Checkpoint(BaseModel):
    """A stored checkpoint and the number of epochs behind it.

    Args:
        epoch: Epochs behind it.
        artifact: The file. Its digest is `model_digest`, or `file_digest` for a detector of the
            user's own.
        detector: That detector, as the JSON of its `UserCode`; empty = Ultralytics. So its
            source is known to every stage that looks through the checkpoint.
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
        detector: As `Checkpoint.detector`.
    """

    epoch: int
    path: Path
    sha256: str
    detector: str = ""
