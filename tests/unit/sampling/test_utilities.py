"""Each utility against what is computed by hand, and images against a loop over objects."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, log, nan
from statistics import fmean
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from backhaul.sampling.utilities import UTILITIES, Aggregate, UtilityName, aggregate
from backhaul.values.columns import names_of
from backhaul.values.detections import DISAGREEMENT_SCHEMA, FusedDetections

LN2 = log(2)
H_01 = -0.1 * log(0.1) - 0.9 * log(0.9)
FOUND = FusedDetections(
    image_id=names_of("abc"),
    class_id=np.array([0, 1, 0]),
    confidence=np.array([0.9, 0.5, 0.0]),
    confidence_std=np.zeros(3),
    votes=np.array([4, 1, 2]),
    xyxy=np.zeros((3, 4)),
    box_spread=np.zeros(3),
    scores=np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.5], [0.0, 0.0, 0.0]]),
    mutual_information=np.array([0.0, 0.25, 0.5]),
    pairwise_iou=np.array([0.75, nan, 1.0]),
    vote_fraction=np.array([1.0, 0.25, 0.5]),
    calibrated=np.array([0.75, 0.5, 0.0]),
)
H_025 = -0.25 * log(0.25) - 0.75 * log(0.75)
BY_HAND: dict[UtilityName, list[float]] = {
    "confidence": [0.9, 0.5, 0.0],
    "least-confidence": [0.1, 0.5, 1.0],
    "calibrated-confidence": [0.5, 1.0, 0.0],
    "confidence-entropy": [H_01, LN2, 0.0],
    "entropy": [2 * H_01, 3 * LN2, 0.0],
    "categorical-entropy": [H_01, log(3), log(3)],
    "margin": [0.2, 1.0, 1.0],
    "bald": [0.0, 0.25, 0.5],
    "localisation-spread": [0.25, nan, 0.0],
    "vote-entropy": [0.0, H_025, LN2],
    "count-disagreement": [0.0, 0.1875, 0.25],
}


@pytest.mark.parametrize("name", get_args(UtilityName))
def test_values_of_objects(name: UtilityName) -> None:
    found = UTILITIES[name].of(FOUND)
    assert found.tolist() == pytest.approx(BY_HAND[name], nan_ok=True)
    assert len(UTILITIES[name].of(FOUND.take(np.zeros(0, dtype=np.int64)))) == 0


@pytest.mark.parametrize("name", get_args(UtilityName))
def test_it_needs_what_it_says(name: UtilityName) -> None:
    """Nothing that it does not say, and a pool without what it says is an error."""
    needs = UTILITIES[name].needs
    without: dict[str, Any] = dict.fromkeys(DISAGREEMENT_SCHEMA)
    bare = replace(FOUND, scores=None, calibrated=None, **without)
    if not needs:
        assert UTILITIES[name].of(bare).tolist() == UTILITIES[name].of(FOUND).tolist()
        return
    with pytest.raises(ValueError, match="needs"):
        UTILITIES[name].of(bare)
    enough = replace(FOUND, **without) if needs == {"scores"} else replace(FOUND, scores=None)
    np.testing.assert_array_equal(UTILITIES[name].of(enough), UTILITIES[name].of(FOUND))


@given(st.lists(st.lists(st.floats(1e-6, 1), min_size=4, max_size=4), min_size=1, max_size=9))
@settings(deadline=None, max_examples=30)
def test_entropies_equal_those_of_scipy(rows: list[list[float]]) -> None:
    scores = np.array(rows)
    found = replace(FOUND.take(np.zeros(len(rows), dtype=np.int64)), scores=scores)
    coins = scipy_entropy(np.stack([scores, 1 - scores]), axis=0).sum(axis=1)
    assert UTILITIES["entropy"].of(found).tolist() == pytest.approx(coins)
    dice = scipy_entropy(scores, axis=1)
    assert UTILITIES["categorical-entropy"].of(found).tolist() == pytest.approx(dice)


def test_of_one_class_there_is_no_margin_and_no_doubt_which() -> None:
    found = replace(FOUND, scores=np.array([[0.9], [0.5], [0.0]]))
    assert UTILITIES["margin"].of(found).tolist() == [0, 0, 0]
    assert UTILITIES["categorical-entropy"].of(found).tolist() == [0, 0, 0]
    assert UTILITIES["entropy"].of(found).tolist() == pytest.approx([H_01, LN2, 0])


VALUES = st.lists(st.tuples(st.integers(0, 4), st.just(nan) | st.floats(0, 1e3)), max_size=30)


@given(VALUES, st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_images_equal_a_loop_over_their_objects(
    rows: list[tuple[int, float]], top: int, seed: int
) -> None:
    image = np.array([i for i, _ in rows], dtype=np.int64)
    value = np.array([v for _, v in rows], dtype=np.float64)
    order = np.random.default_rng(seed).permutation(len(rows))
    for how in get_args(Aggregate):
        ours = aggregate(value, image, 5, how, top)
        for i in range(5):
            own = sorted((v for k, v in rows if k == i and not isnan(v)), reverse=True)
            known = {"max": own[:1], "top": own[:top]}.get(how, own)
            theirs = (sum if how == "sum" else fmean)(known) if own else nan
            assert ours[i] == pytest.approx(theirs, nan_ok=True)
        again = aggregate(value[order], image[order], 5, how, top)
        np.testing.assert_array_equal(again, ours)


def test_sums_favour_crowds_and_means_do_not() -> None:
    value = np.array([0.3, 0.3, 0.3, 0.3, 0.9])
    image = np.array([0, 0, 0, 0, 1])
    assert np.argmax(aggregate(value, image, 2, "sum")) == 0
    assert np.argmax(aggregate(value, image, 2, "mean")) == 1
    assert np.argmax(aggregate(value, image, 2, "top", 3)) == 1
