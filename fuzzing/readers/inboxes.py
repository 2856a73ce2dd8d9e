"""What nodes and annotators put into a store, and the inbox's own files there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pandas as pd
from numpy.random import Generator

from backhaul.data.images import ImageFile
from backhaul.data.limits import InboxLimits
from backhaul.inbox.batch import read_batch, read_sidecar
from backhaul.inbox.files import fused_of, images_of
from backhaul.inbox.ingestion import ingest
from backhaul.inbox.labels import read_labels
from backhaul.inbox.log import read_log
from backhaul.inbox.sidecar import detections_of, read_detections
from backhaul.inbox.summary import read_summary
from backhaul.untrusted import read_bytes
from fuzzing.mutation import mutate, pick
from fuzzing.reader import Reader
from fuzzing.readers.datasets import NAMES
from fuzzing.readers.runs import stored
from fuzzing.tree import Tree

_IMAGE = ImageFile("cam/a.png", "0" * 32, 64, 48, 1000)
_DETECTION = {
    "class": "car",
    "confidence": 0.75,
    "confidence_std": 0.1,
    "votes": 3,
    "xyxy": [1.5, 2, 30, 40.25],
    "box_spread": 0.5,
    "scores": {"car": 0.7, "van": 0.2, "walker": 0.1},
}


def _sidecar(rng: Generator) -> Tree:
    plain = [_DETECTION, {"class_id": 1, "confidence": 0.5, "xyxy": [0, 0, 64, 48]}]
    whole = {"detections": [_DETECTION], "features": [0.5, -1.0, 3.25]}
    return {"a.detections.json": json.dumps(pick((plain, whole), rng)).encode()}


def _read_sidecar(folder: Path) -> Iterable[str]:
    path = folder / "a.detections.json"
    text, problems = read_detections(read_bytes(path), str(path), _IMAGE, NAMES)
    if text is not None:
        detections_of(["a"], [text], NAMES)
    return map(str, problems)


def _labels(_: Generator) -> Tree:
    return {"cam/a.txt": b"0 0.5 0.5 0.25 0.5\n2 0.1 0.1 0.125 0.125\n"}


def _read_labels(folder: Path) -> Iterable[str]:
    return map(str, read_labels(str(folder / "cam/a.txt"), _IMAGE, len(NAMES))[1])


@cache
def _ingested() -> Tree:
    folder = stored() / "ingested"
    log = {path.name: path.read_bytes() for path in sorted((folder / "log").glob("*.parquet"))}
    return {f"ingested/log/{name}": content for name, content in log.items()}


def _log(_: Generator) -> Tree:
    return dict(_ingested())


def _read_log(folder: Path) -> Iterable[str]:
    entries = [rows for _, rows in read_log(str(folder))]
    if entries:
        rows = pd.concat(entries, ignore_index=True)
        images_of(rows, tuple(map(str, range(10))))
        fused_of(rows, tuple(map(str, range(10))))
    return ()


def _inbox(_: Generator) -> Tree:
    image = next((stored() / "initial/images").glob("*.png")).read_bytes()
    found = {"uri": "inbox/cam/b.png", "size_bytes": len(image), "stamp": "0"}
    arrival = {
        "image_id": "0" * 32,
        "suffix": ".png",
        "width": 48,
        "height": 48,
        "node": "cam",
        "name": "b.png",
        "image": found,
        "beside": {**found, "uri": "inbox/cam/b.detections.json"},
    }
    plan = {"number": 3, "arrived": "2026-11-28T03:00:00Z", "arrivals": [arrival]}
    return {
        "inbox/cam/a.png": image,
        "inbox/cam/a.detections.json": json.dumps([_DETECTION]).encode(),
        "ingested/inbox.txt": b"inbox",
        "ingested/waiting.json": b'{"cam/c.png": "100 12"}',
        "ingested/pending/00000003.json": json.dumps(plan).encode(),
    }


def _mutate_inbox(tree: Tree, rng: Generator) -> Tree:
    """Change what is no image; those are other readers' affair."""
    texts = {k: v for k, v in tree.items() if not k.endswith(".png")}
    return {k: v for k, v in tree.items() if k not in texts} | mutate(texts, rng)


def _ingest(folder: Path) -> Iterable[str]:
    return ingest(str(folder), "inbox", NAMES).problems


_TOLD = {
    "digest": "0" * 64,
    "frame_id": "0007",
    "captured_s": 1_764_000_000.5,
    "model": "m1",
    "policy": "own",
    "window": 12,
    "why": "explored",
    "value": 0.5,
    "probability": 0.1,
    "detections": [{**_DETECTION, "class_id": 0, "scores": [0.7, 0.2, 0.1]}],
    "embedding": "AAA=",
    "embedding_of": "features",
}


def _batch(_: Generator) -> Tree:
    content = json.dumps([_TOLD, {**_TOLD, "digest": "1" * 64}]).encode()
    return {"batch.json": gzip.compress(content, mtime=0)}


def _mutate_batch(tree: Tree, rng: Generator) -> Tree:
    """Change the file as it is put, or what is packed into it."""
    if rng.random() < 0.5:
        return mutate(tree, rng)
    inner = {k: gzip.decompress(v) if isinstance(v, bytes) else v for k, v in tree.items()}
    changed = mutate(inner, rng).items()
    return {k: gzip.compress(v, mtime=0) if isinstance(v, bytes) else v for k, v in changed}


def _read_batch(folder: Path) -> Iterable[str]:
    path, limits = folder / "batch.json", InboxLimits()
    sidecars, problems = read_batch(read_bytes(path), str(path), limits)
    for sidecar in sidecars.values():
        data = sidecar.model_dump_json().encode()
        _, (_, wrong) = read_sidecar(data, str(path), _IMAGE, NAMES, limits)
        problems += wrong
    return map(str, problems)


def _window(_: Generator) -> Tree:
    window = {"node": "cam", "number": 7, "policy": "own", "model": "m1", "seen": 60, "sent": 6}
    window |= {"counts": {"suppressed": 9}, "confidence": [1] * 10, "classes": {"0": 10}}
    return {"window.json": json.dumps(window).encode()}


def _read_window(folder: Path) -> Iterable[str]:
    path = folder / "window.json"
    read_summary(read_bytes(path), str(path), "cam")
    return ()


READERS = (
    Reader("sidecar", _sidecar, _read_sidecar, share=2),
    Reader("annotations", _labels, _read_labels, share=2),
    Reader("batch of sidecars", _batch, _read_batch, _mutate_batch, share=2),
    Reader("window", _window, _read_window, share=2),
    Reader("inbox log", _log, _read_log),
    Reader("inbox", _inbox, _ingest, _mutate_inbox, share=0.3),
)
