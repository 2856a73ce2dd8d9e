"""Which images each method can send, and with what weight."""

from collections.abc import Callable

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy.stats import norm

from backhaul.arrays import FloatArray
from backhaul.errors import InputError
from backhaul.identity import canonical
from backhaul.sampling import (
    BinNormalSampling,
    BinQuintileSampling,
    BinSampling,
    InRangeSampling,
    IqrSampling,
    MedianBelowThreshSampling,
    MedianThreshSampling,
    Method,
    MidBelowThreshSampling,
    MidNormalSampling,
    MidThreshSampling,
    NormalSampling,
    ProbabilitySampling,
    RandomSampling,
    SamplingMethod,
    TrueRandomSampling,
)
from backhaul.sampling.confidence import ConfidenceSampling
from backhaul.sampling.density import NormalDensity, PiecewiseDensity
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool

PoolOf = Callable[..., Pool]
CONFIDENCE = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])


def weights(method: ConfidenceSampling, confidence: FloatArray) -> list[float]:
    return list(method.weights(confidence, confidence))


def sent_by(method: SamplingMethod, pool: Pool, images: int = 1000, seed: int = 0) -> set[str]:
    selection = method.select(pool, Bandwidth(images=images), rng=np.random.default_rng(seed))
    return set(selection.table["image_id"])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        pytest.param(RandomSampling(), [1, 1, 1, 1, 1, 1, 1], id="random"),
        pytest.param(TrueRandomSampling(), [1, 1, 1, 1, 1, 1, 1], id="true-random"),
        pytest.param(MedianThreshSampling(), [0, 0, 0, 1, 1, 1, 1], id="median-thresh"),
        pytest.param(MedianBelowThreshSampling(), [1, 1, 1, 0, 0, 0, 0], id="median-below"),
        pytest.param(MidThreshSampling(), [0, 0, 0, 1, 1, 1, 1], id="mid-thresh"),
        pytest.param(MidBelowThreshSampling(), [1, 1, 1, 0, 0, 0, 0], id="mid-below-thresh"),
        pytest.param(IqrSampling(), [0, 0, 1, 1, 1, 0, 0], id="iqr"),
        pytest.param(InRangeSampling(low=0.1, high=0.5), [0, 1, 1, 0, 0, 0, 0], id="in-range"),
        pytest.param(InRangeSampling(low=0.9, high=1), [0, 0, 0, 0, 0, 1, 1], id="closed-at-1"),
        pytest.param(InRangeSampling(low=0.3, high=0.3), [0, 0, 1, 0, 0, 0, 0], id="a-point"),
        pytest.param(BinQuintileSampling(), [1, 1, 1, 1, 1, 1, 1], id="bin-quintile"),
        pytest.param(
            BinSampling(edges=(0.1, 0.3, 0.9), shares=(0, 2)), [0, 0, 1, 1, 1, 0, 0], id="bin"
        ),
    ],
)
def test_intervals(method: ConfidenceSampling, expected: list[float]) -> None:
    assert weights(method, CONFIDENCE) == expected


def test_quartiles_are_half_open() -> None:
    assert weights(IqrSampling(), np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == [0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    "method",
    [MedianThreshSampling(), MedianBelowThreshSampling(), IqrSampling(), NormalSampling()],
    ids=lambda method: method.kind,
)
@pytest.mark.parametrize("confidence", [[0.4], [0.4, 0.4, 0.4], [0.0], [1.0, 1.0], [0.1] * 7])
def test_classes_without_spread_stay_eligible(
    method: ConfidenceSampling, confidence: list[float]
) -> None:
    assert np.all(np.array(weights(method, np.array(confidence))) > 0)


def test_normal_takes_the_moments_of_the_class() -> None:
    confidence = np.array([0.2, 0.4, 0.9])
    expected = norm.pdf(confidence, confidence.mean(), confidence.std())
    peak = norm.pdf(0, 0, confidence.std())
    assert weights(NormalSampling(), confidence) == pytest.approx(expected / peak)


def test_mid_normal_is_fixed() -> None:
    expected = norm.pdf(CONFIDENCE, 0.5, 0.25) / norm.pdf(0.5, 0.5, 0.25)
    assert weights(MidNormalSampling(), CONFIDENCE) == pytest.approx(expected)


def test_bin_normal_shares_are_areas() -> None:
    expected = np.diff(norm.cdf(np.arange(6) / 5, 0.5, 0.25))
    shares = BinNormalSampling().bin_shares()
    assert shares / shares.sum() == pytest.approx(expected / expected.sum(), abs=1e-8)


@pytest.mark.parametrize("std", [0.0, 1e-9, 1e-6])
@pytest.mark.parametrize(("mean", "own"), [(0.0, 0), (0.3, 1), (0.5, 2), (0.999, 3), (1.0, 3)])
def test_a_point_density_goes_into_its_own_bin(std: float, mean: float, own: int) -> None:
    method = BinSampling(n_bins=4, density=NormalDensity(mean=mean, std=std))
    shares = method.bin_shares() / method.bin_shares().sum()
    assert shares.argmax() == own
    assert shares[own] == pytest.approx(1)
    assert canonical(method)["revision"] == 2


def test_a_point_outside_all_bins_leaves_them_alike() -> None:
    method = BinSampling(edges=(0.5, 0.75, 1), density=NormalDensity(mean=0.2, std=0))
    assert np.ptp(method.bin_shares()) == 0
    assert "revision" not in canonical(BinSampling(n_bins=4))


def test_bin_shares_from_a_table() -> None:
    density = PiecewiseDensity(edges=(0, 0.5, 1), values=(1, 3))
    shares = BinSampling(edges=(0, 0.25, 0.5, 1), density=density).bin_shares()
    assert shares == pytest.approx([0.25, 0.25, 1.5], abs=1e-3)


def test_probability_takes_a_function_or_a_table() -> None:
    squares: SamplingMethod = TypeAdapter(Method).validate_python(
        {"kind": "probability", "density": "numpy:square"}
    )
    assert isinstance(squares, ProbabilitySampling)
    assert weights(squares, CONFIDENCE) == pytest.approx(CONFIDENCE**2)
    table = ProbabilitySampling(density=PiecewiseDensity(edges=(0.1, 0.5, 1), values=(2, 5)))
    assert weights(table, CONFIDENCE) == [0, 2, 2, 5, 5, 5, 5]
    bell = ProbabilitySampling(density=NormalDensity(mean=0.5, std=0.25))
    assert weights(bell, CONFIDENCE) == pytest.approx(weights(MidNormalSampling(), CONFIDENCE))


@pytest.mark.parametrize("function", ["negative", "sum", "reciprocal"])
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_wrong_density_is_an_input_error(function: str, pool_of: PoolOf) -> None:
    method: SamplingMethod = TypeAdapter(Method).validate_python(
        {"kind": "probability", "density": f"numpy:{function}"}
    )
    with pytest.raises(InputError, match=f"numpy:{function}: expected densities"):
        sent_by(method, pool_of({"a": [(0, 0.3)], "b": []}))


def test_statistics_are_per_class(pool_of: PoolOf) -> None:
    pool = pool_of(
        {"a": [(0, 0.1)], "b": [(0, 0.2)], "c": [(0, 0.3)], "d": [(1, 0.7)], "e": [(1, 0.9)]}
    )
    assert sent_by(MedianThreshSampling(), pool) == {"b", "c", "e"}
    assert sent_by(MedianThreshSampling(stratify=False), pool) == {"b", "c", "e"}
    assert sent_by(MedianBelowThreshSampling(), pool) == {"a", "d"}


def test_total_misses_are_for_methods_that_look_below(pool_of: PoolOf) -> None:
    pool = pool_of({"seen": [(0, 0.3), (1, 0.6)], "also": [(1, 0.9)], "missed": []})
    below: list[ConfidenceSampling] = [
        MedianBelowThreshSampling(),
        MidBelowThreshSampling(),
        RandomSampling(),
        TrueRandomSampling(),
        BinQuintileSampling(),
    ]
    above: list[ConfidenceSampling] = [
        MedianThreshSampling(),
        MidThreshSampling(),
        IqrSampling(),
    ]
    assert all("missed" in sent_by(method, pool) for method in below)
    assert not any("missed" in sent_by(method, pool) for method in above)
    assert not any(
        "missed" in sent_by(method.model_copy(update={"include_undetected": False}), pool)
        for method in below
    )


def test_undetected_images_are_judged_by_all_detections(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.2)], "b": [(1, 0.8)], "missed": []})
    selection = NormalSampling().select(pool, Bandwidth(images=3), rng=np.random.default_rng(0))
    weight = selection.table.set_index("image_id")["weight"]
    z = (0 - 0.5) / 0.3
    assert weight["missed"] == pytest.approx(np.exp(-(z**2) / 2))


def test_an_image_weighs_as_its_heaviest_detection(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.1), (0, 0.45), (0, 0.95)]})
    selection = MidNormalSampling().select(
        pool, Bandwidth(images=1), rng=np.random.default_rng(0)
    )
    assert selection.table["weight"].tolist() == pytest.approx([np.exp(-0.02)])
    assert selection.table["reason"].tolist() == ["class 0, confidence 0.45"]


def test_reasons(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(2, 0.314)], "b": []})

    def reasons(method: SamplingMethod) -> dict[str, str]:
        table = method.select(pool, Bandwidth(images=2), rng=np.random.default_rng(0)).table
        return dict(zip(table["image_id"], table["reason"], strict=True))

    assert reasons(RandomSampling()) == {"a": "class 2, confidence 0.31", "b": "undetected"}
    assert reasons(BinQuintileSampling()) == {"a": "bin [0.2, 0.4)", "b": "bin [0, 0.2)"}
    assert reasons(BinSampling(n_bins=1, stratify=True)) == {
        "a": "class 2, confidence 0.31, bin [0, 1]",
        "b": "undetected, bin [0, 1]",
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("no-such-method", "does not match any of the expected tags"),
        ("no_such_module:f", "was not found"),
        ("numpy:no_such_function", "has no 'no_such_function'"),
        ("numpy:pi", "expected a function or a class with select"),
        ({"kind": "true-random", "stratify": True}, "should be False"),
        ({"kind": "in-range", "low": 0.8, "high": 0.2}, "low must not exceed high"),
        ({"kind": "in-range", "low": -0.1, "high": 0.2}, "greater than or equal to 0"),
        ({"kind": "bin"}, "expected n_bins or edges"),
        ({"kind": "bin", "n_bins": 2, "edges": [0, 1]}, "expected n_bins or edges"),
        ({"kind": "bin", "n_bins": 10**12}, "less than or equal to 1000"),
        ({"kind": "bin", "edges": [0, 0.5, 0.5]}, "edges must ascend"),
        ({"kind": "bin", "n_bins": 2, "shares": [1]}, "expected 2 shares, got 1"),
        ({"kind": "bin", "n_bins": 1, "shares": [1], "density": "numpy:sqrt"}, "not both"),
        (
            {"kind": "probability", "density": {"edges": [0, 1], "values": [1, 2]}},
            "expected 1 values, got 2",
        ),
        (
            {"kind": "probability", "density": {"edges": [1, 0], "values": [1]}},
            "edges must ascend",
        ),
        ({"kind": "iqr", "threshold": 1}, "Extra inputs are not permitted"),
        ({"kind": "iqr", "label": "iqr2"}, "match pattern"),
    ],
)
def test_wrong_configs_are_refused(config: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Method).validate_python(config)
