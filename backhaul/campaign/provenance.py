"""What a run was made with."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

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


class GitState(TypedDict):
    """The commit of the code, and whether it was changed since; None outside a checkout."""

    commit: str | None
    dirty: bool | None


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
    return {"commit": commit, "dirty": None if status is None else bool(status)}


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
