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
        ("fd339a7bbd259063", "f313a758dd012576"),
    ),
    (
        {"kind": "true-random"},
        ("bb302011f174d92d", "0515bbf77f9c41b2"),
    ),
    (
        {"kind": "median-thresh"},
        ("f9a975d64bf4c851", "58307e19473f6e7a"),
    ),
    (
        {"kind": "median-below-thresh"},
        ("f81f48ee218fedba", "afb680cba1c6e7c1"),
    ),
    (
        {"kind": "mid-thresh"},
        ("9567f03fde65fd98", "da4a38f219c8e40f"),
    ),
    (
        {"kind": "mid-below-thresh"},
        ("266b78a0808c2b27", "0d90a46bd6d8e63e"),
    ),
    (
        {"kind": "iqr"},
        ("8860d61783d8349d", "969237409cbbb74d"),
    ),
    (
        {"kind": "normal"},
        ("2275328fecdf3d68", "4c7a545606c44e06"),
    ),
    (
        {"kind": "mid-normal"},
        ("1bb13c31dce2471a", "4faa5cbd5de854e3"),
    ),
    (
        {"kind": "bin-quintile"},
        ("53fc93462141fed1", "cdfc343272e0ec81"),
    ),
    (
        {"kind": "bin-normal"},
        ("996309dfed154469", "415f332aa2e11ba4"),
    ),
    (
        {"kind": "in-range", "low": 0.1, "high": 0.3},
        ("65e5021f564a22d3", "3f6f0f0c475d21de"),
    ),
    (
        {"kind": "probability", "density": {"mean": 0.3, "std": 0.1}},
        ("17093f8b37e072c6", "c66fc00f81fdc222"),
    ),
    (
        {"kind": "bin", "n_bins": 4, "shares": [1, 0, 2, 3], "stratify": True},
        ("9f017181f80a029b", "3a58a8d22e47513f"),
    ),
    ({"kind": "k-center"}, ("308d85574fc2830a", "a69ef8bb668d96c2")),
    (
        {"kind": "k-center", "suppress": True, "near": 2.0},
        ("b59a7a7d177fc679", "d981348358804c3b"),
    ),
    ({"kind": "typicality"}, ("78555c3d40adf64d", "b2ea139b175c9586")),
    ({"kind": "diverse", "near": 2.0}, ("8b80073e71c0c171", "59a9d5c3e74f9c1c")),
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
