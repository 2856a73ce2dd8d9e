"""Our predictions and metrics against Ultralytics' validator and pycocotools."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from backhaul.errors import InputError
from backhaul.learn.training.job import EpochDone
from backhaul.learn.training.process import train
from backhaul.look.look import predictor_of
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.measure.metrics import average_precision
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
    """Checkpoints of a detector that learns, from poor to good."""
    folder = tmp_path_factory.mktemp("learning")
    job = make_job(folder, scenes, checkpoint_interval=10).model_copy(update={"epochs": 40})
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
    settings = PredictionSettings(SIZE, 0.1, NMS, batch_size=5, device="cpu")
    plain = run(everything, learning, settings)
    assert (plain.scores, plain.features) == (None, None)
    needs: frozenset[Need] = frozenset({"scores", "features"})
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
    assert len(np.unique(vectors.round(4), axis=0)) == len(everything)


def test_predictions_score_as_in_ultralytics_validator(
    learning: list[LocalCheckpoint], everything: ImageSet, tmp_path: Path
) -> None:
    from ultralytics import YOLO

    none = ImageSet(everything.table.iloc[:0], everything.class_names)
    make_job(tmp_path, Splits(none, everything, none))
    seen = run(everything, learning, PredictionSettings(SIZE, FLOOR, NMS, device="cpu"))
    scores = []
    for checkpoint in learning:
        theirs = YOLO(str(checkpoint.path)).val(
            data=str(tmp_path / "data.yaml"),
            imgsz=SIZE,
            conf=FLOOR,
            iou=NMS,
            device="cpu",
            workers=0,
            plots=False,
            verbose=False,
            project=str(tmp_path),
        )
        own = seen.take(seen.epoch == checkpoint.epoch)
        ours = average_precision(own, everything).iloc[0]
        scores.append(ours["mAP50"])
        assert ours["mAP50"] == pytest.approx(theirs.box.map50, abs=0.02)
        assert ours["mAP50-95"] == pytest.approx(theirs.box.map, abs=0.02)
        expected = coco_evaluation(own, everything)
        assert ours["mAP50"] == pytest.approx(expected[0], abs=0.005)
        assert ours["mAP50-95"] == pytest.approx(expected[1], abs=0.005)
    assert max(scores) > 0.5, "the detector learned too little for the comparison to mean much"


def coco_evaluation(seen: Detections, images: ImageSet) -> tuple[float, float]:
    """mAP50 and mAP50-95 by pycocotools."""
    number = {name: i + 1 for i, name in enumerate(images.ids)}
    truth = COCO()
    annotations: list[dict[str, object]] = []
    for name, labels in zip(images.ids, images.table["labels"], strict=True):
        for class_id, cx, cy, w, h in labels.rows():
            box = [(cx - w / 2) * SIZE, (cy - h / 2) * SIZE, w * SIZE, h * SIZE]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number[name],
                    "category_id": int(class_id),
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    truth.dataset = {
        "images": [{"id": i} for i in number.values()],
        "categories": [{"id": i} for i in range(len(images.class_names))],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        table = seen.table
        rows = [
            table["image_id"].map(number),
            table["x1"],
            table["y1"],
            table["x2"] - table["x1"],
            table["y2"] - table["y1"],
            table["confidence"],
            table["class_id"],
        ]
        results = truth.loadRes(np.column_stack(rows).astype(np.float64))
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.params.maxDets = [1, 10, 300]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return float(precision[0].mean()), float(precision.mean())


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
    settings = PredictionSettings(SIZE, 0.1, NMS, batch_size=5, device="cpu")
    calls: list[tuple[int, int]] = []
    together = run(everything, learning, settings, lambda *now: calls.append(now)).table
    assert calls == [(n, 24) for n in (5, 10, 15, 20, 24)]
    assert together["confidence"].gt(0.1).all()
    for checkpoint in learning:
        alone = run(everything, [checkpoint], settings).table
        ours = together[together["epoch"] == checkpoint.epoch].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, ours, check_dtype=False, check_index_type=False)
    assert len(together)
