"""Provenance of a run: versions of software, commit of the code, and time of each start."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.layout import RunFiles

PACKAGES = (
    "backhaul",
    "albumentations",
    "faster-coco-eval",
    "iterative-stratification",
    "numpy",
    "opencv-python",
    "pandas",
    "prefect",
    "scikit-learn",
    "torch",
    "torchvision",
    "ultralytics",
)


class GitState(BaseModel):
    """The commit of the code, and whether it was changed since; None outside a checkout."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str | None = None
    dirty: bool | None = None


class Start(BaseModel):
    """Software and time of one start of a run.

    Args:
        started: When, UTC.
        versions: Versions of Python and of the packages that matter to a result.
        git: State of the checkout that the flows run from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    started: datetime
    versions: dict[str, str]
    git: GitState


START = RecordType("start", Start)


def note_start(files: RunFiles) -> None:
    """Record this start of the run, beside the earlier ones."""
    start = Start(started=datetime.now(UTC), versions=versions(), git=git_state())
    START.write(files.start(f"{start.started:%Y%m%dT%H%M%S.%fZ}"), start)
    START.write(files.last_start, start)  # found without a look at all of them


def read_starts(files: RunFiles) -> tuple[Start, ...]:
    """Return all starts of a run, the first one first."""
    return tuple(START.read_all(files.starts).values())


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter to a result."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> GitState:
    """Return the state of the checkout that the flows run from."""
    commit, status = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return GitState(commit=commit, dirty=None if status is None else bool(status))


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - wherever the user has it
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or no checkout: provenance then rests on the versions
    return done.stdout.strip()
