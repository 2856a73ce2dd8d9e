"""What frames that chance drew say of all frames, by hand and over many draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backhaul.arrays import FloatArray
from backhaul.measure.explored import explored_rates, ratio
from backhaul.measure.matching import BENCHMARK_COLUMNS
from backhaul.values.arrivals import Arrivals
from backhaul.values.columns import names_of
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels


def images_of(n: int, unlabelled: tuple[int, ...] = ()) -> ImageSet:
    labels: list[Any] = [None if k in unlabelled else Labels.empty() for k in range(n)]
    columns: dict[str, Any] = dict.fromkeys(IMAGE_COLUMNS)
    columns |= {"image_id": [f"{k}" for k in range(n)], "uri": [f"/{k}.jpg" for k in range(n)]}
    columns |= {"width": [9] * n, "height": [9] * n, "size_bytes": [9] * n}
    columns |= {"labels": pd.Series(labels, dtype=object)}
    columns |= {name: pd.Series([None] * n, dtype=object) for name in ("group", "copy_of")}
    columns["label_source"] = pd.Series([None] * n, dtype=object)
    return ImageSet(pd.DataFrame(columns), ("a",))


def benchmark_of(*rows: tuple[str, str | None, str | None, float, bool | None]) -> pd.DataFrame:
    """Return a benchmark of rows with image, detected, actual, confidence and hit."""
    table = pd.DataFrame(rows, columns=["image_id", "detected", "actual", "conf", "hit"])
    return table.reindex(columns=list(BENCHMARK_COLUMNS)).astype({"hit": "boolean"})


def test_by_hand() -> None:
    """Image 0 stands for 10 frames, 1 for 2; 2 was not drawn, 3 has no labels."""
    seen = benchmark_of(
        ("0", "a", "a", 0.9, True),
        ("0", "a", None, 0.8, False),
        ("0", "a", None, 0.1, False),  # below the threshold
        ("1", None, "a", math.nan, False),
        ("1", "a", "a", 0.7, True),
        ("2", None, "a", math.nan, False),
        ("3", "a", None, 0.9, None),
    )
    arrivals = Arrivals(
        image_id=names_of("3210"),
        policy=names_of(["p"] * 4),
        why=names_of(["explored", "valued", "explored", "explored"]),
        probability=np.array([0.1, 0.1, 0.5, 0.1]),
        captured_s=np.zeros(4),
    )
    images = images_of(4, unlabelled=(3,))
    [row] = explored_rates(seen, images, arrivals, 0.5).to_dict("records")
    assert row["explored_images"] == 2
    assert row["explored_prec"] == pytest.approx((10 + 2) / (2 * 10 + 2))
    assert row["explored_recall"] == pytest.approx((10 + 2) / (10 + 2 * 2))
    rate, total = 12 / 14, 14.0
    errors = [10 * (1 - rate * 1), 2 * (1 - rate * 2)]
    deviation = math.sqrt(2 * sum(e**2 for e in errors)) / total
    assert row["explored_recall_half_width"] == pytest.approx(12.7062 * deviation, rel=1e-4)


def test_nothing_was_drawn() -> None:
    none = Arrivals(
        names_of("0"), names_of([""]), names_of([""]), np.full(1, np.nan), np.full(1, np.nan)
    )
    [row] = explored_rates(benchmark_of(), images_of(1), none, 0.5).to_dict("records")
    assert row["explored_images"] == 0
    assert math.isnan(row["explored_recall"])


def test_it_estimates_the_rate_of_all_frames() -> None:
    """Frames are drawn with unequal probabilities, on which the rate depends."""
    rng = np.random.default_rng(0)
    n, repetitions = 2_000, 300
    probability = rng.choice([0.05, 0.3], n)
    whole = rng.poisson(2, n).astype(float)
    part = rng.binomial(whole.astype(int), np.where(probability > 0.1, 0.9, 0.3)).astype(float)
    truth = part.sum() / whole.sum()
    found = np.array([_one(rng, probability, part, whole) for _ in range(repetitions)])
    covered = np.abs(found[:, 0] - truth) <= found[:, 1]
    assert found[:, 0].mean() == pytest.approx(truth, abs=0.01)
    assert covered.mean() == pytest.approx(0.95, abs=0.05)


def _one(
    rng: np.random.Generator, probability: FloatArray, part: FloatArray, whole: FloatArray
) -> tuple[float, float]:
    drawn = rng.random(len(probability)) < probability
    return ratio(1 / probability[drawn], part[drawn], whole[drawn])
