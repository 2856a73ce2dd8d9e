"""How the bandwidth is spent: weighted draws, shares, what is handed on, what is filled."""

from collections import Counter
from collections.abc import Callable
from itertools import permutations
from time import process_time

import numpy as np
import pytest
from scipy.stats import chisquare

from backhaul.sampling import (
    BinQuintileSampling,
    BinSampling,
    MidBelowThreshSampling,
    RandomSampling,
    SamplingMethod,
    TrueRandomSampling,
)
from backhaul.sampling.spending import Candidates, Strata, spend
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection

PoolOf = Callable[..., Pool]


def limits(images: float = np.inf, n_bytes: float = np.inf) -> np.ndarray:
    return np.array([images, n_bytes], dtype=np.float64)


def candidates(
    weight: list[float], size_bytes: list[int] | None = None, *levels: Strata
) -> Candidates:
    n = len(weight)
    sizes = np.array(size_bytes or [1] * n, dtype=np.int64)
    return Candidates(np.arange(n), sizes, np.array(weight, dtype=np.float64), levels)


def select(method: SamplingMethod, pool: Pool, seed: int = 0, **limit: int) -> Selection:
    return method.select(pool, Bandwidth(**limit), rng=np.random.default_rng(seed))


def by_reason(selection: Selection) -> Counter[str]:
    return Counter(reason.split(",")[0] for reason in selection.table["reason"])


def test_draws_are_those_of_successive_sampling() -> None:
    """Reference: the probability of each ordered draw, written out."""
    weight = [1.0, 2.0, 3.0, 6.0]
    pairs = list(permutations(range(4), 2))
    expected = [
        weight[i] / sum(weight) * weight[j] / (sum(weight) - weight[i]) for i, j in pairs
    ]
    rng = np.random.default_rng(1)
    n = 6000
    drawn = Counter(
        tuple(spend(candidates(weight), limits(2), rng=rng).rows.tolist()) for _ in range(n)
    )
    observed = [drawn[pair] for pair in pairs]
    assert chisquare(observed, np.array(expected) * n).pvalue > 0.001


def test_draws_agree_with_numpy() -> None:
    weight = np.random.default_rng(0).random(8)
    ours, theirs = np.random.default_rng(2), np.random.default_rng(3)
    n = 4000
    mine, reference = np.zeros(8), np.zeros(8)
    for _ in range(n):
        mine[spend(candidates(weight.tolist()), limits(3), rng=ours).rows] += 1
        reference[theirs.choice(8, 3, replace=False, p=weight / weight.sum())] += 1
    assert mine / n == pytest.approx(reference / n, abs=5 * np.sqrt(0.5 / n))


def test_extreme_weights_neither_over_nor_underflow() -> None:
    rows = spend(candidates([5e-324, 1e308, 1.0]), limits(3), rng=np.random.default_rng(0)).rows
    assert rows.tolist() == [1, 2, 0]


def test_shares_are_equal_on_average_whatever_the_rounding() -> None:
    level = Strata(np.arange(60) % 3, np.ones(3), np.full(3, np.inf))
    rng = np.random.default_rng(0)
    counts = np.array(
        [
            np.bincount(
                spend(candidates([1.0] * 60, None, level), limits(10), rng=rng).rows % 3
            )
            for _ in range(1500)
        ]
    )
    assert np.all(counts.sum(axis=1) == 10)
    assert set(counts.ravel().tolist()) == {3, 4}
    assert counts.mean(axis=0) == pytest.approx([10 / 3] * 3, abs=0.06)


def test_byte_shares_do_not_favour_small_files() -> None:
    """One class of large and one of small files: each gets half of the bytes, not of images."""
    sizes = np.repeat([90, 10], [100, 1000])
    level = Strata((sizes == 10).astype(np.int64), np.ones(2), np.full(2, np.inf))
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = spend(
            candidates([1.0] * 1100, sizes.tolist(), level), limits(n_bytes=9000), rng=rng
        ).rows
        assert sizes[rows].sum() == 9000
        assert sizes[rows[sizes[rows] == 90]].sum() == pytest.approx(4500, abs=90)


def test_an_image_larger_than_the_bandwidth_blocks_nobody() -> None:
    draws = spend(
        candidates([1e9, 1.0, 1.0], [1000, 10, 10]),
        limits(n_bytes=20),
        rng=np.random.default_rng(0),
    )
    assert sorted(draws.rows.tolist()) == [1, 2]


def test_what_a_class_cannot_use_is_handed_on(pool_of: PoolOf) -> None:
    seen = {f"rare{i}": [(0, 0.5)] for i in range(2)}
    seen |= {f"some{i}": [(1, 0.5)] for i in range(10)}
    seen |= {f"many{i}": [(2, 0.5)] for i in range(88)}
    selection = select(RandomSampling(), pool_of(seen), images=30)
    assert by_reason(selection) == {"class 0": 2, "class 1": 10, "class 2": 18}


def test_what_a_bin_cannot_use_is_handed_on_by_shares(pool_of: PoolOf) -> None:
    seen = {f"{c}-{i}": [(0, c)] for c, n in ((0.1, 3), (0.5, 99), (0.9, 99)) for i in range(n)}
    method = BinSampling(n_bins=3, shares=(7, 2, 1))
    selection = select(method, pool_of(seen), images=33)
    assert by_reason(selection) == {"bin [0": 3, "bin [0.333": 20, "bin [0.667": 10}


def test_the_bin_that_is_shortest_for_its_share_comes_first(pool_of: PoolOf) -> None:
    seen = {
        f"{c}-{i}": [(0, c)] for c, n in ((0.1, 20), (0.5, 10), (0.9, 100)) for i in range(n)
    }
    method = BinSampling(n_bins=3, shares=(8, 1, 1))
    selection = select(method, pool_of(seen), images=40)
    assert by_reason(selection) == {"bin [0": 20, "bin [0.333": 10, "bin [0.667": 10}


def test_bins_hold_within_each_class_if_stratified(pool_of: PoolOf) -> None:
    seen = {
        f"{class_id}-{c}-{i}": [(class_id, c)]
        for class_id, n in ((0, 500), (1, 50))
        for c in (0.1, 0.9)
        for i in range(n)
    }
    method = BinSampling(n_bins=2, shares=(3, 1), stratify=True)
    rows = select(method, pool_of(seen), images=80).table["image_id"].str[:5]
    assert Counter(rows) == {"0-0.1": 30, "0-0.9": 10, "1-0.1": 30, "1-0.9": 10}


def test_the_share_of_undetected_images_is_capped(pool_of: PoolOf) -> None:
    seen: dict[str, list[tuple[int, float]]] = {f"missed{i}": [] for i in range(10)}
    seen |= {f"a{i}": [(0, 0.5)] for i in range(45)}
    seen |= {f"b{i}": [(1, 0.5)] for i in range(45)}
    drawn = by_reason(select(RandomSampling(), pool_of(seen), images=30))
    assert drawn["undetected"] == 3
    assert {drawn["class 0"], drawn["class 1"]} <= {13, 14}


def test_undetected_images_fill_what_nobody_else_can_use(pool_of: PoolOf) -> None:
    seen: dict[str, list[tuple[int, float]]] = {f"missed{i}": [] for i in range(10)}
    seen |= {f"sure{i}": [(0, 0.9)] for i in range(89)} | {"doubtful": [(0, 0.3)]}
    drawn = by_reason(select(MidBelowThreshSampling(), pool_of(seen), images=20))
    assert drawn == {"class 0": 1, "undetected": 2, "filled what was left": 8}


def test_a_pool_without_any_detection_is_sampled(pool_of: PoolOf) -> None:
    pool = pool_of({f"missed{i}": [] for i in range(5)})
    assert len(select(RandomSampling(), pool, images=3)) == 3
    assert len(select(MidBelowThreshSampling(), pool, images=3)) == 3
    assert len(select(RandomSampling(include_undetected=False), pool, images=3)) == 0


def test_images_and_bytes_hold_at_once(pool_of: PoolOf) -> None:
    pool = pool_of({f"i{i:02d}": [(i % 3, 0.5)] for i in range(40)}, list(range(1, 41)))
    table = select(RandomSampling(), pool, images=5, bytes=60).table
    assert len(table) <= 5
    assert table["size_bytes"].sum() <= 60


def test_true_random_is_uniform_over_images(pool_of: PoolOf) -> None:
    seen = {"crowded": [(c, 0.5) for c in range(9)], "single": [(0, 0.1)], "missed": []}
    pool = pool_of(seen)
    rng = np.random.default_rng(0)
    method = TrueRandomSampling()
    drawn = Counter(
        method.select(pool, Bandwidth(images=1), rng=rng).table["image_id"].iloc[0]
        for _ in range(900)
    )
    assert chisquare([drawn[name] for name in seen]).pvalue > 0.001


def test_an_image_counts_for_the_class_that_drew_it(pool_of: PoolOf) -> None:
    pool = pool_of({f"both{i}": [(0, 0.2), (1, 0.8)] for i in range(20)})
    drawn = by_reason(select(RandomSampling(), pool, images=10))
    assert drawn == {"class 0": 5, "class 1": 5}


def test_a_hundred_thousand_detections_take_a_moment(pool_of: PoolOf) -> None:
    rng = np.random.default_rng(0)
    seen = {f"i{i}": list(enumerate(rng.random(10).tolist())) for i in range(10_000)}
    pool = pool_of(seen, rng.integers(1, 10**6, len(seen)).tolist())
    start = process_time()
    select(RandomSampling(), pool, images=5000, bytes=10**9)
    BinQuintileSampling().select(pool, Bandwidth(images=5000), rng=rng)
    assert process_time() - start < 2
