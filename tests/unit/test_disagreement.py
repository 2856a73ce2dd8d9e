"""How far checkpoints disagree about an object, against a loop over objects and by hand."""

import dataclasses
from collections.abc import Sequence
from itertools import combinations
from math import isnan, log, nan
from pathlib import Path

import numpy as np
import pytest

from backhaul.entropy import binary_entropy
from backhaul.geometry import iou
from backhaul.look.disagreement import mutual_information
from backhaul.look.fusion import fuse
from backhaul.look.look import look
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.look.settings import Inference
from backhaul.storage.parquet import from_parquet, to_parquet
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.columns import names_of
from backhaul.values.detections import (
    DISAGREEMENT_SCHEMA,
    FUSED_SCHEMA,
    Detections,
    FusedDetections,
    Need,
)
from backhaul.values.features import Features
from backhaul.values.localimages import LocalImages

EPOCHS = (1, 2, 3)
CONF_THRES = 0.2
ONE_OBJECT = [  # epoch, class, x2, scores
    (1, 0, 10.0, (0.9, 0.1)),
    (2, 0, 8.0, (0.5, 0.3)),
]


def h(p: float) -> float:
    return sum(-q * log(q) for q in (p, 1 - p) if q > 0)


def seen(rows: Sequence[tuple[int, int, float, tuple[float, ...]]]) -> Detections:
    n = len(rows)
    corners = np.array([(0.0, 0.0, x2, 10.0) for _, _, x2, _ in rows]).reshape(n, 4)
    scores = np.array([each for *_, each in rows]).reshape(n, 2)
    class_id = np.array([row[1] for row in rows], dtype=np.int64)
    return Detections(
        image_id=names_of("a" * n),
        epoch=np.array([row[0] for row in rows], dtype=np.int64),
        class_id=class_id,
        confidence=scores[np.arange(n), class_id],
        xyxy=corners,
        scores=scores,
    )


def measured(boxes: Detections) -> FusedDetections:
    return fuse(boxes, EPOCHS, 0.5, conf_thres=CONF_THRES)


def test_by_hand() -> None:
    fused = measured(seen(ONE_OBJECT))
    columns = [getattr(fused, name) for name in DISAGREEMENT_SCHEMA]
    by_class = [(0.9, 0.5, 0.1), (0.1, 0.3, 0.1)]  # the third checkpoint saw less than 0.2
    bald = sum(h(sum(p) / 3) - sum(map(h, p)) / 3 for p in by_class)
    assert [column.tolist() for column in columns] == [
        [pytest.approx(bald)],
        [pytest.approx(0.8)],
        [pytest.approx(2 / 3)],
    ]


def test_no_pair_of_boxes_is_a_missing_overlap_and_not_a_perfect_or_a_bad_one() -> None:
    fused = measured(seen(ONE_OBJECT[:1]))
    assert fused.pairwise_iou is not None
    assert np.isnan(fused.pairwise_iou).tolist() == [True]


def test_checkpoints_that_agree_say_nothing_about_which_is_right() -> None:
    fused = measured(seen([(epoch, 1, 9.0, (0.3, 0.8)) for epoch in EPOCHS]))
    assert fused.mutual_information is not None
    assert fused.mutual_information.tolist() == [pytest.approx(0, abs=1e-15)]


def test_what_a_checkpoint_calls_otherwise_was_seen_and_is_not_imputed() -> None:
    other = [*ONE_OBJECT, (3, 1, 10.0, (0.25, 0.6))]
    fused = measured(seen(other))
    by_class = [(0.9, 0.5, 0.25), (0.1, 0.3, 0.6)]
    bald = sum(h(sum(p) / 3) - sum(map(h, p)) / 3 for p in by_class)
    assert fused.mutual_information is not None
    assert fused.mutual_information.tolist() == [pytest.approx(bald)]
    assert fused.votes.tolist() == [2]


def test_equals_a_loop_over_objects_that_lie_apart() -> None:
    rng = np.random.default_rng(4)
    parts, expected = [], {}
    for place in range(40):
        voters = sorted(rng.permutation(EPOCHS)[: rng.integers(1, 4)].tolist())
        scores = rng.uniform(CONF_THRES, 1, (len(voters), 2))
        scores[:, 0] = np.maximum(scores[:, 0], scores[:, 1])
        corners = place * 100 + np.hstack(
            [rng.uniform(0, 2, (len(voters), 2)), rng.uniform(20, 22, (len(voters), 2))]
        )
        parts.append((voters, scores, corners))
        missing = [[CONF_THRES / 2] * 2] * (3 - len(voters))
        p = np.array([*scores.tolist(), *missing])
        bald = sum(h(v) for v in p.mean(axis=0)) - sum(h(v) for v in p.ravel()) / 3
        pairs = [float(iou(a, b)) for a, b in combinations(corners, 2)]
        overlap = sum(pairs) / len(pairs) if pairs else nan
        best = corners[int(np.argmax(scores[:, 0]))]
        expected[float(best[0])] = (bald, overlap, len(voters) / 3)
    boxes = Detections(
        image_id=names_of("a" * sum(len(v) for v, _, _ in parts)),
        epoch=np.concatenate([v for v, _, _ in parts]),
        class_id=np.zeros(sum(len(v) for v, _, _ in parts), dtype=np.int64),
        confidence=np.concatenate([s[:, 0] for _, s, _ in parts]),
        xyxy=np.concatenate([c for _, _, c in parts]),
        scores=np.concatenate([s for _, s, _ in parts]),
    )
    shuffled = boxes.take(rng.permutation(len(boxes)))
    table = measured(shuffled).table
    found = table[[*DISAGREEMENT_SCHEMA]].itertuples(index=False, name=None)
    for x1, ours in zip(table["x1"].tolist(), found, strict=True):
        assert ours == pytest.approx(expected[x1], nan_ok=True)


def test_nothing_seen_is_nothing_measured() -> None:
    fused = measured(seen([]))
    assert [len(getattr(fused, name)) for name in DISAGREEMENT_SCHEMA] == [0, 0, 0]


def test_it_changes_nothing_else_and_is_not_there_unless_needed() -> None:
    boxes = seen([*ONE_OBJECT, (3, 1, 3.0, (0.25, 0.6))])
    plain = fuse(boxes, EPOCHS, 0.5)
    assert [getattr(plain, name) for name in DISAGREEMENT_SCHEMA] == [None] * 3
    assert measured(boxes).table[[*FUSED_SCHEMA]].equals(plain.table)
    whole, unscored = measured(boxes), measured(dataclasses.replace(boxes, scores=None))
    assert unscored.mutual_information is None
    without = whole.table.drop(columns="mutual_information")
    assert unscored.table.equals(without)
    with pytest.raises(ValueError, match="needs the scores"):
        mutual_information(
            dataclasses.replace(boxes, scores=None), np.zeros(len(boxes), np.int64), 3, 0.1
        )


def test_it_comes_back_from_where_it_is_stored_with_missing_values() -> None:
    fused = measured(seen([*ONE_OBJECT, (3, 1, 3.0, (0.25, 0.6))]))
    features = Features(names_of("ab"), np.eye(2, dtype=np.float32))
    whole = dataclasses.replace(fused, features=features)
    back = from_parquet(FusedDetections, to_parquet(whole))
    assert back.table.equals(whole.table)
    assert any(map(isnan, back.table["pairwise_iou"]))
    assert FusedDetections.from_table(whole.table).table.equals(whole.table)


def test_who_needs_disagreement_makes_the_detector_give_scores() -> None:
    asked: list[frozenset[Need]] = []

    class Predictor:
        def predict(
            self,
            images: LocalImages,
            checkpoints: Sequence[LocalCheckpoint],
            settings: PredictionSettings,
            on_progress: OnProgress,
        ) -> Detections:
            asked.append(settings.needs)
            return seen(ONE_OBJECT)

    images = LocalImages(("a",), ("a.png",), np.array([[20, 20]]), ("c", "d"))
    checkpoints = [LocalCheckpoint(epoch, Path(), "") for epoch in EPOCHS]
    settings = PredictionSettings(
        img_size=32, conf_thres=CONF_THRES, nms_thres=0.5, needs=frozenset({"disagreement"})
    )
    fused = look(images, checkpoints, Predictor(), settings, Inference(), lambda *_: None)
    assert asked == [{"disagreement", "scores"}]
    assert fused.table.equals(measured(seen(ONE_OBJECT)).table)


def test_entropy_of_a_coin() -> None:
    found = binary_entropy(np.array([0.0, 0.1, 0.5, 1.0, nan]))
    assert found.tolist() == pytest.approx([0, h(0.1), log(2), 0, nan], nan_ok=True)
    assert not np.signbit(found[[0, 3]]).any()
