"""Our predictions against those of Ultralytics' own validator, whatever a model learned."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from backhaul.arrays import FloatArray
from backhaul.errors import InputError
from backhaul.learn.training.job import EpochDone
from backhaul.learn.training.process import train
from backhaul.look.descriptors import describe_files
from backhaul.look.look import predictor_of
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import Detections, Need
from backhaul.values.images import ImageSet, concat
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import SIZE, Trained, make_job

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Ultralytics' and torch's, of their own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

FLOOR, NMS = 0.001, 0.6


@pytest.fixture(scope="module")
def everything(scenes: Splits) -> ImageSet:
    return concat([scenes.train, scenes.valid, scenes.test])


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory, scenes: Splits) -> list[LocalCheckpoint]:
    """Three checkpoints of one training."""
    folder = tmp_path_factory.mktemp("learning")
    job = make_job(folder, scenes, checkpoint_interval=4).model_copy(update={"epochs": 12})
    done = [event for event in train(job) if isinstance(event, EpochDone)]
    return [
        LocalCheckpoint(event.record.epoch, event.checkpoint, event.sha256)
        for event in done
        if event.checkpoint is not None and event.sha256 is not None
    ]


def run(
    images: ImageSet,
    checkpoints: list[LocalCheckpoint],
    settings: PredictionSettings,
    on_progress: OnProgress = lambda done, total: None,
) -> Detections:
    return predictor_of(None).predict(images.local(), checkpoints, settings, on_progress)


def test_scores_and_features_come_if_they_are_needed(
    learning: list[LocalCheckpoint], everything: ImageSet
) -> None:
    settings = PredictionSettings(SIZE, FLOOR, NMS, batch_size=5, device="cpu")
    plain = run(everything, learning, settings)
    assert (plain.scores, plain.features) == (None, None)
    needs: frozenset[Need] = frozenset({"scores", "features", "descriptors"})
    seen = run(everything, learning, replace(settings, needs=needs))
    pd.testing.assert_frame_equal(seen.table, plain.table)
    assert seen.scores is not None
    assert seen.scores.shape == (len(seen), len(everything.class_names))
    own = seen.scores[np.arange(len(seen)), seen.class_id]
    np.testing.assert_allclose(own, seen.confidence)
    assert seen.features is not None
    vectors = seen.features.of(everything.ids)
    last = run(everything, learning[-1:], replace(settings, needs=needs, batch_size=24))
    assert last.features is not None
    np.testing.assert_allclose(last.features.of(everything.ids), vectors, atol=1e-4)
    assert len(np.unique(vectors, axis=0)) == len(everything)
    assert seen.descriptors is not None
    described = describe_files(everything.local().paths)
    np.testing.assert_allclose(seen.descriptors.of(everything.ids), described, atol=1e-3)


def test_boxes_are_those_of_ultralytics_validator(
    learning: list[LocalCheckpoint], everything: ImageSet, tmp_path: Path
) -> None:
    assert len(learning) == 3
    none = ImageSet(everything.table.iloc[:0], everything.class_names)
    make_job(tmp_path, Splits(none, everything, none))
    seen = run(everything, learning, PredictionSettings(SIZE, FLOOR, NMS, device="cpu"))
    for checkpoint in learning:
        theirs = boxes_of_ultralytics(checkpoint, tmp_path)
        assert set(theirs) == set(everything.ids)
        ours = seen.take(seen.epoch == checkpoint.epoch)
        assert len(ours) == sum(len(boxes) for boxes in theirs.values()) > 0
        for image_id, boxes in theirs.items():
            own = ours.take(ours.image_id == image_id)
            rows = np.column_stack([100 * own.confidence, own.class_id, own.xyxy])
            apart = cdist(rows, boxes, "chebyshev")
            assert max(apart.min(axis=0).max(), apart.min(axis=1).max()) < 0.01


def boxes_of_ultralytics(checkpoint: LocalCheckpoint, folder: Path) -> dict[str, FloatArray]:
    """Return confidence in percent, class and corners (pixels) of boxes, by image."""
    from ultralytics import YOLO
    from ultralytics.models.yolo.detect import DetectionValidator

    found: dict[str, FloatArray] = {}

    class Keeping(DetectionValidator):  # type: ignore[misc] # Ultralytics has no types
        def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
            for i, pred in enumerate(preds):
                boxes = self.scale_preds(pred, self._prepare_batch(i, batch))["bboxes"]
                columns = [100 * pred["conf"][:, None], pred["cls"][:, None], boxes]
                rows = [column.numpy().astype(np.float64) for column in columns]
                found[Path(batch["im_file"][i]).stem] = np.hstack(rows)
            super().update_metrics(preds, batch)

    YOLO(str(checkpoint.path)).val(
        validator=Keeping,
        data=str(folder / "data.yaml"),
        imgsz=SIZE,
        rect=False,  # padded to the square that it was trained on
        conf=FLOOR,
        iou=NMS,
        device="cpu",
        workers=0,
        plots=False,
        verbose=False,
        project=str(folder),
    )
    return found


def test_an_image_that_is_gone_or_broken_is_named(
    trained: Trained, everything: ImageSet, tmp_path: Path
) -> None:
    event = trained.epochs[-1]
    assert event.checkpoint is not None
    assert event.sha256 is not None
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    images = everything.take(everything.ids[:1])
    images = ImageSet(images.table.assign(uri=broken.as_posix()), images.class_names)
    checkpoint = LocalCheckpoint(2, event.checkpoint, event.sha256)
    with pytest.raises(InputError, match=r"broken\.jpg: cannot be read"):
        run(images, [checkpoint], PredictionSettings(SIZE, FLOOR, NMS))


def test_all_checkpoints_at_once_see_what_each_sees_alone(
    learning: list[LocalCheckpoint], everything: ImageSet
) -> None:
    settings = PredictionSettings(SIZE, FLOOR, NMS, batch_size=5, device="cpu")
    calls: list[tuple[int, int]] = []
    together = run(everything, learning, settings, lambda *now: calls.append(now)).table
    assert calls == [(n, 24) for n in (5, 10, 15, 20, 24)]
    assert together["confidence"].gt(FLOOR).all()
    for checkpoint in learning:
        alone = run(everything, [checkpoint], settings).table
        ours = together[together["epoch"] == checkpoint.epoch].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, ours, check_dtype=False, check_index_type=False)
    assert len(together)
