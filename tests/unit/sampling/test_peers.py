"""Diversity and utilities against those of other libraries for active learning."""

import numpy as np
import pytest

from backhaul.arrays import Float32Array, FloatArray
from backhaul.entropy import binary_entropy
from backhaul.sampling.diversity.centers import k_center
from backhaul.sampling.utilities import (
    categorical_entropy,
    confidence_entropy,
    entropy,
    least_confidence,
    margin,
)
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections


def chosen_by_lightly(vectors: Float32Array, known: list[int], n: int) -> list[int]:
    """Return the rows that Lightly's diversity chooses after those that are known."""
    from lightly_mundig import Selection

    selection = Selection()
    selection.add_diversifying_strategy(vectors.tolist(), 1.0)
    rows: list[int] = selection.run_selection(known, len(vectors), len(known) + n)
    return rows[len(known) :]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "length", [2, 8, 32]
)  # with more, many are equally far but for rounding
def test_k_center_chooses_what_lightly_chooses(seed: int, length: int) -> None:
    """Given what was sent before; without it ours begins in the middle, theirs by row."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(150, length)).astype(np.float32)
    known = [3, 77, 120]
    left = np.setdiff1d(np.arange(150), known)
    cost, limits = np.ones((len(left), 1)), np.array([30.0])
    ours = left[k_center(vectors[left], vectors[known], cost, limits).rows]
    assert ours.tolist() == chosen_by_lightly(vectors, known, 30)

    alone = k_center(vectors, vectors[:0], np.ones((150, 1)), limits).rows.tolist()
    assert alone[1:] == chosen_by_lightly(vectors, alone[:1], 29)


def objects(scores: FloatArray) -> FusedDetections:
    n = len(scores)
    return FusedDetections(
        image_id=names_of("a" * n),
        class_id=scores.argmax(axis=1),
        confidence=scores.max(axis=1),
        xyxy=np.tile([0.0, 0.0, 9.0, 9.0], (n, 1)),
        scores=scores,
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        box_spread=np.zeros(n),
    )


def scored(probabilities: FloatArray, method: str) -> FloatArray:
    """Return what scikit-activeml says of class probabilities."""
    from skactiveml.pool import uncertainty_scores

    return np.asarray(uncertainty_scores(probabilities, method=method))


@pytest.mark.slow  # the library takes seconds to import
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_utilities_are_those_of_scikit_activeml(n_classes: int) -> None:
    """Where scores are one distribution. Of scores that are not, ours are the shares."""
    rng = np.random.default_rng(n_classes)
    share = rng.dirichlet(np.full(n_classes, 0.4), size=200)
    found = objects(share)
    assert least_confidence(found) == pytest.approx(scored(share, "least_confident"))
    assert margin(found) == pytest.approx(scored(share, "margin_sampling"))
    assert categorical_entropy(found) == pytest.approx(scored(share, "entropy"))
    dimmed = objects(share * rng.uniform(0.1, 1.0, (200, 1)))
    assert margin(dimmed) == pytest.approx(margin(found))
    assert categorical_entropy(dimmed) == pytest.approx(categorical_entropy(found))


@pytest.mark.slow
def test_entropies_of_independent_scores_are_sums_of_two_classes_each() -> None:
    scores = np.random.default_rng(0).uniform(size=(200, 4))
    two = [scored(np.column_stack([p, 1 - p]), "entropy") for p in scores.T]
    assert entropy(objects(scores)) == pytest.approx(np.sum(two, axis=0))
    best = scores.max(axis=1)
    of_best = scored(np.column_stack([best, 1 - best]), "entropy")
    assert confidence_entropy(objects(scores)) == pytest.approx(of_best)
    assert binary_entropy(best) == pytest.approx(of_best)
