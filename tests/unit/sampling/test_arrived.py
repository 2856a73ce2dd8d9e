"""Arms of what nodes chose: which images, in which order, and equal bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from backhaul.errors import InputError
from backhaul.sampling import ArrivedSampling, IqrSampling
from backhaul.sampling.arrived import equal_bytes
from backhaul.values.arrivals import Arrivals
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.offers import Offers, Pool
from tests.nodeworld import found_in

RNG = np.random.default_rng(0)
SIZES = np.array([10, 20, 40, 80, 5], dtype=np.int64)
ARRIVALS = Arrivals(
    image_id=names_of("vwxyz"),
    policy=names_of(["a", "a", "b", "b", ""]),
    why=names_of(["valued", "explored", "valued", "explored", ""]),
    probability=np.array([0.1, 0.1, 0.2, 0.2, np.nan]),
    captured_s=np.array([1.0, 2.0, 4.0, 3.0, np.nan]),
)
A, B = ArrivedSampling(policy="a"), ArrivedSampling(policy="b")


def pool_of(**changes: Any) -> Pool:
    offers = Offers.originals("vwxyz", SIZES)
    return Pool(offers, found_in("v", np.array([0.5])), **{"arrivals": ARRIVALS, **changes})


def chosen(method: ArrivedSampling, limit: Bandwidth) -> str:
    return "".join(method.select(pool_of(), limit, rng=RNG).image_id)


def test_all_of_a_policy_is_taken_what_chance_drew_first_then_by_time() -> None:
    everything = Bandwidth(images=9)
    assert chosen(A, everything) == "wv"
    assert chosen(B, everything) == "yx"
    assert chosen(ArrivedSampling(), everything) == "wyvxz"
    assert chosen(ArrivedSampling(), Bandwidth(images=9, bytes=35)) == "wvz"
    [first, second] = A.select(pool_of(), everything, rng=RNG).reason
    assert (first, second) == ("explored by a", "valued by a")


def test_arms_have_equal_bytes_beside_what_chance_drew() -> None:
    assert equal_bytes(A, [A, B], ARRIVALS, SIZES) == 20 + 10
    assert equal_bytes(B, [A, B, IqrSampling()], ARRIVALS, SIZES) == 80 + 10
    nothing = ArrivedSampling(policy="c")
    assert equal_bytes(A, [A, nothing], ARRIVALS, SIZES) == 20
    other = ArrivedSampling(policy="b", equal=False)
    for arms in ([A], [A, ArrivedSampling()], [A, other], [other, B]):
        assert equal_bytes(arms[0], arms, ARRIVALS, SIZES) is None


def test_labels_come_from_policies() -> None:
    labels = [ArrivedSampling(policy=name).label for name in ("", "own", "x-2", "7")]
    assert labels == ["arrived", "arrived-own", "arrived-x", "arrived"]
    with pytest.raises(ValidationError, match="policy"):
        ArrivedSampling(policy="../a")


def test_a_pool_that_does_not_say_how_images_were_chosen_is_refused() -> None:
    with pytest.raises(InputError, match="arrived-a: needs arrivals"):
        A.select(pool_of(arrivals=None), Bandwidth(images=1), rng=RNG)
