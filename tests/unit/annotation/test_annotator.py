"""The simulated annotator."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from backhaul.annotation.annotator import Annotator, Seconds, annotate
from backhaul.annotation.edits import pair
from backhaul.values.labels import Labels

TRUTH = Labels.from_rows([[0, 0.3, 0.3, 0.2, 0.2], [1, 0.7, 0.7, 0.2, 0.2]])
COSTS = Seconds(image=100, draw=10, accept=1, move=5, reclassify=3, remove=2)
SURE = Annotator(seconds=COSTS)


def many(n: int) -> Labels:
    """Return boxes that do not overlap."""
    places = (np.arange(n) + 0.5) / n
    return Labels.from_rows(
        np.column_stack([np.arange(n) % 3, places, places, [0.5 / n] * n, [0.5 / n] * n])
    )


def test_one_who_never_errs_draws_the_truth(rng: np.random.Generator) -> None:
    answer = annotate(TRUTH, None, SURE, 3, rng)
    assert answer.labels.same_as(TRUTH)
    assert (answer.seconds, answer.n_accepted) == (100 + 2 * 10, 0)


def test_right_boxes_stay_and_others_are_mended(rng: np.random.Generator) -> None:
    shown = Labels.from_rows(
        [
            [0, 0.31, 0.3, 0.2, 0.2],  # near enough
            [0, 0.71, 0.7, 0.2, 0.2],  # another class
            [2, 0.1, 0.9, 0.1, 0.1],  # nothing there
        ]
    )
    answer = annotate(TRUTH, shown, SURE, 3, rng)
    assert answer.labels.class_id.tolist() == [0, 1]
    np.testing.assert_allclose(answer.labels.xywhn, shown.xywhn[:2])
    assert (answer.seconds, answer.n_accepted) == (100 + 1 + 3 + 2, 1)


def test_a_box_that_is_too_far_off_is_moved(rng: np.random.Generator) -> None:
    shown = Labels.from_rows([[0, 0.36, 0.3, 0.2, 0.2]])  # IoU 0.54
    answer = annotate(TRUTH.take(np.array([0])), shown, SURE, 3, rng)
    assert answer.labels.same_as(TRUTH.take(np.array([0])))
    assert (answer.seconds, answer.n_accepted) == (100 + 5, 0)


def test_errors_are_as_frequent_as_they_are_said_to_be(rng: np.random.Generator) -> None:
    truth = many(900)
    erring = Annotator(missed=0.2, wrong_class=0.1, jitter=0.05)
    labels = annotate(truth, None, erring, 3, rng).labels
    assert len(labels) == pytest.approx(720, abs=50)
    pairs = pair(labels, truth, 0.3)
    assert len(pairs.first) == len(labels)
    wrong = labels.class_id[pairs.first] != truth.class_id[pairs.second]
    assert wrong.mean() == pytest.approx(0.1, abs=0.04)
    assert 0.75 < pairs.iou.mean() < 0.95


def test_the_same_seed_errs_alike() -> None:
    erring = Annotator(missed=0.3, wrong_class=0.3, jitter=0.1)
    one, other = (
        annotate(many(50), None, erring, 3, np.random.default_rng(5)).labels for _ in range(2)
    )
    np.testing.assert_array_equal(one.rows(), other.rows())


def test_with_one_class_none_is_mistaken(rng: np.random.Generator) -> None:
    one = Labels(np.zeros(2, dtype=np.int64), TRUTH.xywhn)
    assert annotate(one, None, Annotator(wrong_class=1.0), 1, rng).labels.class_id.max() == 0


def test_no_box_counts_as_accepted_that_is_no_longer_one_object() -> None:
    with pytest.raises(ValidationError, match="accept_iou"):
        Annotator(accept_iou=0.1)
