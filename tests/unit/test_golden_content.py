"""What data, split, fusion, sampling and matching give for fixed inputs is as it was."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backhaul.data.formats import read
from backhaul.data.labelling import label_from_existing
from backhaul.data.settings import Batches, FolderData, SplitFractions
from backhaul.data.split import batches, draw_initial, split
from backhaul.learn.mixing import merge, mix
from backhaul.look.fusion import fuse
from backhaul.measure.matching import benchmark
from backhaul.measure.validation import validate
from backhaul.sampling import Method, SamplingMethod
from backhaul.storage.digests import table_digest
from backhaul.storage.parquet import from_parquet, to_arrow, to_parquet
from backhaul.values.arrivals import Arrivals
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections, FusedDetections
from backhaul.values.features import Features
from backhaul.values.images import ImageSet
from backhaul.values.offers import Offers, Pool, SentBefore
from tests.golden import require_golden

N_IMAGES, N_CLASSES, SIDE = 60, 3, 64
CHANGED = (
    "results of a stage have changed: raise version= of the stage, so that what is in stores "
    "is computed anew, or explain; then remove the old values from the file"
)
GIVEN: dict[str, dict[str, Any]] = {
    "in-range": {"low": 0.2, "high": 0.6},
    "probability": {"density": {"mean": 0.5, "std": 0.2}},
    "bin": {"edges": [0, 0.3, 0.6, 1], "shares": [0.2, 0.3, 0.5]},
    "hard-example": {"filter": "threshold", "gamma": 0.5},
    "every-nth": {"n": 7},
    "utility": {"utility": "least-confidence", "gamma": 0.5, "noise": 0.5},
}
"""What kinds of methods must be told."""


def bitmap(number: int) -> bytes:
    """Return an image that no library had a hand in: BMP, 24 bits a pixel, all of one grey."""
    pixels = bytes([number * 4]) * (SIDE * SIDE * 3)
    header = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54) + header + pixels


def objects_of(number: int) -> Iterator[tuple[int, float, float, float, float]]:
    """Yield class, centre and size of the objects of an image: none, one, two or three."""
    for k in range(number % 4):
        yield (number + k) % N_CLASSES, 0.25 + 0.25 * k, 0.5, 0.125, 0.25


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    (root / "labels").mkdir()
    names = [f"c{k}" for k in range(N_CLASSES)]
    (root / "data.yaml").write_text(f"path: .\ntrain: images\nnames: {names}\n")
    for number in range(N_IMAGES):
        (root / f"images/{number:02d}.bmp").write_bytes(bitmap(number))
        lines = [" ".join(map(str, each)) for each in objects_of(number)]
        (root / f"labels/{number:02d}.txt").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def images(folder: Path) -> ImageSet:
    report = read(FolderData(root=str(folder), group_pattern="(.)[0-9].bmp"))
    report.require_clean()
    found = report.images
    uris = [Path(uri).relative_to(folder).as_posix() for uri in found.table["uri"]]
    return ImageSet(found.table.assign(uri=uris), found.class_names)


def detections_of(images: ImageSet) -> Detections:
    """Return what two checkpoints see: the objects, some of them moved or of another class."""
    rows = []
    for row, image_id in enumerate(images.table["image_id"]):
        for epoch in (1, 2):
            for k, (class_id, x, y, w, h) in enumerate(objects_of(row)):
                moved = x + (0.015625 if epoch == 2 else 0)
                seen = (class_id + (row % 5 == 0 and epoch == 2)) % N_CLASSES
                corners = (moved - w / 2, y - h / 2, moved + w / 2, y + h / 2)
                confidence = ((row * 7 + k * 3 + epoch) % 16 + 1) / 17
                rows.append((image_id, epoch, seen, confidence, *(c * SIDE for c in corners)))
    columns = ["image_id", "epoch", "class_id", "confidence", "x1", "y1", "x2", "y2"]
    return from_parquet(Detections, to_parquet(pd.DataFrame(rows, columns=columns)))


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def digest(value: Any) -> str:
    """Return the digest of a value, floats to nine places: processors differ behind those."""
    table = to_arrow(value)
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            table = table.set_column(place, field.name, pc.round(table[field.name], 9))
    return table_digest(table)


@cache
def methods() -> tuple[SamplingMethod, ...]:
    """Return every method that needs no file and no code of a user's."""
    union = get_args(get_args(Method)[0])
    kinds = [kind.model_fields["kind"].default for kind in union]
    return tuple(
        kind(**GIVEN.get(name, {}))
        for name, kind in zip(kinds, union, strict=True)
        if name not in ("listed", "user")
    )


def contents(images: ImageSet) -> Iterator[tuple[str, Any]]:
    yield "data", images
    initial, pool = draw_initial(images, 20, rng())
    yield "initial", initial
    arriving = Batches(sampling_batch=10, holdout_batches=1)
    arrivals = batches(pool, arriving, rng())
    yield "holdout", arrivals.holdout
    yield "leftover", arrivals.leftover
    for number, batch in enumerate(arrivals.numbered):
        yield f"batch {number}", batch
    old = split(initial, SplitFractions(train=0.6, valid=0.2), rng())
    yield "split", old
    sent = arrivals.numbered[0].without_labels()
    labelled = label_from_existing(sent, images)
    yield "labelling", labelled
    new = split(labelled, SplitFractions(train=0.7, valid=0.15), rng())
    yield "mixing", mix(new, old, 0.5, rng())
    yield "seen", merge(old, new)


def looks(images: ImageSet) -> Iterator[tuple[str, Any]]:
    found = detections_of(images)
    labels: tuple[Literal["mean", "last"], ...] = ("mean", "last")
    for label_from in labels:
        fused = fuse(found, (1, 2), 0.5, label_from)
        yield f"fusion {label_from}", fused
        yield f"matching {label_from}", benchmark(fused, images, 0.5)
    yield from choices(images, fuse(found, (1, 2), 0.5))


def choices(images: ImageSet, fused: FusedDetections) -> Iterator[tuple[str, Any]]:
    size_bytes = images.table["size_bytes"].to_numpy(dtype=np.int64)
    offers = Offers.originals(images.ids, size_bytes, tuple(images.table["uri"]))
    vectors = rng().integers(0, 9, (len(images), 4)).astype(np.float32)  # with exact distances
    known = Features(names_of(images.ids), vectors)
    scores = np.zeros((len(fused), N_CLASSES))
    scores[np.arange(len(fused)), fused.class_id] = fused.confidence
    validation = validate(fused, images, 0.5)
    fused = replace(fused, descriptors=known, features=known, scores=scores)
    pool = Pool(offers, fused, SentBefore(), validation, arrivals=arrivals_of(images.ids))
    for method in methods():
        yield f"sampling {method.label}", method.select(pool, Bandwidth(images=9), rng=rng())


def arrivals_of(ids: Sequence[str]) -> Arrivals:
    """Return that every third image was drawn by chance, the others chosen, the last first."""
    n = len(ids)
    why = ["valued" if k % 3 else "explored" for k in range(n)]
    captured_s = np.arange(n, 0, -1, dtype=np.float64)
    return Arrivals(
        names_of(ids), names_of([""] * n), names_of(why), np.full(n, 0.1), captured_s
    )


def test_contents_are_as_they_were(images: ImageSet) -> None:
    everything = [*contents(images), *looks(images)]
    require_golden("contents", {name: digest(value) for name, value in everything}, CHANGED)
