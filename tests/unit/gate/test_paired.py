"""By how much one model is better than another on the same images, and how sure that is."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from backhaul.measure.paired import Resampled, expanded, middle, quantile, resample
from backhaul.measure.ranking import AT_50, Ranking, match
from backhaul.measure.weighted import effective_number
from backhaul.values.images import ImageSet
from tests.scored import scenes, seen_by

HALF = 0.5


def compared(
    images: ImageSet, first: Ranking, second: Ranking, seed: int = 0, n: int = 400
) -> Resampled:
    rng = np.random.default_rng(seed)
    return resample(first, second, np.ones(len(images)), "mAP50", n, rng)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return scenes(np.random.default_rng(0), 150)


def ranked(images: ImageSet, skill: float, seed: int) -> Ranking:
    return match(seen_by(np.random.default_rng(seed), images, skill), images, AT_50).ranked(
        HALF
    )


def test_the_same_model_gains_nothing(images: ImageSet) -> None:
    model = ranked(images, 0.6, 1)
    found = compared(images, model, model)
    assert (found.gain, found.lower_bound(0.025)) == (0.0, 0.0)


def test_a_better_model_is_told_from_a_worse_one(images: ImageSet) -> None:
    good, poor = ranked(images, 0.8, 1), ranked(images, 0.5, 2)
    found = compared(images, good, poor)
    low, high = middle(found.candidates - found.bases, found.n)
    assert 0 < low < found.gain < high
    assert found.lower_bound(0.025) == pytest.approx(low)
    assert found.lower_bound(0.2) > low
    assert compared(images, poor, good).lower_bound(0.025) < -0.1


def test_the_same_generator_gives_the_same(images: ImageSet) -> None:
    first, second = ranked(images, 0.6, 1), ranked(images, 0.6, 2)
    bounds = {compared(images, first, second, seed).lower_bound(0.025) for seed in (3, 3)}
    assert len(bounds) == 1
    assert bounds != {compared(images, first, second, 4).lower_bound(0.025)}


def test_images_of_weight_zero_count_for_nothing(images: ImageSet) -> None:
    half = np.arange(len(images)) < 75
    part, gains = images.where(half), []
    for some, weights in ((images, half.astype(float)), (part, np.ones(75))):
        first, second = (
            match(
                seen_by(np.random.default_rng(seed), images, skill).of_images(some.ids),
                some,
                AT_50,
            )
            for seed, skill in ((1, 0.6), (2, 0.8))
        )
        rng = np.random.default_rng(0)
        found = resample(first.ranked(HALF), second.ranked(HALF), weights, "mAP50", 200, rng)
        gains.append(found.gain)
    assert gains[0] == pytest.approx(gains[1])


@pytest.mark.parametrize("n", [8, 12, 20])
def test_few_values_are_let_through_no_more_often(n: int) -> None:
    """Of means of normal values whose true mean is 0; the t-test knows what is right."""
    rng, n_rounds = np.random.default_rng(n), 3_000
    values = rng.normal(size=(n_rounds, n))
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=400) / n
    means, nothing = drawn @ values.T, np.zeros(len(drawn))
    bounds = np.array(
        [
            Resampled(0.0, 0.0, means[:, k], nothing, n).lower_bound(0.05)
            for k in range(n_rounds)
        ]
    )
    t_test = ttest_1samp(values, 0.0, axis=1, alternative="greater").pvalue < 0.05
    plain = (np.quantile(means, 0.05, axis=0) > 0).mean()
    assert (bounds > 0).mean() == pytest.approx(t_test.mean(), abs=0.02)
    assert (bounds > 0).mean() < plain


def test_one_image_says_nothing() -> None:
    assert np.isnan(Resampled(0.9, 0.1, np.ones(9), np.zeros(9), 1.0).lower_bound(0.05))
    assert expanded(0.05, 300.0) == pytest.approx(0.0492, abs=1e-4)


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=30), st.floats(0.1, 1e6))
def test_weights_count_as_many_as_carry_the_variance(weights: list[float], by: float) -> None:
    weight = np.array(weights)
    n = effective_number(weight)
    assert 1 - 1e-9 <= n <= len(weight) + 1e-9
    assert effective_number(by * weight) == pytest.approx(n)
    assert effective_number(np.full(7, by)) == pytest.approx(7)
    heavy = np.concatenate([weight, np.full(3, 1e6)])
    assert effective_number(heavy) == pytest.approx(3, rel=1e-3)


def test_where_nothing_can_be_measured_nothing_is_told() -> None:
    assert np.isnan(quantile(np.full(10, np.nan), 0.025))
    assert quantile(np.array([np.nan, 1.0, 3.0]), 0.5) == 2.0


def test_two_thousand_resamples_take_seconds() -> None:
    images = scenes(np.random.default_rng(1), 300, n_classes=10)
    seen = (seen_by(np.random.default_rng(k), images, n_wrong=100) for k in range(2))
    first, second = (match(raw, images, AT_50).ranked(HALF) for raw in seen)
    began = time.perf_counter()
    compared(images, first, second, n=2000)
    assert time.perf_counter() - began < 10  # about 1 on one idle core
