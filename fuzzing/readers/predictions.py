"""Predictions of detectors, and lists of what was sent, as `backhaul select` takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from numpy.random import Generator

from backhaul.predictions.images import Images, read_images
from backhaul.predictions.reading import Predictions, read_predictions
from backhaul.predictions.sent import read_sent
from fuzzing.mutation import pick
from fuzzing.reader import Reader
from fuzzing.readers.datasets import small_images
from fuzzing.tree import Tree

_N_IMAGES = 4
_ENTRY = {"image_id": 1, "category_id": 2, "bbox": [1.5, 2, 20, 10.25], "score": 0.75}


@cache
def _images() -> Images:
    first = Path(small_images(_N_IMAGES).table["uri"].iloc[0])
    return read_images(first.parent, lambda done, total: None)


def _results(rng: Generator) -> Tree:
    named = {**_ENTRY, "image_id": "2", "file_name": "2.png"}
    return {"r.json": json.dumps(pick(([_ENTRY, named], [named]), rng)).encode()}


def _results_by_ids(_: Generator) -> Tree:
    listed = [{"id": 1, "file_name": "1.png", "width": 41, "height": 30}]
    content = {"images": listed, "annotations": [], "categories": [{"id": 2, "name": "van"}]}
    return {"r.json": json.dumps([_ENTRY]).encode(), "coco.json": json.dumps(content).encode()}


def _texts(_: Generator) -> Tree:
    return {"t/1.txt": b"0 0.5 0.5 0.25 0.5 0.75\n2 0.1 0.1 0.125 0.125 0.5\n", "t/2.txt": b""}


def _read(folder: Path) -> Iterable[str]:
    coco = folder / "coco.json"
    given = folder / "t" if (folder / "t").is_dir() else folder / "r.json"
    predictions = Predictions([given], coco=coco if coco.is_file() else None)
    return [note for look in read_predictions(predictions, _images()) for note in look.notes]


def _sent(rng: Generator) -> Tree:
    name = pick(("sent.txt", "sent.csv", "sent.json"), rng)
    content = {
        "sent.txt": b"1.png\nimages/2.png\n",
        "sent.csv": b"rank,file\n1,1.png\n",
        "sent.json": b'{"selection": [{"file": "1.png"}]}',
    }
    return {name: content[name]}


def _read_sent(folder: Path) -> Iterable[str]:
    path = next(folder.glob("sent.*"), folder / "sent.txt")
    return read_sent(path, _images()).notes


READERS = (
    Reader("COCO results", _results, _read, share=2),
    Reader("COCO results by ids", _results_by_ids, _read),
    Reader("texts with confidences", _texts, _read, share=2),
    Reader("sent before", _sent, _read_sent, share=2),
)
