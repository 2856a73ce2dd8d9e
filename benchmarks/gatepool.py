"""Detectors and a large pool of labelled images, by which the true metric of each is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.learn.settings import NoStopping, Training
from backhaul.learn.training.job import EpochDone, TrainingJob
from backhaul.learn.training.process import train
from backhaul.learn.training.workfolder import write_work_folder
from backhaul.look.protocol import PredictionSettings
from backhaul.look.ultralytics import Ultralytics
from backhaul.storage.parquet import from_parquet, to_parquet
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits

SIZE_PX = 96
BATCH = 16
FLOOR = 0.001
"""Least confidence of a detection, as `Evaluation.conf_floor` has it."""
POOL_SEED, FIRST_SEED = 1_000, 1


@dataclass(frozen=True)
class Amounts:
    """How much is trained and looked at.

    Args:
        pool: Images of the pool.
        detectors: Detectors, each trained on scenes of its own with a seed of its own.
        scenes: Scenes that each is trained on first.
        added: Scenes that are added in each round.
        rounds: Retrainings of each, one from the other.
        steps: Steps of the first training; a retraining takes a third of them.
    """

    pool: int = 4_000
    detectors: int = 2
    scenes: int = 64
    added: int = 32
    rounds: int = 3
    steps: int = 300


@dataclass(frozen=True)
class Detector:
    """What the models of a detector see in the pool.

    Args:
        weak: Half way through its first training.
        models: At the end of it, then after each round.
    """

    weak: Detections
    models: tuple[Detections, ...]


def pool_at(folder: Path, amounts: Amounts) -> tuple[ImageSet, tuple[Detector, ...]]:
    """Return the pool, and what detectors see in it; what lies in the folder is used again."""
    pool = _scenes(folder / "pool", amounts.pool, POOL_SEED)
    return pool, tuple(
        _detector(folder / f"detector-{number}", number, pool, amounts)
        for number in range(amounts.detectors)
    )


def _scenes(folder: Path, count: int, seed: int) -> ImageSet:
    write_scenes(folder, DigitsData(images=count, size_px=SIZE_PX, seed=seed))
    return read(FolderData(root=folder)).images


def _detector(folder: Path, number: int, pool: ImageSet, amounts: Amounts) -> Detector:
    kept = folder / "detections.parquet"
    if not kept.exists():
        settings = PredictionSettings(
            SIZE_PX, conf_thres=FLOOR, nms_thres=0.5, device="cpu", threads=1
        )
        checkpoints = _checkpoints(folder, number, amounts)
        seen = Ultralytics().predict(pool.local(), checkpoints, settings, lambda *_: None)
        kept.write_bytes(to_parquet(seen))
    every = from_parquet(Detections, kept.read_bytes())
    weak, *models = (every.take(every.epoch == epoch) for epoch in np.unique(every.epoch))
    return Detector(weak, tuple(models))


def _checkpoints(folder: Path, number: int, amounts: Amounts) -> list[LocalCheckpoint]:
    """Return the checkpoints of a detector, in order."""
    n_train = amounts.scenes + amounts.rounds * amounts.added
    scenes = _scenes(folder / "scenes", n_train + amounts.scenes // 2, FIRST_SEED + number)
    place = np.arange(len(scenes))
    valid, none = scenes.where(place >= n_train), scenes.take(())
    found: list[LocalCheckpoint] = []
    for turn in range(amounts.rounds + 1):
        n = amounts.scenes + turn * amounts.added
        splits = Splits(scenes.where(place < n), valid, none)
        steps = amounts.steps // 3 if turn else amounts.steps
        epochs = max(2, round(steps / -(-n // BATCH)))
        found += _train(folder / f"round-{turn}", splits, epochs, number, found[-1:])
    return found


def _train(
    folder: Path, splits: Splits, epochs: int, seed: int, start: list[LocalCheckpoint]
) -> list[LocalCheckpoint]:
    """Return the last checkpoint of a training; of the first one that of its half, too."""
    write_work_folder(folder, splits)
    every = epochs if start else epochs // 2
    job = TrainingJob(
        folder=folder,
        class_names=splits.train.class_names,
        settings=Training(
            img_size=SIZE_PX,
            batch_size=BATCH,
            evaluation_interval=every,
            checkpoint_interval=every,
            threads=1,
            device="cpu",
        ),
        stopping=NoStopping(),
        epochs=epochs - epochs % every,
        seed=seed,
        start=start[0].path if start else None,
        start_epoch=start[0].epoch if start else 0,
    )
    return [
        LocalCheckpoint(event.record.epoch, event.checkpoint, event.sha256)
        for event in train(job)
        if isinstance(event, EpochDone) and event.checkpoint and event.sha256
    ]
