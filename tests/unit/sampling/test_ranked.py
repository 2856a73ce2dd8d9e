"""What the order by utility promises beyond the contract of all methods."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.sampling import Method, SamplingMethod, TrueRandomSampling, UtilitySampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool

PoolOf = Callable[..., Pool]


def sent(method: SamplingMethod, pool: Pool, images: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return list(method.select(pool, Bandwidth(images=images), rng=rng).image_id)


def least_confident(**given: Any) -> UtilitySampling:
    return UtilitySampling(utility="least-confidence", **given)


def test_the_greatest_come_first_and_say_why(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.9)], "b": [(0, 0.4), (1, 0.95)], "c": [(0, 0.6)], "d": []})
    chosen = (
        least_confident().select(pool, Bandwidth(images=4), rng=np.random.default_rng(0)).table
    )
    assert chosen["image_id"].tolist() == ["b", "c", "a", "d"]
    assert chosen["reason"].tolist() == [
        "least-confidence 0.6",
        "least-confidence 0.4",
        "least-confidence 0.1",
        "no value",
    ]
    assert sent(least_confident(aggregate="mean"), pool, 4) == ["c", "b", "a", "d"]


def test_images_without_detections_may_count_as_hardest(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.9)], "b": [(0, 0.4)], "d": []})
    firsts = {
        sent(least_confident(undetected="highest"), pool, 1, seed)[0] for seed in range(9)
    }
    assert firsts == {"b", "d"}


def test_ties_are_broken_by_chance(pool_of: PoolOf) -> None:
    pool = pool_of({name: [(0, 0.5)] for name in "abcd"})
    firsts = {sent(least_confident(), pool, 1, seed)[0] for seed in range(40)}
    assert firsts == set("abcd")


def test_noise_one_is_the_draw_in_proportion(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.25)], "b": [(0, 0.75)]})
    n = 2000
    first = [sent(least_confident(noise=1.0), pool, 1, seed)[0] for seed in range(n)]
    spread = (0.75 * 0.25 / n) ** 0.5
    assert first.count("a") / n == pytest.approx(0.75, abs=4 * spread)


def test_gamma_weighs_bytes_in_every_method_that_weighs(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.5)], "b": [(0, 0.2)]}, (100, 400))
    assert sent(least_confident(gamma=0.0), pool, 1) == ["b"]  # .8 to .5
    assert sent(least_confident(gamma=0.5), pool, 1) == ["a"]  # .04 to .05
    n = 1000
    weighed = TrueRandomSampling(gamma=1.0)
    first = [sent(weighed, pool, 1, seed)[0] for seed in range(n)]
    assert first.count("a") / n == pytest.approx(0.8, abs=4 * (0.16 / n) ** 0.5)


def test_a_name_of_a_utility_is_a_method() -> None:
    adapter = TypeAdapter[SamplingMethod](Method)
    method = adapter.validate_python("bald")
    assert method == UtilitySampling(utility="bald")
    assert method.label == "bald"
    assert method.needs == {"disagreement"}
    assert adapter.validate_python("least-confidence").needs == frozenset()
    with pytest.raises(ValidationError, match="utility"):
        adapter.validate_python({"kind": "utility", "utility": "none-such"})


def test_a_pool_that_lacks_what_is_needed_is_named(pool_of: PoolOf) -> None:
    pool = pool_of({"a": [(0, 0.5)]})
    with pytest.raises(InputError, match=r"^bald: needs disagreement"):
        sent(UtilitySampling(utility="bald"), pool, 1)
    with pytest.raises(InputError, match=r"^doubt: needs scores"):
        sent(UtilitySampling(utility="entropy", label="doubt"), pool, 1)
