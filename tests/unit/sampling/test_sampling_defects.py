"""Defects 1 to 10 of the earlier tool cannot come back."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, pairwise

import numpy as np
import pytest

from backhaul.randomness import generator
from backhaul.sampling import (
    BinQuintileSampling,
    InRangeSampling,
    IqrSampling,
    MedianBelowThreshSampling,
    MedianThreshSampling,
    MidNormalSampling,
    NormalSampling,
    ProbabilitySampling,
    RandomSampling,
    SamplingMethod,
)
from backhaul.sampling.density import PiecewiseDensity
from backhaul.values.arrivals import Arrivals
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import DETECTION_COLUMNS, FUSED_COLUMNS, FusedDetections
from backhaul.values.features import Features
from backhaul.values.offers import Offers, Pool, SentBefore
from backhaul.values.validation import Validation

PoolOf = Callable[..., Pool]


def sent_by(method: SamplingMethod, pool: Pool, images: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return list(method.select(pool, Bandwidth(images=images), rng=rng).table["image_id"])


def pool_in_bins(pool_of: PoolOf, counts: Sequence[int]) -> Pool:
    return pool_of(
        {f"bin{b}-{i}": [(0, 0.1 + 0.2 * b)] for b, n in enumerate(counts) for i in range(n)}
    )


def test_defect_01_intervals_do_not_share_their_edge(pool_of: PoolOf) -> None:
    pool = pool_of({f"i{i}": [(0, i / 10)] for i in range(11)})
    above = sent_by(MedianThreshSampling(), pool, 99)
    below = sent_by(MedianBelowThreshSampling(), pool, 99)
    assert sorted(above + below) == sorted(pool.image_id)
    edges = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    parts = [
        sent_by(InRangeSampling(low=low, high=high), pool, 99) for low, high in pairwise(edges)
    ]
    assert Counter(chain.from_iterable(parts)) == Counter(pool.image_id)


@pytest.mark.timeout(20)
def test_defect_02_asking_for_more_than_can_be_drawn_ends(pool_of: PoolOf) -> None:
    confidence = np.random.default_rng(0).beta(5, 1, 1000).tolist()
    pool = pool_of({f"i{i}": [(i % 3, c)] for i, c in enumerate(confidence)})
    assert len(sent_by(NormalSampling(), pool, 5000)) == 1000
    assert len(sent_by(MidNormalSampling(), pool, 5000)) == 1000
    nowhere = ProbabilitySampling(density=PiecewiseDensity(edges=(0, 1), values=(0,)))
    assert sent_by(nowhere, pool, 10) == []
    half = ProbabilitySampling(density=PiecewiseDensity(edges=(0, 0.5, 1), values=(0, 1)))
    assert len(sent_by(half, pool, 5000)) == sum(c >= 0.5 for c in confidence)


def test_defect_03_a_density_is_a_weight_not_a_probability(pool_of: PoolOf) -> None:
    pool = pool_of({f"i{i:02d}": [(0, 0.1 if i < 10 else 0.9)] for i in range(20)})
    drawn = {
        scale: [
            sent_by(
                ProbabilitySampling(
                    density=PiecewiseDensity(edges=(0, 0.5, 1), values=(scale, 3 * scale))
                ),
                pool,
                1,
                seed,
            )
            for seed in range(300)
        ]
        for scale in (0.01, 100.0)
    }
    assert drawn[0.01] == drawn[100.0]
    low = sum(image_id < "i10" for (image_id,) in drawn[100.0])
    assert 45 < low < 105  # a quarter of 300, though both densities are above 1


def test_defect_04_the_hash_seed_does_not_matter() -> None:
    code = """
import numpy as np, pandas as pd
from backhaul.sampling import RandomSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FUSED_COLUMNS, FusedDetections
from backhaul.values.offers import Offers, Pool
names = tuple({f"img-{i}" for i in range(40)})
rows = [(n, int(n[4:]) % 3, int(n[4:]) / 40, 0.0, 1, 0.0, 0.0, 9.0, 9.0) for n in names]
table = pd.DataFrame(rows, columns=list(FUSED_COLUMNS))
pool = Pool(Offers.originals(names, np.full(40, 7)), FusedDetections.from_table(table))
sent = RandomSampling().select(pool, Bandwidth(images=9), rng=np.random.default_rng(5))
print(list(sent.table["image_id"]))
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_defect_05_randomness_is_the_callers_and_differs_by_method_and_batch(
    pool_of: PoolOf,
) -> None:
    pool = pool_of({f"i{i:03d}": [(0, 0.5)] for i in range(200)})

    def sent(*path: str | int) -> tuple[str, ...]:
        rng = generator(7, "sampling", *path)
        return tuple(
            RandomSampling().select(pool, Bandwidth(images=20), rng=rng).table.image_id
        )

    before = str(np.random.get_state(legacy=False))  # noqa: NPY002
    drawn = [sent("random", 0), sent("random", 1), sent("iqr", 0)]
    assert str(np.random.get_state(legacy=False)) == before  # noqa: NPY002
    assert len(set(drawn)) == 3
    assert drawn[0] == sent("random", 0)


def test_defect_06_an_image_is_sent_once(pool_of: PoolOf) -> None:
    pool = pool_of({f"i{i}": [(c, 0.1 * c) for c in range(8)] for i in range(10)})
    for method in (RandomSampling(), BinQuintileSampling(), NormalSampling()):
        sent = sent_by(method, pool, 10)
        assert sorted(sent) == sorted(pool.image_id)


@pytest.mark.parametrize("seed", range(5))
def test_defect_07_no_bandwidth_is_left_unused(pool_of: PoolOf, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = {
        f"i{i}": [(int(c), float(rng.random())) for c in rng.choice(5, rng.integers(1, 5))]
        for i in range(100)
    }
    for method in (RandomSampling(), IqrSampling(), NormalSampling(), BinQuintileSampling()):
        assert len(sent_by(method, pool_of(seen), 35, seed)) == 35


@pytest.mark.parametrize("seed", range(5))
def test_defect_08_bins_divide_the_bandwidth(pool_of: PoolOf, seed: int) -> None:
    pool = pool_in_bins(pool_of, (700, 100, 100, 50, 50))
    sent = sent_by(BinQuintileSampling(), pool, 150, seed)
    assert Counter(image_id[:4] for image_id in sent) == {f"bin{b}": 30 for b in range(5)}


def test_defect_08_a_bin_hands_on_what_it_cannot_use(pool_of: PoolOf) -> None:
    pool = pool_in_bins(pool_of, (700, 100, 100, 10, 0))
    sent = sent_by(BinQuintileSampling(), pool, 160)
    assert Counter(image_id[:4] for image_id in sent) == {
        "bin0": 50,
        "bin1": 50,
        "bin2": 50,
        "bin3": 10,
    }


def test_defect_09_empty_and_single_classes_are_no_error(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.5)], "b": [(7, 0.9)], "c": []})
    for method in (IqrSampling(), NormalSampling(), MedianThreshSampling()):
        assert {"a", "b"} <= set(sent_by(method, pool, 3))
        assert sent_by(method, pool_of({}), 3) == []


def test_defect_10_ground_truth_cannot_enter_a_pool() -> None:
    of_the_batch = {"offers", "detections", "sent_before", "arrivals"}
    of_no_image = {"validation", "nearness"}
    assert set(Pool.__dataclass_fields__) == of_the_batch | of_no_image
    assert not {"image_id", "uri"} & {*Validation.__dataclass_fields__}
    for parts in (Offers, FusedDetections, SentBefore, Features, Arrivals):
        assert not {"labels", "label_source", "actual", "table"} & {*parts.__dataclass_fields__}
    for columns in (FUSED_COLUMNS, DETECTION_COLUMNS):
        assert not {"labels", "label_source", "actual"} & set(columns)
