"""Images that only the work on them shows to be unreadable cost themselves, not the run.

They were readable when the data set was read: damaged since, or read by an earlier version.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prefect import flow

from backhaul.code import UserCode
from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.errors import InputError, MissingObjectError
from backhaul.learn.settings import Augmentation, Cropping, NoStopping, Training
from backhaul.look.settings import Inference
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_value
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.detections import FusedDetections, Need
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits
from tasks import readable
from tasks.augmentation import augment
from tasks.cropping import crop
from tasks.evaluation import TestSets, evaluate
from tasks.inference import infer
from tasks.labelling import label_with
from tasks.stage import Step
from tasks.training import train_detector
from tests.hostile_images import BAD

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.usefixtures("prefect_server"),
]

N_SCENES, SIZE = 24, 48
TRAINING = Training(
    model="yolo11n", img_size=32, batch_size=4, device="cpu", threads=1, warmup_epochs=0
)
KINDS = ("a PNG of no bytes of pixels", "a JPEG without tables", "a JPEG of headers")
"""What Pillow takes for images, and OpenCV does not: Ultralytics starts to train on them."""


@dataclass(frozen=True)
class Scenes:
    """A data set that was read, and of which images were damaged afterwards."""

    step: Step
    images: ImageSet
    damaged: tuple[str, ...]

    @property
    def splits(self) -> Splits:
        n = np.arange(len(self.images))
        parts = (n < 12, (n >= 12) & (n < 18), n >= 18)
        return Splits(*(self.images.where(part) for part in parts))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    folder = tmp_path_factory.mktemp("unreadable")
    write_scenes(folder / "scenes", DigitsData(images=N_SCENES, size_px=SIZE))
    images = read(FolderData(root=(folder / "scenes").as_posix())).images
    damaged = tuple(images.table["uri"].iloc[[2, 7, 14]])
    for uri, kind in zip(damaged, KINDS, strict=True):
        Path(uri).write_bytes(BAD[kind])
    return Scenes(Step(root=str(folder / "store"), seed=1, threads=1), images, damaged)


@pytest.fixture
def said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[[], str]:
    """What stages logged of images that they left out."""
    monkeypatch.setattr(readable, "get_run_logger", logging.getLogger)
    return lambda: caplog.text


def in_flow(call: Callable[[], Any]) -> Any:
    return flow(call)()


@pytest.fixture(scope="module")
def checkpoint(scenes: Scenes) -> Checkpoint:
    """One that was trained on what is left of training and validation."""

    def train() -> Any:
        splits = write_value(scenes.step.root, scenes.splits)
        return train_detector(
            splits, None, TRAINING, NoStopping(), epochs=1, model_digest="", step=scenes.step
        )

    result = in_flow(train)
    assert (result.n_train, result.n_valid) == (10, 5)
    newest: Checkpoint = result.checkpoints[-1]
    return newest


@pytest.mark.slow
def test_inference_goes_on_without_them(
    scenes: Scenes, checkpoint: Checkpoint, said: Callable[[], str]
) -> None:
    inference = Inference(conf_thres=0.001)
    images = write_value(scenes.step.root, scenes.images)

    def look() -> Any:
        needs: tuple[Need, ...] = ("features",)
        return infer(images, (checkpoint,), inference, 32, needs, step=scenes.step)

    seen = read_value(FusedDetections, in_flow(look))
    table = scenes.images.table
    damaged = table.loc[table["uri"].isin(scenes.damaged), "image_id"].tolist()
    assert seen.features is not None
    assert not seen.features.of(damaged).any()
    assert seen.features.of(scenes.images.ids).any(axis=1).sum() == N_SCENES - 3
    assert not set(damaged) & set(seen.image_id.tolist())
    for uri in scenes.damaged:
        assert f"{uri}: is left out of inference: its pixels cannot be decoded" in said()


@pytest.mark.slow
def test_evaluation_augmentation_and_cropping_go_on_without_them(
    scenes: Scenes, checkpoint: Checkpoint, said: Callable[[], str]
) -> None:
    root, step = scenes.step.root, scenes.step
    images, splits = write_value(root, scenes.images), write_value(root, scenes.splits)
    whole = Cropping(batches="all", function="tests.reading_code:whole_image", min_side_px=4)

    def work() -> Any:
        looked = Inference(conf_thres=0.001)
        sets = TestSets(images={"all": images})
        evaluate(checkpoint, (checkpoint,), sets, looked, Evaluation(), 32, step=step)
        made = augment(splits, splits, Augmentation(images_per_class=20), step=step)
        fused = infer(images, (checkpoint,), looked, 32, step=step)
        return made, crop((images,), (fused,), images, whole, step=step)

    augmented, cropped = in_flow(work)
    n_copies = read_value(Splits, augmented).train.table["copy_of"].notna().sum()
    assert n_copies > 0
    assert len(read_value(ImageSet, cropped.batches[0])) == N_SCENES - 3
    assert f"{scenes.damaged[0]}: is left out of augmentation" in said()
    assert f"{scenes.damaged[2]}: is left out of cropping" in said()


def test_a_function_that_labels_is_not_asked_again(
    scenes: Scenes, said: Callable[[], str]
) -> None:
    images = write_value(scenes.step.root, scenes.images.without_labels())
    source = UserCode(use="tests.reading_code:label_dark")
    labelled = in_flow(lambda: label_with(images, source, step=scenes.step))
    assert len(read_value(ImageSet, labelled)) == N_SCENES - 3
    assert f"{scenes.damaged[1]}: is left out of labelling" in said()


def test_images_too_small_for_ultralytics_are_named_before(
    scenes: Scenes, said: Callable[[], str]
) -> None:
    """It leaves them out without a word, and ends with a traceback where no other is left."""
    small = scenes.splits.train.table.assign(width=9)
    splits = Splits(
        ImageSet(small, scenes.images.class_names), scenes.splits.valid, scenes.splits.test
    )

    def train() -> Any:
        stored = write_value(scenes.step.root, splits)
        return train_detector(
            stored, None, TRAINING, NoStopping(), epochs=1, model_digest="", step=scenes.step
        )

    with pytest.raises(InputError, match="0 images to train on and 6 to validate with"):
        in_flow(train)
    first = small["uri"].iloc[0]
    assert f"{first}: is left out of training: 9 x 48 pixels" in said()


def test_what_fails_with_images_that_can_be_read_fails(
    scenes: Scenes, said: Callable[[], str]
) -> None:
    good = scenes.images.where(~scenes.images.table["uri"].isin(scenes.damaged).to_numpy())

    def fail(images: ImageSet) -> None:
        raise RuntimeError(f"no memory for {len(images)}")

    with pytest.raises(RuntimeError, match=f"no memory for {len(good)}"):
        readable.without_unreadable(scenes.step.root, good, "a test", fail)
    with pytest.raises(RuntimeError, match=f"no memory for {len(good)}"):
        readable.without_unreadable(scenes.step.root, scenes.images, "a test", fail)
    bad = scenes.images.where(scenes.images.table["uri"].isin(scenes.damaged).to_numpy())
    with pytest.raises(InputError, match="none of 3 images can be decoded"):
        readable.without_unreadable(scenes.step.root, bad, "a test", fail)
    gone = ImageSet(good.table.assign(uri="/gone.png"), good.class_names)
    with pytest.raises(MissingObjectError, match=r"/gone\.png"):
        readable.without_unreadable(scenes.step.root, gone, "a test", fail)
