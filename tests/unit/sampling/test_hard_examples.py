"""Filters against Sedna's and Roboflow's rules on published and hand-made cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.sampling import HardExampleSampling
from backhaul.sampling.hardexamples import Filter, HardExampleFilter, Objects, certainty
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool

PoolOf = Callable[..., Pool]
THREE = {"a": [(0, 0.9), (0, 0.4), (1, 0.3)]}


def hard(pool: Pool, name: str, **given: Any) -> list[bool]:
    adapter = TypeAdapter[Filter](HardExampleFilter)
    image = np.array([pool.image_id.index(i) for i in pool.detections.image_id], dtype=np.int64)
    objects = Objects(pool.detections, image, len(pool))
    judged = adapter.validate_python({"kind": name, **given})
    return list(judged.hard(objects, np.random.default_rng(0)))


def test_vectors_of_sedna(pool_of: PoolOf) -> None:
    pool = pool_of(THREE)
    assert hard(pool, "threshold", threshold=0.5) == [False]
    assert hard(pool, "threshold", threshold=0.6) == [True]
    assert hard(pool, "ibt", threshold_img=0.5, threshold_box=0.5) == [True]
    assert hard(pool, "ibt", threshold_img=0.2, threshold_box=0.5) == [False]
    scores = np.array([[0.7, 0.2, 0.1], [0.98, 0.01, 0.01]])
    assert certainty(scores).tolist() == pytest.approx([0.2702, 0.8981], abs=5e-5)


def test_what_sedna_has_no_value_for() -> None:
    assert certainty(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]])).tolist() == [1, 0, 0]
    of_one_class = certainty(np.array([[0.5], [1.0], [0.0]]))
    assert of_one_class.tolist() == [0, 1, 1]


def test_doubt_about_one_object_makes_an_image_hard(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.9), (0, 0.4)], "b": [(0, 0.9)], "c": []})
    scores = np.array([[0.9, 0.0], [0.4, 0.3], [0.9, 0.05]])
    known = Pool(pool.offers, replace(pool.detections, scores=scores))
    assert hard(known, "cross-entropy", threshold=0.5) == [True, False, True]
    assert hard(known, "cross-entropy", threshold=0.9) == [True, True, True]
    with pytest.raises(InputError, match=r"^hard-cross-entropy: needs scores"):
        HardExampleSampling(filter="cross-entropy").select(
            pool, Bandwidth(images=1), rng=np.random.default_rng(0)
        )


@pytest.mark.parametrize("name", ["threshold", "ibt"])
def test_nothing_seen_is_hard_unless_asked_for_as_in_sedna(name: str, pool_of: PoolOf) -> None:
    pool = pool_of({"a": [], "b": [(0, 0.9)]})
    assert hard(pool, name) == [True, False]
    assert hard(pool, name, undetected="easy") == [False, False]
    assert hard(pool_of({"a": []}), name) == [True]


def test_the_ends(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [], "b": [(0, 0.9)]})
    assert hard(pool, "cloud-only") == [True, True]
    assert hard(pool, "edge-only") == [False, False]
    assert hard(pool, "random", ratio=1.0) == [True, True]
    assert hard(pool, "random", ratio=0.0) == [False, False]
    many = pool_of({f"{i}": [] for i in range(1000)})
    assert sum(hard(many, "random")) / 1000 == pytest.approx(0.3, abs=0.06)


def test_rules_of_roboflow(pool_of: PoolOf) -> None:
    pool = pool_of(THREE | {"b": [(1, 0.75)], "c": []})
    near: dict[str, Any] = {"threshold": 0.5, "epsilon": 0.25}  # .75 is not nearer than that
    assert hard(pool, "close-to-threshold", **near) == [True, False, False]
    assert hard(pool, "close-to-threshold", **near, at_least=3) == [False, False, False]
    assert hard(pool, "close-to-threshold", **near, at_least=2, class_ids=[0]) == [False] * 3
    assert hard(pool, "of-class", class_ids=[0, 7]) == [True, False, False]
    assert hard(pool, "count", more_than=1) == [True, False, False]
    assert hard(pool, "count", less_than=1) == [False, False, True]
    assert hard(pool, "count", more_than=0, less_than=2, class_ids=[1]) == [True, True, False]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kind": "count"}, "expected more_than, less_than, or both"),
        ({"kind": "count", "more_than": 2, "less_than": 3}, "more than 2 and less than 3"),
        ({"kind": "of-class", "class_ids": []}, "at least 1 item"),
        ("cloudy", "cloud-only"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(given: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        HardExampleSampling(filter=given)


def test_hard_ones_go_first_and_others_only_if_asked(pool_of: PoolOf) -> None:
    pool = pool_of({f"hard{i}": [(0, 0.2)] for i in range(4)} | {"easy": [(0, 0.9)]})
    orders = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        filled = HardExampleSampling.model_validate({"filter": "threshold", "fill": True})
        sent = filled.select(pool, Bandwidth(images=9), rng=rng)
        assert (sent.image_id[-1], sent.reason[-1]) == ("easy", "filled what was left")
        assert set(sent.reason[:-1]) == {"hard by threshold"}
        orders.add(tuple(sent.image_id))
    assert len(orders) > 10
    alone = HardExampleSampling.model_validate({"filter": "threshold"})
    sent = alone.select(pool, Bandwidth(images=9), rng=np.random.default_rng(0))
    assert len(sent) == 4
    assert alone.label == "hard-threshold"
