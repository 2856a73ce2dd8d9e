"""Fusions and selections of fixed inputs, kept as digests: they must stay as they are.

Whoever changes one on purpose raises the version of its stage.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from backhaul.look.fusion import LabelFrom, fuse
from backhaul.sampling import Method, SamplingMethod
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import FUSED_COLUMNS, Detections, FusedDetections
from backhaul.values.features import Features
from backhaul.values.offers import Offers, Pool
from backhaul.values.selections import SELECTION_COLUMNS

N_IMAGES = 60
EPOCHS = (3, 6, 9, 12)
FUSED: dict[LabelFrom, str] = {"mean": "40fe5a2e30c7d313", "last": "c8111b851926b0ad"}
OF_ONE = "02dbfe78c3c52e7b"
SELECTED = [
    (
        {"kind": "random"},
        ("5d89e64c557ff705", "571db70a6d238910"),
    ),
    (
        {"kind": "true-random"},
        ("2c3490cdf9098666", "6fd3e2aea519a792"),
    ),
    (
        {"kind": "median-thresh"},
        ("b65bece08c4eb4b8", "e617831a40ff88ef"),
    ),
    (
        {"kind": "median-below-thresh"},
        ("ee3ea78f372bc5ae", "5c79d9465cefe037"),
    ),
    (
        {"kind": "mid-thresh"},
        ("7e550754b6503da6", "d714c8d3cccd5fa8"),
    ),
    (
        {"kind": "mid-below-thresh"},
        ("b1ab2e57bbb0c605", "d921eec029edab5d"),
    ),
    (
        {"kind": "iqr"},
        ("4ec1d3ba228da8b7", "282783be67be2533"),
    ),
    (
        {"kind": "normal"},
        ("d2d0cc0b97aba9eb", "7de8d9f7a3bc0693"),
    ),
    (
        {"kind": "mid-normal"},
        ("493f27f7f3995eaa", "756e4ff64a8ea14d"),
    ),
    (
        {"kind": "bin-quintile"},
        ("c1ccde93bb9303df", "9387daa52012d789"),
    ),
    (
        {"kind": "bin-normal"},
        ("515bab85e03c55dd", "a3b558fa3857c927"),
    ),
    (
        {"kind": "in-range", "low": 0.1, "high": 0.3},
        ("202d569369306c33", "0aab97734c78112b"),
    ),
    (
        {"kind": "probability", "density": {"mean": 0.3, "std": 0.1}},
        ("367ac02d01777a39", "c4330bc821040197"),
    ),
    (
        {"kind": "bin", "n_bins": 4, "shares": [1, 0, 2, 3], "stratify": True},
        ("59f08df98d1c2f9f", "0879a88952a81e7c"),
    ),
    ({"kind": "k-center"}, ("610d3b50a08dfba6", "478c2a11b18fccbd")),
    (
        {"kind": "k-center", "suppress": True, "near": 2.0},
        ("329f1ec60a7ac046", "cffc564bedfa88c0"),
    ),
    ({"kind": "typicality"}, ("76dc3525ca57cee2", "4a7ed6086d767220")),
    ({"kind": "diverse", "near": 2.0}, ("b72b765b8c5a55ef", "05a5b80af58ca5ad")),
]


def seen() -> Detections:
    rng = np.random.default_rng(20)
    n = 1200
    centre = rng.uniform(80, 560, (6, 2))[rng.integers(0, 6, n)] + rng.normal(0, 6, (n, 2))
    size = rng.uniform(60, 80, (n, 2))
    columns = {
        "image_id": [f"{i:032x}" for i in rng.permutation(N_IMAGES)[rng.integers(0, 52, n)]],
        "epoch": rng.integers(1, len(EPOCHS) + 1, n) * 3,
        "class_id": rng.integers(0, 5, n),
        "confidence": rng.beta(1.6, 0.7, n),
    }
    corners = np.hstack([centre - size / 2, centre + size / 2])
    named = dict(zip(("x1", "y1", "x2", "y2"), corners.T, strict=True))
    return Detections.from_table(pd.DataFrame(columns | named))


def pool() -> Pool:
    rng = np.random.default_rng(3)
    names = tuple(f"{i:032x}" for i in rng.permutation(N_IMAGES))
    sizes = rng.integers(5_000, 20_000, N_IMAGES)
    described = Features(names_of(names), rng.normal(size=(N_IMAGES, 8)).astype(np.float32))
    fused = replace(fuse(seen(), EPOCHS, 0.5), descriptors=described)
    return Pool(Offers.originals(names, sizes), fused)


def digest(table: pd.DataFrame, columns: tuple[str, ...]) -> str:
    content = hashlib.sha256()
    for name in columns:
        if name in ("image_id", "reason", "method"):
            content.update("\n".join(table[name]).encode())
        elif name == "weight":  # exp() differs in the last bit from processor to processor
            content.update("\n".join(f"{value:.9e}" for value in table[name]).encode())
        else:
            values = table[name].to_numpy(dtype="<f8")
            content.update(np.ascontiguousarray(values).tobytes())
    return content.hexdigest()[:16]


def of_fused(fused: FusedDetections) -> str:
    return digest(fused.table, FUSED_COLUMNS)


@pytest.mark.parametrize(("label_from", "expected"), FUSED.items())
def test_fusion(label_from: LabelFrom, expected: str) -> None:
    assert of_fused(fuse(seen(), EPOCHS, 0.5, label_from)) == expected


def test_fusion_of_one_checkpoint() -> None:
    alone = seen().take(seen().epoch == EPOCHS[0])
    assert of_fused(fuse(alone, EPOCHS[:1], 0.4)) == OF_ONE


@pytest.mark.parametrize(("given", "expected"), SELECTED, ids=lambda v: str(v)[:40])
def test_selection(given: Any, expected: tuple[str, str]) -> None:
    method: SamplingMethod = TypeAdapter(Method).validate_python(given)
    found = [
        digest(
            method.select(pool(), bandwidth, rng=np.random.default_rng(7)).table,
            SELECTION_COLUMNS,
        )
        for bandwidth in (Bandwidth(images=15), Bandwidth(images=30, bytes=200_000))
    ]
    assert tuple(found) == expected
