"""Calibrated confidences against scikit-learn's and SciPy's, and what they do to a choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from backhaul.arrays import BoolArray, FloatArray
from backhaul.errors import InputError
from backhaul.sampling import UtilitySampling
from backhaul.sampling.calibration import (
    TEMPERATURES,
    calibrated,
    isotonic,
    logit,
    temperature,
)
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.validation import NO_CLASS, Validation
from tests.unit.sampling.conftest import PoolOf

ASKED = np.linspace(0, 1, 41)


def outcomes(seed: int) -> tuple[FloatArray, BoolArray]:
    """Return confidences, equal ones among them, and what came of them."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(rng.integers(3, 80)).round(int(rng.integers(1, 4)))
    return confidence, rng.random(len(confidence)) < confidence**2


def validation_of(confidence: FloatArray, hit: BoolArray) -> Validation:
    """Return detections of class 0, rightly or not, and one object that was missed."""
    n = len(confidence)
    detected = np.append(np.zeros(n, dtype=np.int64), NO_CLASS)
    actual = np.append(np.where(hit, 0, NO_CLASS), 0)
    both = np.append(confidence, 0.0)
    return Validation(detected=detected, actual=actual, confidence=both, iou=both * 0)


@pytest.mark.parametrize("seed", range(12))
def test_isotonic_is_that_of_scikit_learn(seed: int) -> None:
    confidence, hit = outcomes(seed)
    peer = IsotonicRegression(out_of_bounds="clip").fit(confidence, hit.astype(float))
    assert isotonic(confidence, hit).at(ASKED) == pytest.approx(peer.predict(ASKED))
    got = calibrated(ASKED, validation_of(confidence, hit), "isotonic")
    assert got == pytest.approx(peer.predict(ASKED))


@pytest.mark.parametrize("seed", range(12))
def test_temperature_is_where_scipy_finds_the_least_loss(seed: int) -> None:
    confidence, hit = outcomes(seed)
    z = logit(confidence)

    def loss(log_temperature: float) -> float:
        scaled = z / np.exp(log_temperature)
        return float(np.logaddexp(0, np.where(hit, -scaled, scaled)).sum())

    least = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    assert loss(np.log(temperature(confidence, hit))) == pytest.approx(least.fun, abs=1e-3)
    assert loss(np.log(temperature(confidence, hit))) <= least.fun + 1e-9


def test_temperature_by_hand() -> None:
    """Of objects at 0.9 three quarters are right: 9 becomes 3, which is its square root."""
    confidence = np.full(4, 0.9)
    hit = np.array([True, True, True, False])
    assert temperature(confidence, hit) == pytest.approx(2)
    assert calibrated(np.array([0.9, 0.5]), validation_of(confidence, hit)).tolist() == (
        pytest.approx([0.75, 0.5])
    )


def test_where_all_are_right_it_stays_finite() -> None:
    sure = validation_of(np.array([0.6, 0.9]), np.array([True, True]))
    assert temperature(sure.confidence[:2], sure.is_hit[:2]) == pytest.approx(TEMPERATURES[0])
    assert np.isfinite(calibrated(ASKED, sure)).all()
    assert calibrated(ASKED, sure, "isotonic").tolist() == [1.0] * len(ASKED)


def test_without_any_detection_confidences_stay() -> None:
    nothing = validation_of(np.zeros(0), np.zeros(0, dtype=bool))
    assert len(nothing) == 1
    assert calibrated(ASKED, nothing) is ASKED


def test_an_overconfident_detector_is_doubted_where_it_is_sure(pool_of: PoolOf) -> None:
    """Half of what is seen at 0.9 is wrong, and all that is seen at 0.5."""
    known = validation_of(np.array([0.9, 0.9, 0.5, 0.5]), np.array([True, False, False, False]))
    pool = replace(pool_of({"a": [(0, 0.9)], "b": [(0, 0.5)]}), validation=known)
    method = UtilitySampling(utility="calibrated-confidence", calibration="isotonic")
    assert method.values(pool).tolist() == pytest.approx([1.0, 0.0])
    sent = method.select(pool, Bandwidth(images=1), rng=np.random.default_rng(0))
    assert sent.image_id.tolist() == ["a"]
    with pytest.raises(InputError, match="needs validation"):
        method.select(
            replace(pool, validation=None), Bandwidth(images=1), rng=np.random.default_rng(0)
        )


def test_a_temperature_leaves_doubt_at_a_half_and_a_curve_moves_it() -> None:
    confidence = np.repeat([0.1, 0.5, 0.9], 10)
    hit = np.tile(np.arange(10) < 5, 3)
    hit[:20] = False  # right half of the time where it says 0.9, never elsewhere
    known, asked = validation_of(confidence, hit), np.array([0.2, 0.5, 0.9])
    assert calibrated(asked, known, "temperature")[1] == pytest.approx(0.5)
    doubt = np.abs(calibrated(ASKED, known, "temperature") - 0.5)
    assert np.array_equal(np.sign(np.diff(doubt)), np.sign(np.diff(np.abs(ASKED - 0.5))))
    assert calibrated(asked, known, "isotonic").tolist() == [0, 0, 0.5]
