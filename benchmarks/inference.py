"""An ensemble's look at images against Ultralytics, one checkpoint after the other.

The peer loads each checkpoint as ``YOLO(path)`` and predicts all images in batches of the same
size, with the same size of the input, thresholds, device and number of threads; it scales each
image to a square as ours does (``rect=False``). Both are timed with the loading of checkpoints.

By the profile nine tenths of our time are the networks themselves, which is the same work for
both; what is gained is decoding each image once, not once a checkpoint (a tenth of the peer's
time for photos), and copies of models and of results that Ultralytics makes.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.formats.assembly import assemble
from backhaul.data.settings import DigitsData, FolderData
from backhaul.learn.settings import NoStopping, Training
from backhaul.learn.training.job import EpochDone, TrainingJob
from backhaul.learn.training.process import train
from backhaul.learn.training.workfolder import write_work_folder
from backhaul.look.libraries import isolate_libraries
from backhaul.look.protocol import PredictionSettings
from backhaul.look.ultralytics import Ultralytics
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits
from benchmarks.measure import Row, compare

isolate_libraries()

from ultralytics import YOLO  # noqa: E402 - it reads its environment when imported
from ultralytics.utils import torch_utils  # noqa: E402

LIMIT = "the networks take nine tenths, decoding a fiftieth"
CHECKPOINTS, EPOCHS_BETWEEN = 5, 6
SCENES, SCENE_PX = 100, 96
PHOTOS, PHOTO_PX, PHOTO_INPUT_PX = 20, (640, 480), 320
THREADS = 1  # least disturbed by whatever else the machine does
REPEATS = 3


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images and checkpoints."""
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        folder = Path(name)
        write_scenes(
            folder / "scenes",
            DigitsData(images=max(20, round(SCENES * scale)), size_px=SCENE_PX),
        )
        scenes = read(FolderData(root=folder / "scenes")).images
        checkpoints = checkpoints_of(
            folder / "training", scenes, max(1, round(CHECKPOINTS * scale))
        )
        photos = photos_of(folder / "photos", scenes, max(1, round(PHOTOS * scale)), rng)
        return [
            _row(f"{SCENE_PX} px PNG", scenes, checkpoints, SCENE_PX),
            _row("640x480 JPEG", photos, checkpoints, PHOTO_INPUT_PX),
            _described("640x480 JPEG", photos, checkpoints, PHOTO_INPUT_PX),
        ]


def _row(kind: str, images: ImageSet, checkpoints: list[LocalCheckpoint], size_px: int) -> Row:
    settings = PredictionSettings(
        size_px, conf_thres=0.1, nms_thres=0.5, device="cpu", threads=THREADS
    )
    times = compare(
        partial(_see, images, checkpoints, settings),
        partial(_each_by_ultralytics, images, checkpoints, settings),
        REPEATS,
    )
    name = (
        f"inference, {len(images)} {kind}, {len(checkpoints)} checkpoints, input {size_px} px"
    )
    return Row(name, *times, "Ultralytics, each checkpoint", LIMIT)


def _described(
    kind: str, images: ImageSet, checkpoints: list[LocalCheckpoint], size_px: int
) -> Row:
    settings = PredictionSettings(
        size_px, conf_thres=0.1, nms_thres=0.5, device="cpu", threads=THREADS
    )
    with_vectors = replace(settings, needs=frozenset({"features", "descriptors"}))
    times = compare(
        partial(_see, images, checkpoints, with_vectors),
        partial(_see, images, checkpoints, settings),
        REPEATS,
    )
    name = f"the same with features and descriptors, {len(images)} {kind}"
    return Row(name, *times, "boxes alone", LIMIT)


def _see(
    images: ImageSet, checkpoints: list[LocalCheckpoint], settings: PredictionSettings
) -> None:
    Ultralytics().predict(images.local(), checkpoints, settings, lambda done, total: None)


def _each_by_ultralytics(
    images: ImageSet, checkpoints: list[LocalCheckpoint], settings: PredictionSettings
) -> None:
    with mock.patch.object(torch_utils, "NUM_THREADS", settings.threads):  # else cores - 1
        for checkpoint in checkpoints:
            YOLO(checkpoint.path).predict(
                Path(images.table["uri"].iloc[0]).parent,  # a list would be one single batch
                imgsz=settings.img_size,
                conf=settings.conf_thres,
                iou=settings.nms_thres,
                max_det=settings.max_detections,
                batch=settings.batch_size,
                device="cpu",
                rect=False,
                verbose=False,
            )


def checkpoints_of(folder: Path, scenes: ImageSet, count: int) -> list[LocalCheckpoint]:
    """Return checkpoints of a detector of digits that learns; the last ones see them."""
    number = np.arange(len(scenes))
    part = number // (len(scenes) // 2)
    write_work_folder(folder, Splits(*(scenes.where(part == i) for i in range(3))))
    job = TrainingJob(
        folder=folder,
        class_names=scenes.class_names,
        settings=Training(
            img_size=SCENE_PX,
            batch_size=8,
            warmup_epochs=0,
            evaluation_interval=EPOCHS_BETWEEN,
            checkpoint_interval=EPOCHS_BETWEEN,
            threads=2,
            device="cpu",
        ),
        stopping=NoStopping(),
        epochs=count * EPOCHS_BETWEEN,
        seed=0,
    )
    return [
        LocalCheckpoint(event.record.epoch, event.checkpoint, event.sha256)
        for event in train(job)
        if isinstance(event, EpochDone) and event.checkpoint and event.sha256
    ]


def photos_of(folder: Path, scenes: ImageSet, count: int, rng: np.random.Generator) -> ImageSet:
    """Write scenes enlarged to photos, with some noise, and return them."""
    folder.mkdir()
    for i in range(count):
        scene = cv2.imread(scenes.table["uri"].iloc[i % len(scenes)])
        photo = cv2.resize(scene, PHOTO_PX, interpolation=cv2.INTER_CUBIC)
        noisy = photo + rng.normal(0, 8, photo.shape)
        cv2.imwrite(str(folder / f"{i:04d}.jpg"), noisy.clip(0, 255).astype(np.uint8))
    paths = sorted(str(path) for path in folder.iterdir())
    return assemble(paths, scenes.class_names, lambda image: (None, [])).images
