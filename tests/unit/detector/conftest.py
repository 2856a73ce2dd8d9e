"""A handful of small scenes, and one short training that several tests look at."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from backhaul.learn.settings import NoStopping, Training
from backhaul.learn.training import process as trainings
from backhaul.learn.training.job import EpochDone, TrainingJob
from backhaul.learn.training.process import train
from backhaul.learn.training.workfolder import write_work_folder
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from backhaul.values.splits import Splits

CLASSES = ("dark", "light")
SIZE = 64


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    """24 grey scenes with one dark or light square each."""
    folder = tmp_path_factory.mktemp("scenes") / "images of images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(24):
        pixels = rng.integers(100, 150, (SIZE, SIZE, 3)).astype(np.uint8)
        left, top = rng.integers(0, SIZE - 24, 2)
        class_id = i % 2
        pixels[top : top + 24, left : left + 24] = 255 * class_id
        path = folder / f"scene {i:02d}.PNG"
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        box = [class_id, (left + 12) / SIZE, (top + 12) / SIZE, 24 / SIZE, 24 / SIZE]
        size = path.stat().st_size
        known = (None, Labels.from_rows([box]), "dataset", None)
        rows.append((f"{i:032x}", path.as_posix(), SIZE, SIZE, size, *known))
    images = ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), CLASSES)
    number = np.arange(len(images))
    return Splits(
        images.where(number < 16),
        images.where((number >= 16) & (number < 20)),
        images.where(number >= 20),
    )


def make_job(folder: Path, scenes: Splits, **settings: object) -> TrainingJob:
    """A job of two short epochs; `settings` are those of `Training`."""
    small = {"model": "yolo11n", "img_size": SIZE, "batch_size": 4, "warmup_epochs": 0}
    write_work_folder(folder, scenes)
    return TrainingJob(
        folder=folder,
        class_names=CLASSES,
        settings=Training.model_validate(small | {"device": "cpu", "threads": 1} | settings),
        stopping=NoStopping(),
        epochs=2,
        seed=3,
    )


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    job: TrainingJob
    epochs: list[EpochDone]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, scenes: Splits) -> Trained:
    """Four epochs of yolo11n, in a process that was started for them."""
    folder = tmp_path_factory.mktemp("trained")
    job = make_job(folder, scenes).model_copy(update={"epochs": 4})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainings, "WARM", None)
        return Trained(job, [e for e in train(job) if isinstance(e, EpochDone)])
