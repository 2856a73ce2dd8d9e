"""What every sampling method promises. A new method joins by one line in METHODS."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from backhaul.sampling import Method, NoNewData, SamplingMethod
from backhaul.values.arrivals import Arrivals
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import VECTORS, FusedDetections
from backhaul.values.features import Features
from backhaul.values.offers import Nearness, Offers, Pool, SentBefore
from backhaul.values.selections import SELECTION_COLUMNS, Selection
from backhaul.values.validation import Validation

LISTS = Path(__file__).parent / "lists"
METHODS = [
    "random",
    "true-random",
    "median-thresh",
    "median-below-thresh",
    "mid-thresh",
    "mid-below-thresh",
    "iqr",
    "normal",
    "mid-normal",
    "bin-quintile",
    "bin-normal",
    "no-new-data",
    "backhaul.sampling:IqrSampling",
    {"kind": "listed", "folder": str(LISTS), "of": "old"},
    {"kind": "listed", "folder": str(LISTS), "of": "old", "stratify": True},
    {"kind": "user", "code": "backhaul.sampling:NormalSampling", "stratify": True},
    {"kind": "random", "stratify": False},
    {"kind": "random", "include_undetected": False},
    {"kind": "normal", "stratify": False},
    {"kind": "in-range", "low": 0.2, "high": 0.7},
    {"kind": "in-range", "low": 0.0, "high": 0.0, "stratify": False},
    {"kind": "probability", "density": "numpy:square"},
    {"kind": "probability", "density": "numpy:zeros_like"},
    {"kind": "probability", "density": {"edges": [0.1, 0.5, 1], "values": [0, 2]}},
    {"kind": "probability", "density": {"mean": 0.3, "std": 0.0}, "stratify": False},
    {"kind": "bin-quintile", "stratify": True},
    {"kind": "bin", "edges": [0.1, 0.3, 0.9], "shares": [0.9, 0.1]},
    {"kind": "bin", "n_bins": 3, "shares": [0, 1, 1e-320]},
    {"kind": "bin", "n_bins": 4, "density": "numpy:sqrt", "stratify": True},
    {"kind": "random", "gamma": 1.0},
    {"kind": "bin-normal", "gamma": 0.5},
    "entropy",
    {"kind": "utility", "utility": "margin", "gamma": 0.5, "noise": 0.3},
    {"kind": "utility", "utility": "bald", "aggregate": "top", "undetected": "highest"},
    {"kind": "utility", "utility": "localisation-spread", "aggregate": "mean", "noise": 1.0},
    {"kind": "utility", "utility": "count-disagreement", "gamma": 1.0},
    {"kind": "hard-example", "filter": {"kind": "threshold", "threshold": 0.6}, "fill": True},
    {"kind": "hard-example", "filter": {"kind": "ibt", "undetected": "easy"}, "gamma": 0.5},
    {"kind": "hard-example", "filter": "cross-entropy"},
    {"kind": "hard-example", "filter": "random"},
    {"kind": "hard-example", "filter": {"kind": "random", "ratio": 0.5}, "fill": True},
    {"kind": "hard-example", "filter": "cloud-only"},
    {"kind": "hard-example", "filter": "edge-only"},
    {"kind": "hard-example", "filter": {"kind": "close-to-threshold", "class_ids": [0, 1]}},
    {"kind": "hard-example", "filter": {"kind": "of-class", "class_ids": [3]}, "fill": True},
    {"kind": "hard-example", "filter": {"kind": "count", "more_than": 0, "less_than": 3}},
    "rare-first",
    {"kind": "every-nth", "n": 1},
    {"kind": "every-nth", "n": 3},
    "k-center",
    {"kind": "k-center", "space": "features", "suppress": True, "near": 1.0},
    "typicality",
    {"kind": "typicality", "space": "features", "least_cluster": 3},
    "diverse",
    {"kind": "diverse", "space": "features", "near": 1.0, "candidates": 1, "noise": 0},
    {"kind": "diverse", "utility": "bald", "suppress": False, "explore": 0},
    {"kind": "diverse", "near": "auto"},
    {"kind": "k-center", "space": "features", "suppress": True, "near": "auto"},
    "d-sbad",
    {"kind": "d-sbad", "space": "features", "suppress": True, "most_empty": 0.5},
    "ppal",
    {"kind": "ppal", "include_undetected": False, "space": "descriptors", "gamma": 0.5},
    {"kind": "ppal", "utility": "bald", "aggregate": "max", "candidates": 1, "noise": 0.3},
    "calibrated-confidence",
    {"kind": "utility", "utility": "calibrated-confidence", "calibration": "isotonic"},
    "auto",
    "arrived",
    {"kind": "arrived", "policy": "a", "equal": False},
    {"kind": "auto", "redundant": 0, "uneven": 1, "near": 1.0},
    *(
        {"kind": kind, "stratify": stratify}
        for kind in ("median-thresh", "mid-below-thresh", "iqr", "mid-normal", "bin-normal")
        for stratify in (True, False)
    ),
]

ADAPTER = TypeAdapter[SamplingMethod](Method)
"""Made once: that takes longer than what a method does with a pool of these."""

N_CLASSES = 4
CLASS_IDS = st.integers(0, N_CLASSES - 1)
CONFIDENCES = st.floats(0, 1) | st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 1.0])


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    n = draw(st.integers(0, 15))
    image_id = tuple(f"img-{i:02d}" for i in draw(st.permutations(range(n))))
    sizes = draw(st.lists(st.integers(1, 100), min_size=n, max_size=n))
    seen = draw(
        st.lists(
            st.tuples(st.sampled_from(image_id), st.integers(0, N_CLASSES - 1), CONFIDENCES),
            max_size=30,
        )
        if n
        else st.just([])
    )
    files = tuple(f"/data/images/{name}.png" for name in image_id)
    before = tuple(f"old-{i}" for i in range(draw(st.integers(0, 3))))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    vectors: Any = {name: _vectors_of(image_id, rng) for name in VECTORS}
    known = {name: _vectors_of(before, rng) if before else None for name in VECTORS}
    return Pool(
        Offers.originals(image_id, np.array(sizes, dtype=np.int64), files),
        replace(_detections(seen), **vectors),
        SentBefore(before, **known),
        _validation_of(draw(st.integers(0, 12)), rng),
        Nearness(draw(st.sampled_from([0.0, 1.0])), draw(st.sampled_from([0.0, 0.5]))),
        _arrivals_of(image_id, rng),
    )


def _detections(seen: list[tuple[str, int, float]]) -> FusedDetections:
    """Return detections with all that a method may need; of some the overlap is not known."""
    n = len(seen)
    confidence = np.array([c for *_, c in seen], dtype=np.float64)
    scores = np.tile(1 - confidence[:, None], N_CLASSES) / 2
    class_id = np.array([k for _, k, _ in seen], dtype=np.int64)
    scores[np.arange(n), class_id] = confidence
    return FusedDetections(
        image_id=names_of(name for name, *_ in seen),
        class_id=class_id,
        confidence=confidence,
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        xyxy=np.zeros((n, 4)),
        box_spread=np.zeros(n),
        scores=scores,
        mutual_information=confidence**2,
        pairwise_iou=np.where(class_id == 0, np.nan, confidence),
        vote_fraction=1 - confidence / 2,
    )


def _vectors_of(image_id: tuple[str, ...], rng: np.random.Generator) -> Features:
    """Return vectors on a small grid, equal ones among them, in no order."""
    values = rng.integers(0, 4, (len(image_id), 2)).astype(np.float32)
    return Features(names_of(rng.permutation(list(image_id))), values)


def _arrivals_of(image_id: tuple[str, ...], rng: np.random.Generator) -> Arrivals:
    """Return how nodes chose images, in no order; of some they did not say."""
    n = len(image_id)
    return Arrivals(
        image_id=names_of(rng.permutation(list(image_id))),
        policy=names_of(rng.choice(["", "a", "b"], n)),
        why=names_of(rng.choice(["", "valued", "explored"], n)),
        probability=rng.choice([np.nan, 0.0, 0.1], n),
        captured_s=rng.choice([np.nan, 1.0, 2.0], n),
    )


def _validation_of(n: int, rng: np.random.Generator) -> Validation:
    """Return objects that were detected rightly, wrongly, and not at all, among others none."""
    rows = rng.integers(-1, N_CLASSES, (n, 2))
    detected, actual = rows[(rows >= 0).any(axis=1)].T
    both = (detected >= 0) & (actual >= 0)
    return Validation(
        detected=detected,
        actual=actual,
        confidence=np.where(detected >= 0, rng.random(len(actual)).round(1), 0),
        iou=np.where(both, rng.random(len(actual)), 0),
    )


LIMITS = st.none() | st.integers(0, 20)
BANDWIDTHS = st.builds(
    lambda images, size: Bandwidth(images=20 if images is size is None else images, bytes=size),
    LIMITS,
    st.none() | st.integers(0, 900),
)


def _shuffled(pool: Pool) -> Pool:
    order = np.random.default_rng(0).permutation(len(pool))
    rows = np.random.default_rng(1).permutation(len(pool.detections))
    names = tuple(pool.image_id[i] for i in order)
    files = tuple(pool.files[i] for i in order)
    vectors: Any = {
        name: Features(known.image_id[::-1], known.vectors[::-1])
        for name, known in pool.detections.vectors().items()
    }
    offers = Offers.originals(names, pool.size_bytes[order], files)
    detections = replace(pool.detections.take(rows), **vectors)
    return replace(pool, offers=offers, detections=detections)


def _select(method: SamplingMethod, pool: Pool, bandwidth: Bandwidth, seed: int) -> Selection:
    return method.select(pool, bandwidth, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("given_as", METHODS, ids=str)
@settings(max_examples=25, deadline=None)
@given(pool=pools(), bandwidth=BANDWIDTHS, seed=st.integers(0, 2**32 - 1))
def test_contract(given_as: object, pool: Pool, bandwidth: Bandwidth, seed: int) -> None:
    method = ADAPTER.validate_python(given_as)
    size = dict(zip(pool.image_id, pool.size_bytes.tolist(), strict=True))

    sent = _select(method, pool, bandwidth, seed)
    everything = Bandwidth(images=len(pool))
    eligible = set(_select(method, pool, everything, seed).image_id)

    n_bytes = int(sent.size_bytes.sum())
    images_left = np.inf if bandwidth.images is None else bandwidth.images - len(sent)
    bytes_left = np.inf if bandwidth.bytes is None else bandwidth.bytes - n_bytes
    assert set(sent.image_id) <= eligible
    assert sent.size_bytes.tolist() == [size[i] for i in sent.image_id]
    assert (sent.weight > 0).all()
    assert np.isfinite(sent.weight).all()
    assert (sent.method == method.label).all()
    assert all(sent.reason)
    assert images_left >= 0
    assert bytes_left >= 0
    left_out = eligible - set(sent.image_id)
    assert images_left == 0 or all(size[i] > bytes_left for i in left_out)
    if not getattr(method, "include_undetected", True):
        assert set(sent.image_id) <= set(pool.detections.image_id)

    again = _select(method, _shuffled(pool), bandwidth, seed)
    assert _columns(again) == _columns(sent)
    nothing = _select(method, pool, Bandwidth(images=0), 0)
    assert _types(nothing) == _types(sent)


def _columns(selection: Selection) -> dict[str, list[object]]:
    return {name: getattr(selection, name).tolist() for name in SELECTION_COLUMNS}


def _types(selection: Selection) -> dict[str, object]:
    return {name: getattr(selection, name).dtype for name in SELECTION_COLUMNS}


@pytest.mark.parametrize("given_as", METHODS, ids=str)
def test_config_survives_a_round_trip(given_as: object) -> None:
    method = ADAPTER.validate_python(given_as)
    assert ADAPTER.validate_json(method.model_dump_json()) == method


def test_only_the_control_arm_retrains_without_new_data() -> None:
    methods = [ADAPTER.validate_python(given_as) for given_as in METHODS]
    control = {type(method) for method in methods if method.retrains_without_new}
    assert control == {NoNewData}
