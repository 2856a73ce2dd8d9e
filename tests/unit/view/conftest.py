"""A campaign that was recorded: two methods and the control arm, two batches, one failure."""

import time

import pytest

from backhaul.events import (
    NOWHERE,
    Doing,
    Entered,
    Epoch,
    Event,
    Happening,
    ImagesSent,
    MethodEnded,
    Place,
    Planned,
    Progressed,
    RoundBegan,
    RoundEnded,
    StageBegan,
    StageEnded,
    Warned,
)

NOON = time.mktime((2026, 3, 1, 12, 0, 0, 0, 0, -1))
METHODS = ("iqr", "true-random", "no-new-data")
IQR0, IQR1, RANDOM0 = Place("iqr", 0), Place("iqr", 1), Place("true-random", 0)

RECORDED: list[tuple[float, Place, Event]] = [
    (0, NOWHERE, Planned("cars", METHODS, ())),
    (0, NOWHERE, Doing("loading libraries")),
    (9, NOWHERE, Entered("a-flow-run")),
    (10, NOWHERE, RoundBegan()),
    (10, NOWHERE, StageBegan("data")),
    (11, NOWHERE, Progressed("reading images", 100, 420)),
    (45, NOWHERE, Progressed("reading images", 300, 420)),
    (46, NOWHERE, Warned("warning", "3 images without labels are left out")),
    (47, NOWHERE, StageEnded("data", 37.0, cached=False)),
    (47, NOWHERE, Planned("cars", METHODS, (0, 1))),
    (48, NOWHERE, StageBegan("training")),
    (50, NOWHERE, Progressed("init: training", 1, 12)),
    (50, NOWHERE, Epoch(1, 12, 4.5, 4.25)),
    (52, NOWHERE, Epoch(2, 12, 3.5, None)),
    (90, NOWHERE, Epoch(3, 12, 2.5, 2.75)),
    (91, NOWHERE, StageEnded("training", 43.0, cached=False)),
    (95, NOWHERE, RoundEnded(0.481, cached=False)),
    (96, IQR0, RoundBegan()),
    (96, RANDOM0, RoundBegan()),
    (96, IQR0, StageBegan("inference")),
    (96, IQR0, StageEnded("inference", 0.02, cached=True)),
    (96, IQR0, ImagesSent(30, 100, 212_400)),
    (97, IQR0, StageBegan("training")),
    (97, IQR0, StageEnded("training", 0.02, cached=True)),
    (98, IQR0, RoundEnded(0.512, cached=True)),
    (99, IQR1, RoundBegan()),
    (100, IQR1, ImagesSent(30, 100, 198_000)),
    (100, IQR1, StageBegan("training")),
    (104, IQR1, Epoch(1, 6, 2.0, 2.5)),
    (106, IQR1, Epoch(2, 6, 1.25, 2.25)),
    (107, RANDOM0, Warned("error", "true-random failed: TrainingError: killed")),
    (107, Place("true-random"), MethodEnded("failed")),
]


@pytest.fixture
def recorded() -> list[Happening]:
    """What happened, from noon on."""
    return [Happening(event, place, NOON + at) for at, place, event in RECORDED]
