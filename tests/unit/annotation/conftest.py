"""A run of which images wait for labels, in a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backhaul.campaign.runrecords import BEGINNING
from backhaul.campaign.setting import Beginning
from backhaul.layout import RunFiles
from tests.waiting import CLASSES, beginning, let_wait


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    """A run that has begun."""
    files = RunFiles(str(tmp_path / "store"), "edge")
    made: Beginning = beginning(files)
    BEGINNING.write(files.beginning, made)
    assert made.class_names == CLASSES
    return files


@pytest.fixture
def waiting(files: RunFiles) -> Callable[..., None]:
    """Lets images wait: `let_wait` of that run."""

    def wait(numbers: range, method: str = "iqr", batch: int = 0) -> None:
        let_wait(files, numbers, method, batch)

    return wait


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
